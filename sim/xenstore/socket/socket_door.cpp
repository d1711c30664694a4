#include "sim/xenstore/socket/socket_door.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <csignal>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "sim/xenstore/connection.h"
#include "sim/xenstore/daemon.h"
#include "sim/xenstore/socket/socket_file.h"
#include "sim/xenstore/state_image.h"
#include "sim/xenstore/stream_door.h"
#include "xenrig/abi/check.h"

namespace xenrig::xenstore {
namespace {

namespace asio = boost::asio;
using Local = asio::local::stream_protocol;

/// More than any client leaves unread for good reason. Guests have quotas; a socket's client of C xenstored has none.
constexpr std::size_t kUnreadBytesMax = 16 << 20;
/// With so much unread, a client is not listened to until it has read.
constexpr std::size_t kUnreadBytesHeard = 1 << 20;

class Server;

class Client {
public:
    Client(Server& server, Local::socket socket, std::uint64_t id);

    void wait_to_read();
    void readable();
    void writable();
    /// Writes what waits, as far as the socket takes it.
    void flush();
    bool gone() const { return gone_; }
    StreamDoor& door() { return door_; }
    std::size_t unread_bytes() const { return door_.closed() ? 0 : door_.connection()->waiting_bytes(); }
    const std::uint64_t id;

private:
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
    Server(asio::io_context& io, Personality personality)
        : personality_(personality), daemon_(fresh_daemon()), acceptor_(io), retry_(io), io_(io) {}

    /// Takes over a listening descriptor.
    void listen(int descriptor) {
        acceptor_.assign(Local(), descriptor);
        accept();
    }
    void hang_up() {
        blocked_.clear();
        clients_.clear();
    }

    void has_output(Client& client) { to_flush_.push_back(client.id); }

    /// Lets the daemon look at what came in, then sends what it said, then forgets who has gone.
    void serve() {
        daemon_->service();
        if (update_wanted_) update();
        // A flush makes room, and with room the daemon may say more.
        while (!to_flush_.empty()) {
            flushing_.clear();
            flushing_.swap(to_flush_);
            for (const std::uint64_t id : flushing_) {
                const auto found = clients_.find(id);
                if (found == clients_.end()) continue;
                found->second->flush();
                if (found->second->gone()) remove(id);
            }
            daemon_->service();
            if (update_wanted_) update();
        }
        if (!blocked_.empty()) drop_deaf();
    }

    // A client may have been removed between its socket's event and the call for it, so it is known by its number.

    void readable(std::uint64_t id) {
        const auto found = clients_.find(id);
        if (found == clients_.end()) return;
        found->second->readable();
        if (found->second->gone()) remove(id);
        serve();
    }
    void writable(std::uint64_t id) {
        const auto found = clients_.find(id);
        if (found == clients_.end()) return;
        blocked_.erase(id);
        found->second->writable();
        serve();
    }

    void is_blocked(const Client& client) { blocked_.insert(client.id); }

    void remove(std::uint64_t id) {
        clients_.erase(id);
        blocked_.erase(id);
        if (accepting_) return;
        retry_.cancel();
        accept();
    }

    Daemon& daemon() { return *daemon_; }
    asio::io_context& io() { return io_; }

private:
    /// Hangs up on who lets events wait without end.
    void drop_deaf() {
        std::vector<std::uint64_t> deaf;
        for (const std::uint64_t id : blocked_)
            if (clients_.at(id)->unread_bytes() > kUnreadBytesMax) deaf.push_back(id);
        for (const std::uint64_t id : deaf) remove(id);
    }

    void accept() {
        accepting_ = true;
        acceptor_.async_accept([this](const boost::system::error_code& error, Local::socket socket) {
            accepting_ = false;
            if (!error) {
                const std::uint64_t id = ++last_client_;
                auto client = std::make_unique<Client>(*this, std::move(socket), id);
                clients_.emplace(id, std::move(client)).first->second->wait_to_read();
            }
            if (!error || error == asio::error::connection_aborted)
                accept();
            else
                wait_for_descriptors();
        });
    }

