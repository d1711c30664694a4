// A client of the wire protocol (io/xs_wire.h) that does as little as it can: blocking calls on one unix socket.
//
// Whatever the server does wrong ends the program; this measures daemons that work.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

extern "C" {
#include <xen/io/xs_wire.h>
}

namespace xenrig::side_by_side {

class Client {
public:
    explicit Client(const std::string& socket);
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client();

    struct Message {
        std::uint32_t type;
        std::string_view payload;  ///< until the next receive()
    };

    /// Sends a request and waits for what comes next, whatever it is.
    Message call(std::uint32_t type, std::string_view payload, std::uint32_t transaction = 0);
    /// As call(), and the program ends at an error.
    Message must(std::uint32_t type, std::string_view payload, std::uint32_t transaction = 0);

    /// Puts a request after those that wait for send().
    void stage(std::uint32_t type, std::string_view payload, std::uint32_t transaction = 0);
    void send();
    Message receive();

private:
    int socket_;
    std::string out_;
    std::string in_ = std::string(131'072, '\0');
    std::size_t begin_ = 0, end_ = 0;  ///< what came and was not yet taken
};

}  // namespace xenrig::side_by_side
