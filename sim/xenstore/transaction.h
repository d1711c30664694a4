// A transaction of C xenstored: a private copy of each node at the moment when it is first looked at.
//
// Nothing is held still: a node that the transaction has not yet seen may change outside. At the end every node that it
// saw must still have the generation that it had then, or the transaction fails with EAGAIN; nodes that were only read
// count, and so do nodes that were missing (transaction.c).
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sim/xenstore/tree.h"
#include "sim/xenstore/watches.h"

namespace xenrig::xenstore {

/// The generation of a node that is not there.
inline constexpr std::uint64_t kNoGeneration = UINT64_MAX;

struct ChildChange {
    bool added = false;  ///< or removed
    std::string name;
};

struct Accessed {
    std::string path;
    std::uint64_t base_generation = kNoGeneration;  ///< what it was when it was first looked at
    Perms base_perms;                               ///< null when the node was missing
    Ref<Node> node;                                 ///< as the transaction sees it; null when it is missing
    bool modified = false;
    bool applied = false;  ///< the end has come to it
    std::optional<Match> event;
    std::vector<ChildChange> children;
};

class Transaction {
public:
    Transaction(std::uint32_t number, std::uint64_t began) : id(number), generation(began) {}

    Accessed* find(std::string_view path);
    Accessed& add(std::string_view path);
    std::deque<Accessed>& accessed() { return accessed_; }
    /// An event for the end; one for the subtree takes the place of an exact one.
    void queue_event(std::string_view path, Match match);
    void count_node(std::uint32_t owner, int change);
    const std::vector<std::pair<std::uint32_t, int>>& node_changes() const { return node_changes_; }

    const std::uint32_t id;
    const std::uint64_t generation;
    bool node_created = false;
    /// Some operation failed halfway, so the end will, too.
    bool failed = false;
    /// It was begun under an earlier daemon, whose copies are gone: it ends with EAGAIN.
    bool restored = false;

private:
    struct Hash {
        std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
    };
    std::deque<Accessed> accessed_;
    std::unordered_map<std::string_view, Accessed*, Hash> by_path_;  ///< once there are many
    std::vector<std::pair<std::uint32_t, int>> node_changes_;
};

}  // namespace xenrig::xenstore
