// One seed: its conversation, played to the store in process and to the plain model; what differs is made small.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tests/model/conversation.h"
#include "tests/model/generate.h"

namespace xenrig::model {

struct Found {
    Conversation smallest;
    std::string text;  ///< the seed, the conversation and what was heard, for people, and a line of JSON
};

std::optional<Found> try_seed(std::uint64_t seed, const Kinds& kinds);

}  // namespace xenrig::model
