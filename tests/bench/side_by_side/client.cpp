#include "client.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "servers.h"

namespace xenrig::side_by_side {

Client::Client(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        die("nobody listens at " + path);
    const timeval patience{60, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

Client::~Client() { ::close(socket_); }

void Client::stage(std::uint32_t type, std::string_view payload, std::uint32_t transaction) {
    const xsd_sockmsg header{
        .type = type, .req_id = 0, .tx_id = transaction, .len = static_cast<std::uint32_t>(payload.size())};
    out_.append(reinterpret_cast<const char*>(&header), sizeof header).append(payload);
}

void Client::send() {
    for (std::size_t sent = 0; sent < out_.size();) {
        const ssize_t n = ::send(socket_, out_.data() + sent, out_.size() - sent, MSG_NOSIGNAL);
        if (n <= 0) die("a server hung up");
        sent += static_cast<std::size_t>(n);
    }
    out_.clear();
}

Client::Message Client::receive() {
    for (;;) {
        const std::string_view waiting = std::string_view(in_).substr(begin_, end_ - begin_);
        xsd_sockmsg header;
        if (waiting.size() >= sizeof header) {
            std::memcpy(&header, waiting.data(), sizeof header);
            if (waiting.size() - sizeof header >= header.len) {
                begin_ += sizeof header + header.len;
                return {header.type, waiting.substr(sizeof header, header.len)};
            }
        }
        std::memmove(in_.data(), waiting.data(), waiting.size());
        begin_ = 0;
        end_ = waiting.size();
        const ssize_t n = ::recv(socket_, in_.data() + end_, in_.size() - end_, 0);
        if (n <= 0) die("a server hung up, or says nothing for a minute");
        end_ += static_cast<std::size_t>(n);
    }
}

Client::Message Client::call(std::uint32_t type, std::string_view payload, std::uint32_t transaction) {
    stage(type, payload, transaction);
    send();
    return receive();
}

Client::Message Client::must(std::uint32_t type, std::string_view payload, std::uint32_t transaction) {
    const Message reply = call(type, payload, transaction);
    if (reply.type == XS_ERROR) die("a server answers " + std::string(reply.payload));
    return reply;
}

}  // namespace xenrig::side_by_side
