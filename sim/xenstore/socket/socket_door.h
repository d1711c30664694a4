// The door for real clients: the daemon behind a unix socket, as libxenstore and Debian's xenstore-utils expect it.
//
// Each client is dom0 and privileged; no domain exists, so INTRODUCE finds none. One thread, which blocks in the
// kernel when nobody has anything to say. A client costs one descriptor: the soft limit is raised to the hard one, and
// who comes when there are no more waits until somebody has left.
#pragma once

#include <functional>
#include <string>

#include "sim/xenstore/personality.h"
#include "xenrig/abi/error.h"

namespace xenrig::xenstore {

struct StateImage;

struct SocketDoorConfig {
    std::string path;  ///< clients find it by XENSTORED_PATH
    Personality personality = Personality::c;
    /// What the store begins with; null for what xenstored begins with. Clients of its sockets are long gone.
    const StateImage* restore = nullptr;
    /// Called once, when clients may connect.
    std::function<void()> ready;
    /// Called at the end, when all clients have been hung up on, with what is in the store then.
    std::function<void(const StateImage&)> dump;
};

/// Serves until SIGINT, SIGTERM or SIGHUP, then removes the socket. An error, with a sentence that says what to do,
/// when the socket can't be made (socket_file.h) or `restore` is a part of a state (EINVAL). CONTROL live-update hands
/// the state to a fresh daemon, which goes on with the same clients.
Result<> run_xenstored(const SocketDoorConfig& config);

}  // namespace xenrig::xenstore
