// `xenrig xenstored` as a child process, and sockets that say to it whatever bytes a test likes.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/scratch/scratch_folder.h"
#include "tests/unit/xenstore/host.h"

namespace xenrig::xenstore::test {

/// How long an answer may take before it is taken for none: only a failing test waits so long.
inline constexpr int kPatienceMs = 20'000;

/// A client's end of a connection.
class RawClient {
public:
    explicit RawClient(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
        std::memcpy(address.sun_path, path.data(), path.size());
        if (fd_ >= 0 && ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) hang_up();
    }
    RawClient(RawClient&& other) noexcept : fd_(std::exchange(other.fd_, -1)), received_(std::move(other.received_)) {}
    RawClient& operator=(RawClient&&) = delete;
    ~RawClient() { hang_up(); }

    bool connected() const { return fd_ >= 0; }
    int descriptor() const { return fd_; }
    void hang_up() {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }

    /// False when the daemon has hung up.
    bool send(std::string_view bytes) const {
        while (!bytes.empty()) {
            const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
        return true;
    }
    /// As much as goes without waiting for the daemon; how many bytes that was.
    std::size_t send_some(std::string_view bytes) const {
        const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        return n > 0 ? static_cast<std::size_t>(n) : 0;
    }

    /// Waits until something has come; false at the end of the connection, or of all patience.
    bool receive() {
        pollfd waited{.fd = fd_, .events = POLLIN, .revents = 0};
        if (::poll(&waited, 1, kPatienceMs) <= 0) return false;
        char bytes[65'536];
        const ssize_t n = ::recv(fd_, bytes, sizeof bytes, 0);
        if (n <= 0) {
            ended_ = true;
            return false;
        }
        received_.append(bytes, static_cast<std::size_t>(n));
        return true;
    }
    /// The daemon has hung up, and all that came before has been received.
    bool ended() const { return ended_; }
    /// What has been received, as far as messages are whole.
    std::vector<Seen> take() { return take_messages(received_); }
    /// Something has come that was not looked at yet.
    bool has_more() const {
        pollfd waited{.fd = fd_, .events = POLLIN, .revents = 0};
        return !inbox_.empty() || ::poll(&waited, 1, 0) > 0;
    }

    /// The next message; of type XS_INVALID when there is none.
    Seen next() {
        while (inbox_.empty()) {
            inbox_ = take_messages(received_);
            if (inbox_.empty() && !receive()) return {.type = XS_INVALID, .payload = "nothing came"};
        }
        const Seen first = std::move(inbox_.front());
        inbox_.erase(inbox_.begin());
        return first;
    }
    /// The payload of the answer, an error's too.
    std::string ask(std::uint32_t type, std::string_view payload, std::uint32_t tx = 0) {
        return send(message(type, 1, tx, payload)) ? next().payload : "the daemon has hung up";
    }
    /// Whether the daemon has hung up, or does so now.
    bool is_hung_up_on() {
        while (receive()) {
        }
        return ended_;
    }

private:
    int fd_;
    bool ended_ = false;
    std::string received_;
    std::vector<Seen> inbox_;
};

class Served {
public:
    /// `descriptors`: of its limit, when that is not ours. `options` go to the command.
    explicit Served(char personality, int descriptors = 0, const std::string& options = "") {
        int said[2];
        if (::pipe2(said, O_CLOEXEC) != 0) return;
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, said[1], STDOUT_FILENO);
        const std::string limit = descriptors == 0 ? "" : "ulimit -n " + std::to_string(descriptors) + "; ";
        const std::string line = limit + "exec " XENRIG_PROGRAM " xenstored --socket " + path_ + " --personality " +
                                 personality + " " + options;
        const char* const argv[] = {"sh", "-c", line.c_str(), nullptr};
        if (posix_spawn(&pid_, "/bin/sh", &actions, nullptr, const_cast<char**>(argv), environ) != 0) pid_ = -1;
        posix_spawn_file_actions_destroy(&actions);
        ::close(said[1]);
        // It is up when it says so; the pipe ends when it could not.
        char byte = 0;
        while (::read(said[0], &byte, 1) == 1 && byte != '\n') {
        }
        ::close(said[0]);
    }
    Served(const Served&) = delete;
    Served& operator=(const Served&) = delete;
    ~Served() { (void)stop(); }

    /// Its exit code, or -1 when it died of something else.
    int stop() {
        if (pid_ <= 0) return -1;
        ::kill(pid_, SIGTERM);
        int status = 0;
        ::waitpid(std::exchange(pid_, -1), &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }

    const std::string& path() const { return path_; }
    RawClient connect() const { return RawClient(path_); }

    std::size_t descriptors() const {
        return static_cast<std::size_t>(
            std::distance(std::filesystem::directory_iterator(proc("fd")), std::filesystem::directory_iterator()));
    }
    std::size_t resident_bytes() const {
        std::size_t total = 0, resident = 0;
        std::ifstream(proc("statm")) >> total >> resident;
        return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    }
    /// It waits in the kernel: neither at work nor about to be.
    bool sleeps() const {
        std::ifstream in(proc("stat"));
        std::string text{std::istreambuf_iterator<char>(in), {}};
        const auto name_end = text.rfind(')');
        return name_end != std::string::npos && text.compare(name_end, 3, ") S") == 0;
    }

private:
    std::string proc(const char* what) const { return "/proc/" + std::to_string(pid_) + "/" + what; }

    ::xenrig::test::ScratchFolder folder_;
    std::string path_ = folder_ / "socket";
    pid_t pid_ = -1;
};

}  // namespace xenrig::xenstore::test
