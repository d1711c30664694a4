#include "sim/xenstore/order_trie.h"

#include "sim/xenstore/node.h"

namespace xenrig::xenstore {
namespace {

OrderBranch* branch_of(void* slot) { return static_cast<OrderBranch*>(slot); }
Node* node_of(void* slot) { return static_cast<Node*>(slot); }

std::uint32_t digit(std::uint32_t place, unsigned height) { return place >> (5 * height) & 31; }

bool reaches(const OrderBranch& root, std::uint32_t place) {
    const unsigned bits = 5 * (root.height + 1);
    return bits >= 32 || place >> bits == 0;
}

OrderBranch* make_branch(unsigned height) {
    auto* branch = new OrderBranch;
    branch->height = height;
    return branch;
}

/// A branch that nobody else refers to, in place of `branch`.
OrderBranch* own(OrderBranch* branch) {
    if (branch->refs == 1) return branch;
    auto* copy = new OrderBranch(*branch);
    copy->refs = 1;
    for (void* slot : copy->slots) {
        if (slot == nullptr) continue;
        if (copy->height == 0)
            ++node_of(slot)->refs;
        else
            ++branch_of(slot)->refs;
    }
    --branch->refs;
    return copy;
}

bool walk_branch(const OrderBranch& branch, std::uint64_t base, std::uint64_t offset,
                 const std::function<bool(const Node&, std::uint64_t)>& visit) {
    for (void* slot : branch.slots) {
        if (slot == nullptr) continue;
        const std::uint64_t bytes = branch.height == 0 ? node_of(slot)->name().size() + 1 : branch_of(slot)->bytes;
        if (base + bytes > offset) {
            const bool on =
                branch.height == 0 ? visit(*node_of(slot), base) : walk_branch(*branch_of(slot), base, offset, visit);
            if (!on) return false;
        }
        base += bytes;
    }
    return true;
}

}  // namespace

void OrderBranch::destroy(OrderBranch* branch) {
    for (void* slot : branch->slots) {
        if (slot == nullptr) continue;
        if (branch->height == 0)
            Ref<Node>::adopt(node_of(slot));
        else
            Ref<OrderBranch>::adopt(branch_of(slot));
    }
    delete branch;
}

const Node* OrderTrie::get(std::uint32_t place) const {
    const OrderBranch* branch = root_.get();
    if (branch == nullptr || !reaches(*branch, place)) return nullptr;
    for (;;) {
        void* slot = branch->slots[digit(place, branch->height)];
        if (slot == nullptr || branch->height == 0) return node_of(slot);
        branch = branch_of(slot);
    }
}

Ref<Node>* OrderTrie::edit(std::uint32_t place) {
    root_ = Ref<OrderBranch>::adopt(own(root_.release()));
    OrderBranch* branch = root_.get();
    while (branch->height != 0) {
        void*& slot = branch->slots[digit(place, branch->height)];
        slot = own(branch_of(slot));
        branch = branch_of(slot);
    }
    // A slot holds what a reference holds: one pointer and one count of its node.
    static_assert(sizeof(Ref<Node>) == sizeof(void*));
    auto* node = reinterpret_cast<Ref<Node>*>(&branch->slots[digit(place, 0)]);
    if (!node->unique()) *node = (*node)->clone();
    return node;
}

void OrderTrie::put(std::uint32_t place, Ref<Node> child) {
    const std::uint64_t bytes = child->name().size() + 1;
    if (!root_) root_ = Ref<OrderBranch>::adopt(make_branch(0));
    root_ = Ref<OrderBranch>::adopt(own(root_.release()));
    while (!reaches(*root_, place)) {
        OrderBranch* taller = make_branch(root_->height + 1);
        taller->count = root_->count;
        taller->bytes = root_->bytes;
        taller->slots[0] = root_.release();
        root_ = Ref<OrderBranch>::adopt(taller);
    }
    OrderBranch* branch = root_.get();
    for (;;) {
        branch->count += 1;
        branch->bytes += bytes;
        void*& slot = branch->slots[digit(place, branch->height)];
        if (branch->height == 0) {
            slot = child.release();
            return;
        }
        slot = slot == nullptr ? make_branch(branch->height - 1) : own(branch_of(slot));
        branch = branch_of(slot);
    }
}

Ref<Node> OrderTrie::erase(std::uint32_t place) {
    const std::uint64_t bytes = get(place)->name().size() + 1;
    root_ = Ref<OrderBranch>::adopt(own(root_.release()));
    OrderBranch* branch = root_.get();
    for (;;) {
        branch->count -= 1;
        branch->bytes -= bytes;
        void*& slot = branch->slots[digit(place, branch->height)];
        if (branch->height == 0) {
            auto taken = Ref<Node>::adopt(node_of(slot));
            slot = nullptr;
            if (root_->count == 0) root_ = {};
            return taken;
        }
        OrderBranch* below = own(branch_of(slot));
        slot = below;
        if (below->count == 1) {
            // The last child below: the branch goes with it.
            auto taken = Ref<Node>::adopt(const_cast<Node*>(get(place)));
            ++taken->refs;
            slot = nullptr;
            OrderBranch::destroy(below);
            if (root_->count == 0) root_ = {};
            return taken;
        }
        branch = below;
    }
}

bool OrderTrie::walk(std::uint64_t offset, const std::function<bool(const Node&, std::uint64_t)>& visit) const {
    return !root_ || walk_branch(*root_, 0, offset, visit);
}

}  // namespace xenrig::xenstore
