// Replays a recorded conversation (fixtures/xenstore/conversations.jsonl) and tells where the answers differ.
//
// Sockets of the recording are streams in process, guests are ring pages. Order is compared within each connection.
#pragma once

#include <string>
#include <vector>

#include "sim/xenstore/personality.h"

namespace xenrig::xenstore::test {

struct Recorded {
    std::string group, name;
    std::string json;  ///< the whole line
};

std::vector<Recorded> recorded_conversations();

/// Empty when every answer is as recorded; otherwise a text that shows the first step that is not.
/// `exact` compares transaction ids and generation counts, too.
std::string replay(const Recorded& conversation, Personality personality, bool exact);

}  // namespace xenrig::xenstore::test
