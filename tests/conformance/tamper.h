// A driver that keeps every clause, made wrong from outside: what it reads, writes, maps and sends passes through here
// and is changed on the way. A flaw is the few hooks that it sets; a hook that is not set changes nothing.
//
// The hooks see what a peer sees: nodes by their name below the device ("ring-ref", "queue-0/ring-ref"), messages of
// the native layout, the four words of a ring. They run in the subject's tasks.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "sim/conformance/check.h"
#include "sim/conformance/subject.h"
#include "sim/protocols/blk/raw_ring.h"

namespace xenrig::conformance {

/// What is accessed, shared or mapped: a ring, or pages of requests.
enum class Of : std::uint8_t { neither, ring, data };

/// A ring's words as its subject last read or wrote them.
struct Words {
    unsigned number = 0;  ///< of the ring, from 0
    std::uint32_t size = 0;
    std::uint32_t req_prod = 0, req_event = 0, rsp_prod = 0, rsp_event = 0;
    /// It has asked for an event and not looked since: the next look is the final check.
    bool asked = false;
};

struct Tamper {
    using Word = blk::RawRing::Word;
    using Text = std::optional<std::string>;

    // The store. Nothing: a node that is not there, a write that is left out.
    /// `own`: a node of the subject's own directory.
    std::function<Text(const std::string& name, Text value, bool own)> reads = {};
    std::function<Text(const std::string& name, std::string value)> writes = {};
    /// Nodes that are written only when all others of their transaction are there for everybody to see.
    std::set<std::string> late = {};
    /// Looked up and thrown away whenever a node of the peer's is read.
    std::string also_reads = {};

    // The ring.
    std::function<void(blkif_request_t&)> takes_request = {}, puts_request = {};
    std::function<void(blkif_response_t&)> takes_response = {}, puts_response = {};
    std::function<std::optional<std::uint32_t>(const Words&, Word, std::uint32_t)> stores_word = {};
    std::function<std::uint32_t(const Words&, Word, std::uint32_t)> loads_word = {};
    /// A message is written after the index that covers it.
    bool index_first = false;
    /// Each message is read twice, its id the first time.
    bool fetches_twice = false;
    /// A list of indirect segments is read twice, and counts as it was the second time.
    bool fetches_lists_twice = false;
    /// No barrier stands between a message and its index: not the write barrier, and no lock that would do for it.
    bool without_write_barrier = false;
    /// No barrier stands between an index and the message that is loaded after it.
    bool without_read_barrier = false;
    /// No full barrier follows the store of these.
    std::set<Word> without_barrier_after = {};
    /// Before each store of a word a byte of the header's padding is counted up.
    bool scribbles = false;

    // Pages and events.
    std::function<Access(Of, Access)> grants = {}, maps = {};
    std::set<Of> never_ends = {}, never_unmaps = {};
    /// True: this event is not sent.
    std::function<bool()> without_event = {};
    /// An event comes. True: it is not heard.
    std::function<bool()> deaf = {};
    bool never_closes_port = false;
    /// What is copied to or from pages of requests.
    std::function<void(std::span<std::byte>)> loads_data = {}, stores_data = {};

    // A backend's disk. True: it was not asked, and success is told.
    std::function<bool(blk::StorageOp&)> storage = {};
    std::function<void(blk::StorageInfo&)> disk = {};

    // What a frontend's users ask and hear.
    std::function<void(UserTransfer&)> asked = {};
    std::function<Result<>(Result<>)> told = {};
    std::function<void(DiskSeen&)> seen = {};
};

/// Both ends; each subject has a Tamper of its own.
Subjects tampered(const Subjects& inner, Tamper (*tamper)());

}  // namespace xenrig::conformance
