// The tree of nodes as a value: copying it is a snapshot and costs the same whatever its size.
//
// Two versions share every part in which they are equal. A change goes down from the root and copies what it passes
// through only where another version still refers to it; with no snapshot about, nothing is copied. Paths are absolute
// and canonical ("/", "/local/domain/0"); the two special nodes, @introduceDomain and @releaseDomain, have permissions
// and a generation only, and stand beside the root.
#pragma once

#include <cstdint>
#include <string_view>

#include "sim/xenstore/node.h"

namespace xenrig::xenstore {

class Tree {
public:
    /// A root without children, owned by domain 0 and readable by nobody else.
    Tree();

    /// Null when there is none.
    const Node* find(std::string_view path) const;
    /// The node, which exists, alone in this version: change it through Node's functions.
    Ref<Node>& edit(std::string_view path);
    /// Makes a child, which must not exist, of the node at `parent`, which must.
    Ref<Node>& create(std::string_view parent, std::string_view name, std::string_view value, Perms perms);
    /// Takes a node and all that is below out of the tree; null when there is none. Not the root.
    Ref<Node> erase(std::string_view path);

    const Node& root() const { return *root_; }
    /// The root as a reference: two trees whose roots are the same object are equal.
    const Ref<Node>& root_ref() const { return root_; }

private:
    Ref<Node> root_;
    Ref<Node> introduce_domain_;
    Ref<Node> release_domain_;
};

inline constexpr std::string_view kIntroduceDomain = "@introduceDomain";
inline constexpr std::string_view kReleaseDomain = "@releaseDomain";

}  // namespace xenrig::xenstore
