// A conversation in the format of fixtures/xenstore, so that what was found can become a fixture.
#pragma once

#include <string>

#include "tests/model/player.h"

namespace xenrig::model {

/// One line of JSON. `expected` plays the conversation for the answers, which go under `column`: "h" or "o".
std::string to_json(const Conversation& conversation, Player& expected, const std::string& name,
                    const std::string& column);

/// The requests of one recorded conversation (a line of conversations.jsonl); steps that a model does not have are
/// left out.
Conversation from_json(const std::string& line);

}  // namespace xenrig::model
