// One node of the tree: its name, value, permissions, generation and children, in one piece of memory.
//
// A node that more than one version of the tree refers to never changes; who holds it alone may change it in place
// (ref.h). The generation counts up with every change of the value, the permissions or the list of children's names,
// and with nothing else: it is what transactions compare and what DIRECTORY_PART shows.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "sim/xenstore/directory.h"
#include "sim/xenstore/perms.h"
#include "sim/xenstore/ref.h"

namespace xenrig::xenstore {

class Node {
public:
    unsigned refs = 1;
    static void destroy(Node* node);

    static Ref<Node> make(std::string_view name, std::string_view value, Perms perms);
    /// A node of its own for the caller; children and permissions stay shared.
    Ref<Node> clone() const;
    /// One more reference to this very node.
    Ref<Node> share() const;

    std::string_view name() const { return {bytes(), name_length_}; }
    std::uint32_t name_hash() const { return name_hash_; }
    std::string_view value() const { return {bytes() + name_length_, value_length_}; }

    std::uint64_t generation = 0;
    Perms perms;
    Directory children;

    /// Puts another value into `node`, in place where it fits. The caller holds the only reference.
    static void set_value(Ref<Node>& node, std::string_view value);

    /// Bytes that the daemon charges the owner, without the path: header, permissions, value and children's names.
    std::size_t charged_size() const;

private:
    Node() = default;
    const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }
    char* bytes() { return reinterpret_cast<char*>(this + 1); }
    static Ref<Node> allocate(std::string_view name, std::uint32_t hash, std::string_view value);

    std::uint32_t name_hash_ = 0;
    std::uint16_t name_length_ = 0;
    std::uint16_t value_length_ = 0;
    std::uint32_t capacity_ = 0;  ///< bytes behind the header
};

/// The children of a node in their order, as a list that stays as it is while they are removed.
std::vector<const Node*> children_of(const Node& node);

/// Equal on every machine; only ever used to find a name, never to order anything.
std::uint32_t hash_name(std::string_view name);

}  // namespace xenrig::xenstore
