// Whoever plays the store's part in a conversation: the plain model, the store in process, or a daemon behind a socket.
#pragma once

#include <memory>
#include <string>

#include "tests/model/conversation.h"

namespace xenrig::model {

class Player {
public:
    virtual ~Player() = default;
    /// What everybody hears until nothing moves any more. A transaction's id is "(id)".
    virtual Heard run(const Step& step) = 0;
};

enum class Daemon : std::uint8_t { c, o };

/// sim/xenstore, its streams and its rings.
std::unique_ptr<Player> store_in_process(Daemon daemon);

/// A daemon that listens on a unix socket, swept clean first; null, and why, when nobody answers there. Dom0's sockets
/// only: steps of guests and domains are left out, and of DIRECTORY_PART's answers the generation is.
std::unique_ptr<Player> daemon_behind(const std::string& socket, std::string& why);

}  // namespace xenrig::model
