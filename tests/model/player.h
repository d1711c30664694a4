// Whoever plays the store's part in a conversation: the plain model, the store in process, or a daemon behind a socket.
#pragma once

#include <cstdint>
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

/// sim/xenstore, its streams and its rings. With live updates another daemon goes on from its state in the middle of
/// every third step; not while a domain dies, of which the next daemon would tell at its start.
std::unique_ptr<Player> store_in_process(Daemon daemon, bool live_updates = false);

/// A daemon that listens on a unix socket; null, and why, when nobody answers there. For dom0's sockets only, and one
/// request at a time.
std::unique_ptr<Player> daemon_behind(const std::string& socket, std::string& why);

/// Takes away what earlier conversations have left, so that two stores begin alike: nothing but /tool.
void sweep(Player& player);

}  // namespace xenrig::model
