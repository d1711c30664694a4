#include "sim/xenstore/directory.h"

#include <cstring>
#include <new>
#include <utility>

#include "sim/xenstore/name_trie.h"
#include "sim/xenstore/node.h"
#include "sim/xenstore/order_trie.h"
#include "xenrig/abi/check.h"

namespace xenrig::xenstore {
namespace {

/// Looking through that many hashes costs no more than a trie.
constexpr std::uint32_t kSmallMax = 24;

}  // namespace

/// Either an array (the nodes' references lie behind the header, their hashes behind those) or a LargeBlock.
struct DirectoryBlock {
    unsigned refs = 1;
    std::uint32_t count = 0;
    std::uint32_t bytes = 0;  ///< of the names in the array
    std::uint16_t capacity = 0;
    bool large = false;

    Ref<Node>* nodes() { return reinterpret_cast<Ref<Node>*>(this + 1); }
    std::uint32_t* hashes() { return reinterpret_cast<std::uint32_t*>(nodes() + capacity); }

    static void destroy(DirectoryBlock* block);
};

namespace {

struct LargeBlock : DirectoryBlock {
    std::uint32_t next_place = 0;
    OrderTrie order;
    NameTrie names;
};

LargeBlock& large(DirectoryBlock& block) { return static_cast<LargeBlock&>(block); }

DirectoryBlock* make_small(std::uint32_t capacity) {
    const std::size_t bytes = sizeof(DirectoryBlock) + capacity * (sizeof(Ref<Node>) + sizeof(std::uint32_t));
    auto* block = new (::operator new(bytes)) DirectoryBlock;
    block->capacity = static_cast<std::uint16_t>(capacity);
    return block;
}

void push(DirectoryBlock& small, Ref<Node> child) {
    small.bytes += static_cast<std::uint32_t>(child->name().size() + 1);
    small.hashes()[small.count] = child->name_hash();
    new (small.nodes() + small.count) Ref<Node>(std::move(child));
    ++small.count;
}

/// A block of its own for the caller, with room for `capacity` children.
Ref<DirectoryBlock> copy_small(DirectoryBlock& from, std::uint32_t capacity) {
    DirectoryBlock* to = make_small(capacity);
    for (std::uint32_t i = 0; i < from.count; ++i) push(*to, from.nodes()[i]);
    return Ref<DirectoryBlock>::adopt(to);
}

Ref<DirectoryBlock> copy_to_large(DirectoryBlock& from) {
    auto* to = new LargeBlock;
    to->large = true;
    for (std::uint32_t i = 0; i < from.count; ++i) {
        to->names.insert(from.hashes()[i], to->next_place);
        to->order.put(to->next_place++, from.nodes()[i]);
    }
    return Ref<DirectoryBlock>::adopt(to);
}

/// The children stay shared; the block itself becomes the caller's own.
void own(Ref<DirectoryBlock>& block) {
    if (block.unique()) return;
    if (!block->large) {
        block = copy_small(*block, block->capacity);
        return;
    }
    auto* copy = new LargeBlock(large(*block));
    copy->refs = 1;
    block = Ref<DirectoryBlock>::adopt(copy);
}

/// Where `name` stands in a small block, or its count.
std::uint32_t index_of(DirectoryBlock& small, std::string_view name, std::uint32_t hash) {
    const std::uint32_t* hashes = small.hashes();
    for (std::uint32_t i = 0; i < small.count; ++i)
        if (hashes[i] == hash && small.nodes()[i]->name() == name) return i;
    return small.count;
}

}  // namespace

void DirectoryBlock::destroy(DirectoryBlock* block) {
    if (block->large) {
        delete &xenstore::large(*block);
        return;
    }
    for (std::uint32_t i = 0; i < block->count; ++i) block->nodes()[i].~Ref();
    ::operator delete(static_cast<void*>(block));
}

Directory::Directory() = default;
Directory::Directory(const Directory&) = default;
Directory::Directory(Directory&&) noexcept = default;
Directory& Directory::operator=(Directory other) noexcept {
    block_ = std::move(other.block_);
    return *this;
}
Directory::~Directory() = default;

std::size_t Directory::count() const {
    if (!block_) return 0;
    return block_->large ? large(*block_).order.count() : block_->count;
}

std::size_t Directory::bytes() const {
    if (!block_) return 0;
    return block_->large ? large(*block_).order.bytes() : block_->bytes;
}

const Node* Directory::find(std::string_view name, std::uint32_t hash) const {
    if (!block_) return nullptr;
    if (!block_->large) {
        const std::uint32_t i = index_of(*block_, name, hash);
        return i == block_->count ? nullptr : block_->nodes()[i].get();
    }
    const LargeBlock& all = large(*block_);
    const auto place = all.names.find(name, hash, all.order);
    return place ? all.order.get(*place) : nullptr;
}

Ref<Node>* Directory::edit(std::string_view name, std::uint32_t hash) {
    if (!block_) return nullptr;
    if (!block_->large) {
        const std::uint32_t i = index_of(*block_, name, hash);
        if (i == block_->count) return nullptr;
        own(block_);
        Ref<Node>& child = block_->nodes()[i];
        if (!child.unique()) child = child->clone();
        return &child;
    }
    const auto place = large(*block_).names.find(name, hash, large(*block_).order);
    if (!place) return nullptr;
    own(block_);
    return large(*block_).order.edit(*place);
}

void Directory::append(Ref<Node> child) {
    if (!block_) {
        block_ = Ref<DirectoryBlock>::adopt(make_small(2));
    } else if (!block_->large && block_->count == kSmallMax) {
        block_ = copy_to_large(*block_);
    } else if (!block_->large && block_->count == block_->capacity) {
        block_ = copy_small(*block_, block_->capacity < 4 ? 4 : block_->capacity + 4u);
    } else {
        own(block_);
    }
    if (!block_->large) {
        push(*block_, std::move(child));
        return;
    }
    LargeBlock& all = large(*block_);
    all.names.insert(child->name_hash(), all.next_place);
    all.order.put(all.next_place++, std::move(child));
}

Ref<Node> Directory::erase(std::string_view name, std::uint32_t hash) {
    if (!block_) return {};
    if (!block_->large) {
        const std::uint32_t i = index_of(*block_, name, hash);
        if (i == block_->count) return {};
        own(block_);
        DirectoryBlock& small = *block_;
        Ref<Node> taken = std::move(small.nodes()[i]);
        for (std::uint32_t j = i + 1; j < small.count; ++j) {
            small.nodes()[j - 1] = std::move(small.nodes()[j]);
            small.hashes()[j - 1] = small.hashes()[j];
        }
        small.nodes()[--small.count].~Ref();
        small.bytes -= static_cast<std::uint32_t>(taken->name().size() + 1);
        if (small.count == 0) block_ = {};
        return taken;
    }
    const auto place = large(*block_).names.find(name, hash, large(*block_).order);
    if (!place) return {};
    own(block_);
    LargeBlock& all = large(*block_);
    all.names.erase(hash, *place);
    Ref<Node> taken = all.order.erase(*place);
    if (all.order.count() == 0) block_ = {};
    return taken;
}

void Directory::for_each(const std::function<bool(const Node&)>& visit) const {
    if (!block_) return;
    if (block_->large) {
        large(*block_).order.walk(0, [&](const Node& child, std::uint64_t) { return visit(child); });
        return;
    }
    for (std::uint32_t i = 0; i < block_->count; ++i)
        if (!visit(*block_->nodes()[i])) return;
}

bool Directory::append_names(std::string& out, std::size_t offset, std::size_t limit) const {
    if (!block_) return true;
    const auto add = [&](const Node& child, std::uint64_t at) {
        const std::string_view name = child.name();
        const std::size_t skip = offset > at ? static_cast<std::size_t>(offset - at) : 0;
        if (out.size() + (name.size() - skip) >= limit) return false;
        out.append(name.substr(skip));
        out.push_back('\0');
        return true;
    };
    if (block_->large) return large(*block_).order.walk(offset, add);
    std::uint64_t at = 0;
    for (std::uint32_t i = 0; i < block_->count; ++i) {
        const Node& child = *block_->nodes()[i];
        const std::uint64_t next = at + child.name().size() + 1;
        if (next > offset && !add(child, at)) return false;
        at = next;
    }
    return true;
}

}  // namespace xenrig::xenstore
