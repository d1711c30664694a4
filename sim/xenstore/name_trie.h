// A directory's children by name: a trie over the name's 32-bit hash, whose entries are places in the order
// (order_trie.h).
//
// Names of equal hash share a bucket at the bottom and are told apart by their bytes. The order of the hashes is never
// visible: nothing walks this trie.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "sim/xenstore/ref.h"

namespace xenrig::xenstore {

class OrderTrie;

struct NameBranch {
    unsigned refs = 1;
    std::uint32_t count = 0;   ///< entries behind the header
    std::uint32_t used = 0;    ///< which of the 32 ways have an entry; unused in a bucket
    std::uint32_t deeper = 0;  ///< which of those are branches

    std::uint64_t* entries() { return reinterpret_cast<std::uint64_t*>(this + 1); }
    const std::uint64_t* entries() const { return reinterpret_cast<const std::uint64_t*>(this + 1); }
    static void destroy(NameBranch* branch);
};

class NameTrie {
public:
    std::optional<std::uint32_t> find(std::string_view name, std::uint32_t hash, const OrderTrie& order) const;
    /// There is no entry for `place` yet.
    void insert(std::uint32_t hash, std::uint32_t place);
    void erase(std::uint32_t hash, std::uint32_t place);

private:
    Ref<NameBranch> root_;
};

}  // namespace xenrig::xenstore
