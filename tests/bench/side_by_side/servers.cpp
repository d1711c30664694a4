#include "servers.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>

#include "sim/xenstore/socket/socket_door.h"

namespace xenrig::side_by_side {
namespace {

// A signal handler ends the servers, so they stand in a fixed place.
std::array<volatile pid_t, 16> running{};

void end_all() {
    for (const pid_t pid : running) {
        if (pid == 0) continue;
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
    }
}

void on_signal(int) {
    end_all();
    ::_exit(130);
}

void remember(pid_t pid) {
    for (const int signal : {SIGHUP, SIGINT, SIGPIPE, SIGTERM}) std::signal(signal, on_signal);
    for (auto& place : running) {
        if (place != 0) continue;
        place = pid;
        return;
    }
}

void forget(pid_t pid) {
    for (auto& place : running)
        if (place == pid) place = 0;
}

int unix_socket(const std::string& path, int (*attach)(int, const sockaddr*, socklen_t)) {
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (attach(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return socket;
    ::close(socket);
    return -1;
}

/// Waits until somebody answers there.
void wait_for(const std::string& path) {
    constexpr timespec kPause{0, 10'000'000};
    for (int i = 0; i < 1'000; ++i) {
        const int probe = unix_socket(path, ::connect);
        if (probe >= 0) {
            ::close(probe);
            return;
        }
        ::nanosleep(&kPause, nullptr);
    }
    die("nobody listens at " + path);
}

/// Serves one client.
void echo(int listener) {
    const int client = ::accept(listener, nullptr, nullptr);
    std::array<char, 65'536> bytes;
    for (;;) {
        const ssize_t n = ::recv(client, bytes.data(), bytes.size(), 0);
        if (n <= 0) return;
        ::send(client, bytes.data(), static_cast<std::size_t>(n), MSG_NOSIGNAL);
    }
}

/// A process that does `body` and ends when that, or its starter, does.
template <class Body>
pid_t start(const std::string& name, Body body) {
    const pid_t starter = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) die("no process for " + name);
    if (pid != 0) return pid;
    for (const int signal : {SIGHUP, SIGINT, SIGPIPE, SIGTERM}) std::signal(signal, SIG_DFL);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() == starter) body();
    ::_exit(1);
}

}  // namespace

void die(const std::string& why) {
    std::fprintf(stderr, "xenstore_socket_bench: %s\n", why.c_str());
    end_all();
    ::_exit(2);
}

Server::Server(std::string name, pid_t pid, std::string socket)
    : name_(std::move(name)), socket_(std::move(socket)), pid_(pid), clock_{} {
    remember(pid);
    if (::clock_getcpuclockid(pid, &clock_) != 0) die(name_ + " is not there");
}

Server::Server(Server&& other) noexcept
    : name_(std::move(other.name_)), socket_(std::move(other.socket_)), pid_(other.pid_), clock_(other.clock_) {
    other.pid_ = 0;
}

Server::~Server() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    forget(pid_);
}

std::uint64_t Server::cpu_ns() const {
    timespec t{};
    if (::clock_gettime(clock_, &t) != 0) die(name_ + " has gone");
    return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(t.tv_nsec);
}

std::uint64_t Server::resident_bytes() const {
    std::ifstream statm("/proc/" + std::to_string(pid_) + "/statm");
    std::uint64_t size = 0;
    std::uint64_t resident = 0;
    statm >> size >> resident;
    return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

Server start_store(const std::string& folder, xenstore::Personality personality) {
    const std::string name = personality == xenstore::Personality::c ? "xenrig" : "xenrig o";
    const std::string socket = folder + "/" + name;
    const pid_t pid = start(name, [&] { (void)xenstore::run_xenstored({.path = socket, .personality = personality}); });
    wait_for(socket);
    return {name, pid, socket};
}

Server start_echo(const std::string& folder) {
    const std::string socket = folder + "/echo";
    const int listener = unix_socket(socket, ::bind);
    if (listener < 0 || ::listen(listener, 1) != 0) die("no socket at " + socket);
    const pid_t pid = start("echo", [&] { echo(listener); });
    ::close(listener);
    return {"echo", pid, socket};
}

Server start_real(const std::string& program, const std::string& kind, const std::string& folder) {
    const std::string at = folder + "/" + kind;
    ::mkdir(at.c_str(), 0700);
    // What the program leaves behind becomes ours, to end and to collect.
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    const pid_t starter = ::fork();
    if (starter == 0) {
        ::execl(program.c_str(), program.c_str(), kind.c_str(), at.c_str(), nullptr);
        ::_exit(127);
    }
    int status = 0;
    if (starter < 0 || ::waitpid(starter, &status, 0) < 0 || status != 0) die(program + " " + kind + " failed");
    pid_t pid = 0;
    std::ifstream(at + "/pid") >> pid;
    if (pid <= 1) die(program + " left no number in " + at + "/pid");
    wait_for(at + "/socket");
    return {kind == "c" ? "C" : kind == "o" ? "oxenstored" : kind, pid, at + "/socket"};
}

}  // namespace xenrig::side_by_side
