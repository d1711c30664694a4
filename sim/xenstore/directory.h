// The children of a node, in the order in which they were created.
//
// Up to 24 of them lie in one array. More go into two tries: one by place in the order, which also sums the names'
// bytes, so that DIRECTORY_PART finds an offset in a list of a million names at once; and one by the hash of the name.
// Tries and arrays are shared between versions and copied piecewise, where a change goes through.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "sim/xenstore/ref.h"

namespace xenrig::xenstore {

class Node;
struct DirectoryBlock;

class Directory {
public:
    Directory();
    Directory(const Directory&);
    Directory(Directory&&) noexcept;
    Directory& operator=(Directory) noexcept;
    ~Directory();

    std::size_t count() const;
    /// Bytes of all names, each with its nul: the length of DIRECTORY's answer.
    std::size_t bytes() const;
    bool empty() const { return !block_; }

    const Node* find(std::string_view name, std::uint32_t hash) const;
    /// The child, alone in this version: it may be changed in place, and replaced by another node of the same name.
    /// Null when there is none.
    Ref<Node>* edit(std::string_view name, std::uint32_t hash);
    /// Puts `child` last. There is no child of that name yet.
    void append(Ref<Node> child);
    /// Takes the child out; null when there was none.
    Ref<Node> erase(std::string_view name, std::uint32_t hash);

    /// Calls `visit` for each child in order, until it returns false.
    void for_each(const std::function<bool(const Node&)>& visit) const;
    /// Appends names with their nuls, from byte `offset` of the list, as long as the next one leaves `out` shorter
    /// than `limit`. Returns true when the end of the list was reached.
    bool append_names(std::string& out, std::size_t offset, std::size_t limit) const;

private:
    Ref<DirectoryBlock> block_;
};

}  // namespace xenrig::xenstore
