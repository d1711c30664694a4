// The door for real clients: the daemon behind a unix socket, as libxenstore and Debian's xenstore-utils expect it.
//
// Each client is dom0 and privileged; no domain exists, so INTRODUCE finds none. One thread, which blocks in the
// kernel when nobody has anything to say.
#pragma once

#include <string>

#include "sim/xenstore/personality.h"

namespace xenrig::xenstore {

struct SocketDoorConfig {
    std::string path;  ///< clients find it by XENSTORED_PATH
    Personality personality = Personality::c;
};

/// Serves until SIGINT or SIGTERM, then removes the socket. Returns the exit code of the program: 0, or 2 after a
/// sentence on stderr when the socket cannot be made or the personality is not there.
int run_xenstored(const SocketDoorConfig& config);

}  // namespace xenrig::xenstore
