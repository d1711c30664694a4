// The store as oxenstored sees it at one moment, and what its operations do to it (store.ml, perms.ml, quota.ml).
//
// A version is a tree and a count of each owner's nodes; both are values, so a transaction's version is a copy. Special
// nodes are children of the root. A new node has its parent's permissions, owner and all.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "sim/xenstore/oxenstored/text.h"
#include "sim/xenstore/tree.h"

namespace xenrig::xenstore::oxen {

/// Limits of oxenstored.conf. A domain may reach them; values and paths are limited for dom0, too.
struct Limits {
    int nodes = 1000;
    std::size_t value = 2048;
    std::size_t watches = 101;
    std::size_t transactions = 11;
    std::size_t requests = 1024;  ///< in one transaction
};

/// Whose rights a request has: its domain's, and those of the domain that it is the device model of.
struct Identity {
    std::uint32_t domain = 0;
    std::optional<std::uint32_t> target;

    bool is(std::uint32_t id) const { return domain == id || target == id; }
    bool dom0() const { return is(0); }
    bool may(std::uint8_t access, const Perms& perms) const;
};

using NodeCounts = std::map<std::uint32_t, int>;

/// One version to work on: the live one, or a transaction's.
class Version {
public:
    Version(Tree& of, NodeCounts& counted) : tree(of), counts(counted) {}

    Outcome<std::string_view> read(const Identity& who, std::string_view path) const;
    /// The names of the children in the order of the alphabet, each with its nul.
    Outcome<std::string> directory(const Identity& who, std::string_view path) const;
    Outcome<Perms> perms(const Identity& who, std::string_view path) const;

    Outcome<> write(const Identity& who, std::string_view path, std::string_view value);
    /// EEXIST when it is there already.
    Outcome<> mkdir(const Identity& who, std::string_view path);
    /// Nothing, or false for a node that is missing below a parent that is there.
    Outcome<bool> rm(const Identity& who, std::string_view path);
    Outcome<> set_perms(const Identity& who, std::string_view path, const Perms& perms);
    /// A domain is gone: its nodes with all that is below go, and its entries in permissions. A root that was its
    /// own becomes nobody's, with the entries that it has.
    void forget_domain(std::uint32_t domain);

    Tree& tree;
    NodeCounts& counts;

private:
    Outcome<const Node*> reach(const Identity& who, std::string_view path, std::uint8_t access) const;
    /// Counts `path` and all below it out.
    void count_out(const Node& node);
    void count(std::uint32_t owner, int change);
    Outcome<> check_room(const Identity& who, const Node& parent) const;
    void forget_entries(const Node& node, std::string_view path, std::uint32_t domain);
    void forget_below(const Node& node, const std::string& path, std::uint32_t domain);
};

/// Owns the root when its owner is gone: -1.
inline constexpr std::uint32_t kNobody = UINT32_MAX;

inline constexpr Limits kLimits{};

}  // namespace xenrig::xenstore::oxen
