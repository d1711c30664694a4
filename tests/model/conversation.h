// A conversation with a xenstore: what clients and guests send, step by step, and what each of them hears.
//
// It is the format of fixtures/xenstore: connections A, A2, ... are dom0's sockets, d1, d2, ... are the rings of
// guests; a step is one request, several at once, or something that happens to a connection or a domain. A transaction
// goes by the name that its start was given, so a conversation stays one when steps are left out.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace xenrig::model {

// Operations of Xen's head that libxen-dev's header does not have yet.
inline constexpr std::uint32_t kGetFeature = 23, kSetFeature = 24, kGetQuota = 25, kSetQuota = 26;

struct Request {
    std::uint32_t type = 0;
    std::string payload;
    std::string transaction;  ///< a name; empty for none
    std::string save;         ///< a start: the name of what it begins
};

struct Step {
    enum class Kind : std::uint8_t { requests, open, close, exist, dying, shutdown } kind = Kind::requests;
    std::string connection;
    std::uint16_t domain = 0;  ///< of exist, dying, shutdown
    std::vector<Request> requests;
};

using Conversation = std::vector<Step>;

/// A name that no start has given stands for this id, which no transaction has.
inline constexpr std::uint32_t kNoTransaction = 4'000'000;

struct Message {
    std::uint32_t type = 0;
    std::string payload;
    bool late = false;  ///< an answer to another request than the oldest unanswered one, or for another transaction

    friend bool operator==(const Message&, const Message&) = default;
};

/// What each connection heard in one step, in order.
using Heard = std::map<std::string, std::vector<Message>>;

bool is_ring(const std::string& connection);
/// Of "d7": 7.
std::uint16_t domain_of(const std::string& ring);

/// The text of an operation's number: "WRITE", or "op 99".
std::string name_of(std::uint32_t type);
/// A payload with `|` for its nuls, cut when it is long.
std::string printable(const std::string& payload);
std::string show(const Step& step);
std::string show(const Heard& heard);
std::string show(const Conversation& conversation);

}  // namespace xenrig::model
