#include "sim/xenstore/name_trie.h"

#include <bit>
#include <cstring>
#include <new>

#include "sim/xenstore/node.h"
#include "sim/xenstore/order_trie.h"
#include "xenrig/abi/check.h"

namespace xenrig::xenstore {
namespace {

/// Levels 0 to 6 use five bits of the hash each; what is still together then is a bucket.
constexpr unsigned kBucketLevel = 7;

std::uint64_t leaf(std::uint32_t hash, std::uint32_t place) { return std::uint64_t{hash} << 32 | place; }
std::uint32_t hash_of(std::uint64_t entry) { return static_cast<std::uint32_t>(entry >> 32); }
std::uint32_t place_of(std::uint64_t entry) { return static_cast<std::uint32_t>(entry); }
NameBranch* branch_of(std::uint64_t entry) { return reinterpret_cast<NameBranch*>(entry); }
std::uint64_t entry_of(NameBranch* branch) { return reinterpret_cast<std::uint64_t>(branch); }

std::uint32_t way(std::uint32_t hash, unsigned level) { return 1u << (hash >> (5 * level) & 31); }
unsigned index_of(const NameBranch& b, std::uint32_t bit) {
    return static_cast<unsigned>(std::popcount(b.used & (bit - 1)));
}

NameBranch* make_branch(std::uint32_t count) {
    auto* branch = new (::operator new(sizeof(NameBranch) + count * sizeof(std::uint64_t))) NameBranch;
    branch->count = count;
    return branch;
}

void free_branch(NameBranch* branch) { ::operator delete(static_cast<void*>(branch)); }

template <class F>
void for_each_deeper(const NameBranch& branch, F f) {
    for (std::uint32_t rest = branch.deeper; rest != 0; rest &= rest - 1)
        f(branch_of(branch.entries()[index_of(branch, rest & -rest)]));
}

NameBranch* own(NameBranch* branch) {
    if (branch->refs == 1) return branch;
    NameBranch* copy = make_branch(branch->count);
    copy->used = branch->used;
    copy->deeper = branch->deeper;
    std::memcpy(copy->entries(), branch->entries(), branch->count * sizeof(std::uint64_t));
    for_each_deeper(*copy, [](NameBranch* b) { ++b->refs; });
    --branch->refs;
    return copy;
}

/// `branch`, which is owned, with room for one more entry at `index`.
NameBranch* widen(NameBranch* branch, unsigned index, std::uint64_t entry) {
    NameBranch* wide = make_branch(branch->count + 1);
    wide->used = branch->used;
    wide->deeper = branch->deeper;
    std::memcpy(wide->entries(), branch->entries(), index * sizeof entry);
    wide->entries()[index] = entry;
    std::memcpy(wide->entries() + index + 1, branch->entries() + index, (branch->count - index) * sizeof entry);
    free_branch(branch);
    return wide;
}

void drop(NameBranch* branch, unsigned index) {
    std::uint64_t* at = branch->entries() + index;
    std::memmove(at, at + 1, (branch->count - index - 1) * sizeof *at);
    --branch->count;
}

NameBranch* insert_at(NameBranch* branch, unsigned level, std::uint64_t entry) {
    branch = own(branch);
    if (level == kBucketLevel) return widen(branch, branch->count, entry);
    const std::uint32_t bit = way(hash_of(entry), level);
    const unsigned index = index_of(*branch, bit);
    if ((branch->used & bit) == 0) {
        branch = widen(branch, index, entry);
        branch->used |= bit;
        return branch;
    }
    std::uint64_t& slot = branch->entries()[index];
    if ((branch->deeper & bit) == 0) {
        slot = entry_of(insert_at(make_branch(0), level + 1, slot));
        branch->deeper |= bit;
    }
    slot = entry_of(insert_at(branch_of(slot), level + 1, entry));
    return branch;
}

/// Null when nothing is left.
NameBranch* erase_at(NameBranch* branch, unsigned level, std::uint64_t entry) {
    branch = own(branch);
    if (level == kBucketLevel) {
        for (unsigned i = 0; i < branch->count; ++i) {
            if (branch->entries()[i] != entry) continue;
            drop(branch, i);
            break;
        }
    } else {
        const std::uint32_t bit = way(hash_of(entry), level);
        const unsigned index = index_of(*branch, bit);
        std::uint64_t& slot = branch->entries()[index];
        if ((branch->deeper & bit) != 0) {
            if (NameBranch* below = erase_at(branch_of(slot), level + 1, entry)) {
                slot = entry_of(below);
                return branch;
            }
            branch->deeper &= ~bit;
        }
        drop(branch, index);
        branch->used &= ~bit;
    }
    if (branch->count != 0) return branch;
    free_branch(branch);
    return nullptr;
}

}  // namespace

void NameBranch::destroy(NameBranch* branch) {
    for_each_deeper(*branch, [](NameBranch* b) { Ref<NameBranch>::adopt(b); });
    free_branch(branch);
}

std::optional<std::uint32_t> NameTrie::find(std::string_view name, std::uint32_t hash, const OrderTrie& order) const {
    const auto matches = [&](std::uint64_t entry) {
        return hash_of(entry) == hash && order.get(place_of(entry))->name() == name;
    };
    const NameBranch* branch = root_.get();
    for (unsigned level = 0; branch != nullptr; ++level) {
        if (level == kBucketLevel) {
            for (unsigned i = 0; i < branch->count; ++i)
                if (matches(branch->entries()[i])) return place_of(branch->entries()[i]);
            return std::nullopt;
        }
        const std::uint32_t bit = way(hash, level);
        if ((branch->used & bit) == 0) return std::nullopt;
        const std::uint64_t entry = branch->entries()[index_of(*branch, bit)];
        if ((branch->deeper & bit) == 0) return matches(entry) ? std::optional(place_of(entry)) : std::nullopt;
        branch = branch_of(entry);
    }
    return std::nullopt;
}

void NameTrie::insert(std::uint32_t hash, std::uint32_t place) {
    NameBranch* root = root_ ? root_.release() : make_branch(0);
    root_ = Ref<NameBranch>::adopt(insert_at(root, 0, leaf(hash, place)));
}

void NameTrie::erase(std::uint32_t hash, std::uint32_t place) {
    root_ = Ref<NameBranch>::adopt(erase_at(root_.release(), 0, leaf(hash, place)));
}

}  // namespace xenrig::xenstore
