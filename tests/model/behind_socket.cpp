// A daemon behind a unix socket as a player. After each step every client asks one more thing: what it was sent before
// that answer belongs to the step, so nobody waits for silence.
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>
// Takes its number types from whoever includes it.
#include <xen/io/xs_wire.h>

#include "tests/model/player.h"

namespace xenrig::model {
namespace {

using namespace std::string_literals;

constexpr std::uint32_t kLastAsked = 0x7FFF'FFFF;

class Socket {
public:
    Socket() = default;
    Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Socket& operator=(Socket&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Socket() {
        if (fd_ >= 0) ::close(fd_);
    }

    bool connect(const std::string& path) {
        sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
        if (path.size() >= sizeof address.sun_path) return false;
        std::memcpy(address.sun_path, path.data(), path.size());
        fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        // A daemon that does not answer is a failure, not a wait without end.
        const timeval patience{5, 0};
        (void)::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        return fd_ >= 0 && ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }
    bool write(const std::string& bytes) {
        return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
    }
    bool read(void* to, std::size_t n) { return n == 0 || ::recv(fd_, to, n, MSG_WAITALL) == static_cast<ssize_t>(n); }

private:
    int fd_ = -1;
};

class BehindSocket final : public Player {
public:
    explicit BehindSocket(std::string path) : path_(std::move(path)) {}

    /// False, with errno, when nobody listens.
    bool answers() {
        Socket first;
        return first.connect(path_);
    }

    Heard run(const Step& step) override {
        switch (step.kind) {
            case Step::Kind::open:
                if (!sockets_[step.connection].connect(path_)) sockets_.erase(step.connection);
                break;
            case Step::Kind::close:
                sockets_.erase(step.connection);
                break;
            case Step::Kind::requests:
                for (const Request& r : step.requests) send(step.connection, r);
                break;
            default:
                break;
        }
        // Who asked comes first: what others are sent because of it is sent by then.
        Heard heard;
        if (step.kind == Step::Kind::requests) listen(step.connection, step, heard);
        std::vector<std::string> others;
        for (const auto& [name, socket] : sockets_)
            if (name != step.connection || step.kind != Step::Kind::requests) others.push_back(name);
        for (const std::string& name : others) listen(name, step, heard);
        return heard;
    }

private:
    static std::string bytes_of(std::uint32_t type, std::uint32_t req_id, std::uint32_t tx,
                                const std::string& payload) {
        const xsd_sockmsg header{type, req_id, tx, static_cast<std::uint32_t>(payload.size())};
        return std::string(reinterpret_cast<const char*>(&header), sizeof header) + payload;
    }

    void send(const std::string& connection, const Request& r) {
        std::uint32_t tx = 0;
        if (!r.transaction.empty()) tx = saved_.contains(r.transaction) ? saved_[r.transaction] : kNoTransaction;
        asked_tx_ = tx;
        const auto socket = sockets_.find(connection);
        if (socket != sockets_.end()) (void)socket->second.write(bytes_of(r.type, 1, tx, r.payload));
    }

    /// Until the answer to a question of our own; a client on which the daemon has hung up is there no more.
    void listen(const std::string& name, const Step& step, Heard& heard) {
        const auto socket = sockets_.find(name);
        if (socket != sockets_.end() && !listen(socket->second, name == step.connection, step, heard[name]))
            sockets_.erase(socket);
    }

    bool listen(Socket& socket, bool asked, const Step& step, std::vector<Message>& messages) {
        if (!socket.write(bytes_of(XS_GET_DOMAIN_PATH, kLastAsked, 0, "0\0"s))) return false;
        for (xsd_sockmsg header;;) {
            if (!socket.read(&header, sizeof header)) return false;
            std::string payload(header.len, '\0');
            if (!socket.read(payload.data(), payload.size())) return false;
            if (header.req_id == kLastAsked) return true;
            if (header.type == XS_TRANSACTION_START && asked) {
                saved_[step.requests.front().save] = static_cast<std::uint32_t>(std::stoul(payload));
                payload = "(id)";
            }
            const bool late = header.type != XS_WATCH_EVENT && header.tx_id != asked_tx_;
            messages.push_back({header.type, payload, late});
        }
    }

    std::string path_;
    std::map<std::string, Socket> sockets_;
    std::map<std::string, std::uint32_t> saved_;
    std::uint32_t asked_tx_ = 0;
};

}  // namespace

std::unique_ptr<Player> daemon_behind(const std::string& socket, std::string& why) {
    auto player = std::make_unique<BehindSocket>(socket);
    if (player->answers()) return player;
    why = socket + ": " + std::strerror(errno);
    return nullptr;
}

void sweep(Player& player) {
    const std::string sweeper = "S";
    const auto ask = [&](std::uint32_t type, const std::string& payload) {
        const Heard heard = player.run({Step::Kind::requests, sweeper, 0, {{type, payload, "", ""}}});
        const auto found = heard.find(sweeper);
        return found == heard.end() || found->second.empty() ? ""s : found->second.front().payload;
    };
    player.run({Step::Kind::open, sweeper, 0, {}});
    std::string names = ask(XS_DIRECTORY, "/\0"s);
    while (!names.empty()) {
        const std::string name = names.substr(0, names.find('\0'));
        names.erase(0, name.size() + 1);
        if (name != "@releaseDomain" && name != "@introduceDomain")
            ask(XS_RM, (name.starts_with('@') ? "" : "/") + name + '\0');
    }
    ask(XS_WRITE, "/\0"s);
    for (const char* node : {"/", "@releaseDomain", "@introduceDomain"})
        ask(XS_SET_PERMS, std::string(node) + "\0n0\0"s);
    // Of oxenstored these are nodes like others.
    for (const char* node : {"@releaseDomain", "@introduceDomain"}) ask(XS_WRITE, node + "\0"s);
    ask(XS_MKDIR, "/tool\0"s);
    player.run({Step::Kind::close, sweeper, 0, {}});
}

}  // namespace xenrig::model
