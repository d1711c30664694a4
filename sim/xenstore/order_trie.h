// A directory's children by their place in the order of creation: a trie over a 32-bit place, 32 ways at each level.
//
// Each branch knows how many children lie below it and how many bytes their names take, so an offset in the list of
// names is found from the top down. Places grow for ever; the branches of removed children disappear.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "sim/xenstore/ref.h"

namespace xenrig::xenstore {

class Node;

struct OrderBranch {
    unsigned refs = 1;
    unsigned height = 0;  ///< 0: the slots are nodes
    std::uint32_t count = 0;
    std::uint64_t bytes = 0;
    std::array<void*, 32> slots{};

    static void destroy(OrderBranch* branch);
};

class OrderTrie {
public:
    const Node* get(std::uint32_t place) const;
    /// The child at `place`, which is taken, alone in this version.
    Ref<Node>* edit(std::uint32_t place);
    void put(std::uint32_t place, Ref<Node> child);
    Ref<Node> erase(std::uint32_t place);

    std::uint32_t count() const { return root_ ? root_->count : 0; }
    std::uint64_t bytes() const { return root_ ? root_->bytes : 0; }

    /// Calls visit(child, offset of its name in the list) in order, from the child that holds byte `offset`, until
    /// visit returns false. Returns true when the end was reached.
    bool walk(std::uint64_t offset, const std::function<bool(const Node&, std::uint64_t)>& visit) const;

private:
    Ref<OrderBranch> root_;
};

}  // namespace xenrig::xenstore