    /// The next client that leaves makes room for one that waits; another process of the machine may make it, too.
    void wait_for_descriptors() {
        retry_.expires_after(std::chrono::seconds(1));
        retry_.async_wait([this](const boost::system::error_code& error) {
            if (!error && !accepting_) accept();
        });
    }

    std::unique_ptr<Daemon> fresh_daemon() {
        return std::make_unique<Daemon>(none_, DaemonConfig{personality_, [this] { update_wanted_ = true; }});
    }

    /// A live update: the state goes through the stream into another daemon, which goes on with the same clients.
    void update() {
        update_wanted_ = false;
        std::map<std::uint32_t, Client*> by_number;
        for (auto& [id, client] : clients_)
            if (!client->door().closed())
                by_number[static_cast<std::uint32_t>(client->door().connection()->id())] = client.get();
        const auto image = decode(encode(daemon_->image()));
        check(image.has_value(), "a state that was just written can be read");
        // The old one hangs up on everybody, and the new one takes them over before anybody looks.
        daemon_ = fresh_daemon();
        const auto adopted = daemon_->adopt(*image, [&](std::uint32_t number) -> Transport* {
            const auto found = by_number.find(number);
            return found != by_number.end() ? &found->second->door().hand_to(*daemon_) : nullptr;
        });
        check(adopted.has_value(), "a state of the whole can be adopted");
        daemon_->service();
    }

    NoDomains none_;
    const Personality personality_;
    std::unique_ptr<Daemon> daemon_;
    bool update_wanted_ = false;
    Local::acceptor acceptor_;
    asio::steady_timer retry_;
    asio::io_context& io_;
    std::map<std::uint64_t, std::unique_ptr<Client>> clients_;
    std::vector<std::uint64_t> to_flush_, flushing_;
    std::set<std::uint64_t> blocked_;
    std::uint64_t last_client_ = 0;
    bool accepting_ = false;
};

Client::Client(Server& server, Local::socket socket, std::uint64_t number)
    : id(number),
      server_(server),
      socket_(std::move(socket)),
      door_(server.daemon(), [this] { server_.has_output(*this); }) {
    socket_.native_non_blocking(true);
}

void Client::wait_to_read() {
    if (waits_to_read_ || unread_bytes() > kUnreadBytesHeard) return;
    waits_to_read_ = true;
    socket_.async_wait(Local::socket::wait_read, [&server = server_, me = id](const boost::system::error_code& e) {
        if (!e) server.readable(me);
    });
}

void Client::readable() {
    waits_to_read_ = false;
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

void Client::writable() {
    waits_to_write_ = false;
    server_.has_output(*this);
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
    server_.is_blocked(*this);
    socket_.async_wait(Local::socket::wait_write, [&server = server_, me = id](const boost::system::error_code& e) {
        if (!e) server.writable(me);
    });
}

/// One descriptor for each client.
void raise_descriptor_limit() {
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
}

}  // namespace

Result<> run_xenstored(const SocketDoorConfig& config) {
    raise_descriptor_limit();
    asio::io_context io(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
    Server server(io, config.personality);
    if (config.restore != nullptr)
        if (auto adopted = server.daemon().adopt(*config.restore, {}); !adopted) return adopted;
    auto file = SocketFile::listen(config.path);
    if (!file) return std::unexpected(file.error());
    asio::signal_set signals(io, SIGINT, SIGTERM, SIGHUP);
    signals.async_wait([&](const boost::system::error_code&, int) { io.stop(); });
    server.listen(file->take_descriptor());
    if (config.ready) config.ready();
    io.run();
    server.hang_up();
    if (config.dump) config.dump(server.daemon().image());
    return {};
}

}  // namespace xenrig::xenstore
