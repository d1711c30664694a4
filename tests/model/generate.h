// Random conversations: every choice comes from the one source, so a seed is a conversation on every machine.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tests/model/conversation.h"

namespace xenrig::model {

struct Kinds {
    bool guests = true;      ///< rings, and domains that come and go
    bool pipelines = true;   ///< several requests at once
    bool malformed = true;   ///< payloads that are not what they should be
    bool only_4_17 = false;  ///< nothing that Xen 4.17 did not have yet
    bool transactions = true;
    bool live_updates = false;  ///< the store's state goes through a stream into another daemon now and then
    std::size_t steps = 300;
};

Conversation generate(std::uint64_t seed, const Kinds& kinds);

}  // namespace xenrig::model
