// A transaction of oxenstored: it works on a snapshot, and its end merges what it did into the live store.
//
// If nothing has changed meanwhile, the snapshot becomes the live version. Otherwise the lowest common ancestor of what
// was read, and of what was written, must be the same node still; then that subtree is put in. Otherwise the requests
// are done once more on the live version and must bring the same answers (transaction.ml; process.ml,
// transaction_replay).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/xenstore/oxenstored/version.h"

namespace xenrig::xenstore::oxen {

enum class Change : std::uint8_t { write, rm, set_perms };

/// A change whose watchers are told at the end.
struct Changed {
    Change what;
    std::string path;
};

/// What a request answers: an acknowledgement, a payload or an error.
struct Response {
    enum class Kind : std::uint8_t { ack, reply, error } kind = Kind::ack;
    std::string payload;

    friend bool operator==(const Response&, const Response&) = default;
};

struct Operation {
    std::uint32_t type;
    std::string payload;
    Response response;
};

/// What a request works on and what it leaves behind: one for each transaction, and a short one for each request
/// outside of any.
struct Work {
    Work(std::uint32_t number, Version on) : id(number), version(on), before(on.tree) {}

    Outcome<> write(const Identity& who, std::string_view path, std::string_view value);
    Outcome<> mkdir(const Identity& who, std::string_view path, bool tells);
    Outcome<> rm(const Identity& who, std::string_view path);
    Outcome<> set_perms(const Identity& who, std::string_view path, const Perms& perms);
    void note_read(std::string_view path);

    const std::uint32_t id;  ///< 0 outside of transactions
    Version version;
    const Tree before;
    std::vector<Changed> changes;
    std::optional<std::string> lowest_read, lowest_written;

private:
    void note_written(std::string_view path);
};

struct Transaction {
    Transaction(std::uint32_t number, const Version& live)
        : tree(live.tree), counts(live.counts), counts_before(live.counts), work(number, Version(tree, counts)) {}
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;

    /// True when the live version now holds what the transaction did.
    bool merge(Version& live) const;

    Tree tree;
    NodeCounts counts;
    const NodeCounts counts_before;
    Work work;  ///< on this tree and these counts
    std::vector<Operation> operations;
    bool restored = false;  ///< what it did was with another daemon
};

}  // namespace xenrig::xenstore::oxen
