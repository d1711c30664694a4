// Two players in one conversation: where they first hear different things, and the smallest conversation that shows it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "tests/model/player.h"

namespace xenrig::model {

struct Difference {
    std::size_t step = 0;  ///< the last of the conversation that was played
    Heard expected, heard;
};

/// Plays the conversation to the plain model and to `player`. Requests of a connection that is not there are left out.
/// `same_generations`: the player's are compared, too; a daemon that went on from another's state has its own.
std::optional<Difference> differs_from_model(const Conversation& conversation, Player& player,
                                             bool same_generations = true);
/// The same with another player in the model's place; both are swept first, and the generations that each of them
/// counts are not compared.
std::optional<Difference> differ(const Conversation& conversation, Player& reference, Player& player);

/// Whether a conversation still fails, played to fresh stores.
using Fails = std::function<bool(const Conversation&)>;

/// Leaves out steps, requests that go out together, characters of payloads and transactions as long as it still fails:
/// from big pieces to small ones, until nothing more can go.
Conversation shrink(Conversation failing, const Fails& fails);

/// The conversation and what was heard at its end, for people.
std::string report(const Conversation& conversation, const Difference& difference);

}  // namespace xenrig::model
