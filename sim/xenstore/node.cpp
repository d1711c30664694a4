#include "sim/xenstore/node.h"

#include <cstring>
#include <new>

#include "xenrig/abi/check.h"

namespace xenrig::xenstore {

std::uint32_t hash_name(std::string_view name) {
    constexpr std::uint64_t kMultiplier = 0x9E37'79B9'7F4A'7C15;
    const char* at = name.data();
    std::size_t left = name.size();
    std::uint64_t h = left * kMultiplier;
    const auto mix = [&h](std::uint64_t piece) {
        h = (h ^ piece) * kMultiplier;
        h ^= h >> 32;
    };
    for (; left >= 8; at += 8, left -= 8) {
        std::uint64_t piece;
        std::memcpy(&piece, at, 8);
        mix(piece);
    }
    std::uint64_t rest = 0;
    for (std::size_t i = 0; i < left; ++i) rest |= std::uint64_t{static_cast<unsigned char>(at[i])} << (8 * i);
    mix(rest);
    return static_cast<std::uint32_t>(h ^ h >> 29);
}

Ref<Node> Node::allocate(std::string_view name, std::uint32_t hash, std::string_view value) {
    check(name.size() <= UINT16_MAX && value.size() <= UINT16_MAX, "the wire bounds a name and a value");
    // What malloc would round up to anyway is room for a longer value.
    const std::size_t size = ((sizeof(Node) + name.size() + value.size() + 8 + 15) & ~std::size_t{15}) - 8;
    Node* node = new (::operator new(size)) Node;
    node->name_hash_ = hash;
    node->name_length_ = static_cast<std::uint16_t>(name.size());
    node->value_length_ = static_cast<std::uint16_t>(value.size());
    node->capacity_ = static_cast<std::uint32_t>(size - sizeof(Node));
    std::memcpy(node->bytes(), name.data(), name.size());
    if (!value.empty()) std::memcpy(node->bytes() + name.size(), value.data(), value.size());
    return Ref<Node>::adopt(node);
}

Ref<Node> Node::make(std::string_view name, std::string_view value, Perms perms) {
    Ref<Node> node = allocate(name, hash_name(name), value);
    node->perms = std::move(perms);
    return node;
}

Ref<Node> Node::clone() const {
    Ref<Node> copy = allocate(name(), name_hash_, value());
    copy->generation = generation;
    copy->perms = perms;
    copy->children = children;
    return copy;
}

Ref<Node> Node::share() const {
    auto* self = const_cast<Node*>(this);
    ++self->refs;
    return Ref<Node>::adopt(self);
}

void Node::destroy(Node* node) {
    // A tree may be as deep as a path is long, and a fiber's stack is small: no recursion.
    static thread_local std::vector<Node*>* waiting = nullptr;
    if (waiting != nullptr) {
        waiting->push_back(node);
        return;
    }
    std::vector<Node*> nodes{node};
    waiting = &nodes;
    while (!nodes.empty()) {
        Node* next = nodes.back();
        nodes.pop_back();
        next->~Node();
        ::operator delete(static_cast<void*>(next));
    }
    waiting = nullptr;
}

void Node::set_value(Ref<Node>& node, std::string_view value) {
    check(node.unique(), "a node is changed by whoever holds it alone");
    if (node->name_length_ + value.size() <= node->capacity_) {
        if (!value.empty()) std::memcpy(node->bytes() + node->name_length_, value.data(), value.size());
        node->value_length_ = static_cast<std::uint16_t>(value.size());
        return;
    }
    Ref<Node> larger = allocate(node->name(), node->name_hash_, value);
    larger->generation = node->generation;
    larger->perms = std::move(node->perms);
    larger->children = std::move(node->children);
    node = std::move(larger);
}

std::size_t Node::charged_size() const {
    constexpr std::size_t kHeader = 16;
    constexpr std::size_t kPerm = 8;
    return kHeader + perms->entries().size() * kPerm + value_length_ + children.bytes();
}

std::vector<const Node*> children_of(const Node& node) {
    std::vector<const Node*> children;
    children.reserve(node.children.count());
    node.children.for_each([&](const Node& child) {
        children.push_back(&child);
        return true;
    });
    return children;
}

}  // namespace xenrig::xenstore
