// The servers that a comparison puts side by side: xenrig's store, an echo, and real xenstored daemons, each a process
// of its own behind a unix socket.
//
// All inherit the processor that their starter is pinned to, and end with it. What a server costs is the kernel's own
// account of its processor time, in nanoseconds; while its client runs on the same processor the account stands still.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "sim/xenstore/personality.h"

namespace xenrig::side_by_side {

/// Ends the program with a sentence on stderr, and all servers with it.
[[noreturn]] void die(const std::string& why);

class Server {
public:
    /// Takes charge of a running process that listens at `socket`.
    Server(std::string name, pid_t pid, std::string socket);
    Server(Server&& other) noexcept;
    Server& operator=(Server&&) = delete;
    ~Server();

    const std::string& name() const { return name_; }
    const std::string& socket() const { return socket_; }
    std::uint64_t cpu_ns() const;
    std::uint64_t resident_bytes() const;

private:
    std::string name_, socket_;
    pid_t pid_;
    clockid_t clock_;
};

/// xenrig's store.
Server start_store(const std::string& folder, xenstore::Personality personality);
/// Reads what there is of one client's bytes and sends them back: what the socket itself costs.
Server start_echo(const std::string& folder);
/// A real daemon, by `PROGRAM KIND FOLDER`: it starts one, returns when FOLDER/socket is there, and leaves the
/// process's number in FOLDER/pid.
Server start_real(const std::string& program, const std::string& kind, const std::string& folder);

}  // namespace xenrig::side_by_side
