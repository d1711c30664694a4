#include "sim/xenstore/socket/socket_door.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/signal_set.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <map>
#include <memory>
#include <vector>

#include "sim/xenstore/daemon.h"
#include "sim/xenstore/stream_door.h"

namespace xenrig::xenstore {
namespace {

namespace asio = boost::asio;
using Local = asio::local::stream_protocol;

class Server;

class Client {
public:
    Client(Server& server, Local::socket socket, std::uint64_t id);

    void wait_to_read();
    /// Writes what waits, as far as the socket takes it.
    void flush();
    bool gone() const { return gone_; }
    const std::uint64_t id;

private:
    void readable();
    void wait_to_write();

    Server& server_;
    Local::socket socket_;
    StreamDoor door_;
    bool waits_to_read_ = false;
    bool waits_to_write_ = false;
    bool gone_ = false;
};

class Server {
public:
    Server(asio::io_context& io, Personality personality) : daemon(none_, {personality}), acceptor_(io), io_(io) {}

    void listen(const Local::endpoint& at) {
        acceptor_.open(at.protocol());
        acceptor_.bind(at);
        acceptor_.listen(asio::socket_base::max_listen_connections);
        accept();
    }

    void has_output(Client& client) { to_flush_.push_back(client.id); }

    /// Lets the daemon look at what came in, then sends what it said, then forgets who has gone.
    void serve() {
        daemon.service();
        // A flush makes room, and with room the daemon may say more.
        while (!to_flush_.empty()) {
            std::vector<std::uint64_t> ids;
            ids.swap(to_flush_);
            for (const std::uint64_t id : ids) {
                const auto found = clients_.find(id);
                if (found == clients_.end()) continue;
                found->second->flush();
                if (found->second->gone()) remove(id);
            }
            daemon.service();
        }
    }

    void remove(std::uint64_t id) {
        clients_.erase(id);
        if (!accepting_) accept();
    }

    Daemon& the_daemon() { return daemon; }
    asio::io_context& io() { return io_; }

private:
    void accept() {
        accepting_ = true;
        acceptor_.async_accept([this](const boost::system::error_code& error, Local::socket socket) {
            accepting_ = false;
            if (!error) {
                const std::uint64_t id = ++last_client_;
                auto client = std::make_unique<Client>(*this, std::move(socket), id);
                clients_.emplace(id, std::move(client)).first->second->wait_to_read();
            }
            // Out of descriptors: the next client that leaves makes room for one that waits.
            if (!error || error == asio::error::connection_aborted || clients_.empty()) accept();
        });
    }

    NoDomains none_;
    Daemon daemon;
    Local::acceptor acceptor_;
    asio::io_context& io_;
    std::map<std::uint64_t, std::unique_ptr<Client>> clients_;
    std::vector<std::uint64_t> to_flush_;
    std::uint64_t last_client_ = 0;
    bool accepting_ = false;
};

Client::Client(Server& server, Local::socket socket, std::uint64_t number)
    : id(number),
      server_(server),
      socket_(std::move(socket)),
      door_(server.the_daemon(), [this] { server_.has_output(*this); }) {
    socket_.native_non_blocking(true);
}

void Client::wait_to_read() {
    if (waits_to_read_) return;
    waits_to_read_ = true;
    socket_.async_wait(Local::socket::wait_read,
                       [this, &server = server_, me = id](const boost::system::error_code& e) {
                           if (e) return;
                           waits_to_read_ = false;
                           readable();
                           if (gone_) server.remove(me);
                           server.serve();
                       });
}

void Client::readable() {
    std::array<std::byte, 65'536> bytes;
    // No more is taken from the socket than the daemon's buffer has room for; the rest waits in the kernel.
    const std::size_t room = std::min(bytes.size(), door_.room());
    if (room == 0) return;
    const ssize_t n = ::recv(socket_.native_handle(), bytes.data(), room, 0);
    if (n > 0) {
        door_.feed(std::span(bytes).first(static_cast<std::size_t>(n)));
        wait_to_read();
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        gone_ = true;
    } else {
        wait_to_read();
    }
}

void Client::flush() {
    while (!gone_ && !door_.output().empty()) {
        const auto out = door_.output();
        const ssize_t n = ::send(socket_.native_handle(), out.data(), out.size(), MSG_NOSIGNAL);
        if (n > 0) {
            door_.discard_output(static_cast<std::size_t>(n));
        } else if (errno == EAGAIN) {
            wait_to_write();
            break;
        } else if (errno != EINTR) {
            gone_ = true;
        }
    }
    if (door_.closed()) gone_ = true;
    if (!gone_) wait_to_read();
}

void Client::wait_to_write() {
    if (waits_to_write_) return;
    waits_to_write_ = true;
    socket_.async_wait(Local::socket::wait_write, [this, &server = server_](const boost::system::error_code& e) {
        if (e) return;
        waits_to_write_ = false;
        server.has_output(*this);
        server.serve();
    });
}

int complain(const std::string& path, const char* what) {
    std::fprintf(stderr, "xenrig: %s: %s\n", path.c_str(), what);
    return 2;
}

/// A socket that nobody listens on is left over from a daemon that was killed.
bool remove_stale(const std::string& path) {
    struct stat found{};
    if (::lstat(path.c_str(), &found) != 0) return true;
    if (!S_ISSOCK(found.st_mode)) return false;
    asio::io_context io;
    Local::socket probe(io);
    boost::system::error_code error;
    probe.connect(Local::endpoint(path), error);
    return error && ::unlink(path.c_str()) == 0;
}

}  // namespace

int run_xenstored(const SocketDoorConfig& config) {
    if (!supported(config.personality))
        return complain(config.path,
                        "only C xenstored's personality is there so far; leave --personality out, or use c");
    if (config.path.empty() || config.path.size() > 107)
        return complain(config.path, "a unix socket's path has 1 to 107 bytes");
    if (!remove_stale(config.path))
        return complain(config.path, "something else is there, or a daemon that still listens; choose another path");
    // One descriptor for each client.
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
    asio::io_context io(1);
    Server server(io, config.personality);
    try {
        server.listen(Local::endpoint(config.path));
    } catch (const boost::system::system_error& e) {
        return complain(config.path, e.code().message().c_str());
    }
    asio::signal_set signals(io, SIGINT, SIGTERM);
    signals.async_wait([&](const boost::system::error_code&, int) { io.stop(); });
    io.run();
    ::unlink(config.path.c_str());
    return 0;
}

}  // namespace xenrig::xenstore
