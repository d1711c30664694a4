// Replays a recorded conversation (fixtures/xenstore/conversations.jsonl) and tells where the answers differ.
//
// Where it is played is a stage: a daemon in process, whose guests are ring pages, or one behind a unix socket. Order
// is compared within each connection.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sim/xenstore/personality.h"
#include "tests/unit/xenstore/host.h"

namespace xenrig::xenstore::test {

struct Recorded {
    std::string group, name;
    bool guests = false;  ///< it needs domains with rings
    std::string json;     ///< the whole line
};

std::vector<Recorded> recorded_conversations();

/// A fresh daemon and its connections, by the recording's names: A, A2, ... are sockets, d1, d2, ... rings.
class Stage {
public:
    virtual ~Stage() = default;
    virtual void open(const std::string& connection) = 0;
    virtual void close(const std::string& connection) = 0;
    virtual void send(const std::string& connection, const std::string& bytes) = 0;
    /// What Xen says of a domain from now on.
    virtual void set_state(std::uint16_t domain, DomainState state) = 0;
    /// Until nothing moves any more.
    virtual void settle() = 0;
    virtual std::vector<Seen> take(const std::string& connection) = 0;
    virtual bool has_hung_up(const std::string& connection) = 0;
};

std::unique_ptr<Stage> stage_in_process(Personality personality);

/// Empty when every answer is as recorded; otherwise a text that shows the first step that is not.
/// `exact` compares transaction ids and generation counts, too.
std::string replay(const Recorded& conversation, Stage& stage, Personality personality, bool exact);

}  // namespace xenrig::xenstore::test
