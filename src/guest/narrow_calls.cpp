#include "narrow_calls.h"

#include <algorithm>
#include <cstring>

#include "xenrig/abi/check.h"
#include "xenrig/shared/raw.h"

extern "C" {
#include <xen/xen.h>

#include <xen/vcpu.h>
}

namespace xenrig::guest {

namespace {

/// What room is counted in; a list begins at one.
constexpr std::size_t kUnit = 32;
/// The number of a memory_op is its low bits; where a preempted one goes on stands above them.
constexpr std::uint64_t kMemoryOperation = 0x3f;
/// No struct that has two layouts is larger.
constexpr std::size_t kStructMax = 128;

/// How many elements a pointer among the arguments leads to.
std::size_t count_of(unsigned number, const HypercallArgs& args) {
    switch (number) {
        case __HYPERVISOR_grant_table_op:
            return args[2];
        case __HYPERVISOR_multicall:
            return args[1];
        default:
            return 1;
    }
}

}  // namespace

/// Units taken for one call, given back at its end.
class NarrowCalls::Room {
public:
    explicit Room(NarrowCalls& owner) : owner_(owner) {}
    ~Room() {
        for (const auto& [first, units] : taken_) owner_.give(first, units);
    }
    Room(const Room&) = delete;
    Room& operator=(const Room&) = delete;

    /// The linear address of so many bytes.
    std::optional<std::uint32_t> take(std::size_t bytes) {
        const std::size_t units = std::max<std::size_t>(1, (bytes + kUnit - 1) / kUnit);
        const auto first = owner_.take(units);
        if (!first) return std::nullopt;
        taken_.emplace_back(*first, units);
        return static_cast<std::uint32_t>(owner_.frames_.first.value * kPageSize + *first * kUnit);
    }

private:
    NarrowCalls& owner_;
    std::vector<std::pair<std::size_t, std::size_t>> taken_;
};

NarrowCalls::NarrowCalls(DomainLink& link, GfnRange frames)
    : link_(link), frames_(frames), used_(frames.count * kPageSize / kUnit) {
    check((frames.first.value + frames.count) * kPageSize <= 1ull << 32, "a 32-bit guest's arguments lie below 4 GiB");
}

std::optional<std::size_t> NarrowCalls::take(std::size_t units) {
    const std::lock_guard held(mutex_);
    const auto found =
        std::search_n(used_.begin(), used_.end(), static_cast<std::ptrdiff_t>(units), false, std::equal_to<bool>());
    if (found == used_.end()) return std::nullopt;
    std::fill_n(found, units, true);
    return static_cast<std::size_t>(found - used_.begin());
}

void NarrowCalls::give(std::size_t first, std::size_t units) {
    const std::lock_guard held(mutex_);
    std::fill_n(used_.begin() + static_cast<std::ptrdiff_t>(first), units, false);
}

bool NarrowCalls::write(std::uint32_t to, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const Gfn gfn{to / kPageSize};
        std::byte* page = link_.page(gfn);
        if (!page) return false;
        const std::size_t part = std::min(bytes.size(), kPageSize - to % kPageSize);
        shared::raw::copy_to_page(page + to % kPageSize, bytes.data(), part);
        link_.mark_dirty(gfn);
        to += static_cast<std::uint32_t>(part);
        bytes = bytes.subspan(part);
    }
    return true;
}

bool NarrowCalls::read(std::uint32_t from, std::span<std::byte> bytes) {
    while (!bytes.empty()) {
        const std::byte* page = link_.page(Gfn{from / kPageSize});
        if (!page) return false;
        const std::size_t part = std::min(bytes.size(), kPageSize - from % kPageSize);
        shared::raw::copy_from_page(page + from % kPageSize, bytes.data(), part);
        from += static_cast<std::uint32_t>(part);
        bytes = bytes.subspan(part);
    }
    return true;
}

bool NarrowCalls::put_list(std::vector<List>& lists, Room& room, const List& list) {
    lists.push_back(list);
    if (!list.layout) return write(list.narrow, {list.native, list.count * list.bytes});
    for (std::size_t i = 0; i < list.count; ++i)
        if (!put_struct(lists, room, list, i)) return false;
    return true;
}

bool NarrowCalls::put_struct(std::vector<List>& lists, Room& room, const List& list, std::size_t index) {
    const CompatLayout& layout = *list.layout;
    check(layout.compat_size <= kStructMax && layout.native_size <= kStructMax, "the kernel's structs are small");
    std::array<std::byte, kStructMax> narrow{};
    const std::byte* native = list.native + index * layout.native_size;
    for (const CompatField& field : layout.fields) {
        std::uint64_t value = 0;
        std::memcpy(&value, native + field.native, field.native_bytes);
        if (field.list && value != 0) {
            std::uint32_t count = 0;
            std::memcpy(&count, native + field.list->count, sizeof count);
            const std::size_t bytes = field.to ? field.to->native_size : field.list->bytes;
            const auto at = room.take(count * (field.to ? field.to->compat_size : bytes));
            if (!at) return false;
            auto* const elements = reinterpret_cast<std::byte*>(static_cast<std::uintptr_t>(value));
            if (!put_list(lists, room, {elements, *at, count, field.to, bytes})) return false;
            value = *at;
        }
        std::memcpy(narrow.data() + field.compat, &value, field.compat_bytes);
    }
    const auto at = list.narrow + static_cast<std::uint32_t>(index * layout.compat_size);
    return write(at, {narrow.data(), layout.compat_size});
}

void NarrowCalls::take_back(const List& list) {
    if (!list.layout) return static_cast<void>(read(list.narrow, {list.native, list.count * list.bytes}));
    const CompatLayout& layout = *list.layout;
    std::array<std::byte, kStructMax> narrow{};
    for (std::size_t i = 0; i < list.count; ++i) {
        const auto at = list.narrow + static_cast<std::uint32_t>(i * layout.compat_size);
        if (!read(at, {narrow.data(), layout.compat_size})) return;
        for (const CompatField& field : layout.fields) {
            if (field.is_pointer()) continue;
            std::uint64_t value = 0;
            std::memcpy(&value, narrow.data() + field.compat, field.compat_bytes);
            std::memcpy(list.native + i * layout.native_size + field.native, &value, field.native_bytes);
        }
    }
}

std::int64_t NarrowCalls::call(Hypercalls& vcpu, unsigned number, const HypercallArgs& args,
                               const ArgumentBytes& bytes) {
    const std::uint64_t operation = number == __HYPERVISOR_memory_op ? args[0] & kMemoryOperation : args[0];
    const CompatArgument* known = compat_argument(number, operation);
    // What a translated guest describes a vCPU by is the same for both (hvm/hvm_vcpu.h).
    if (number == __HYPERVISOR_vcpu_op && operation == VCPUOP_initialise) known = nullptr;
    HypercallArgs narrow = args;
    Room room(*this);
    std::vector<List> lists;
    for (std::size_t i = 0; i < args.size(); ++i) {
        if (bytes[i] == 0 || args[i] == 0) continue;
        const CompatLayout* layout = known && known->index == i ? known->layout : nullptr;
        const std::size_t count = count_of(number, args);
        const auto at = room.take(count * (layout ? layout->compat_size : bytes[i]));
        auto* const native = reinterpret_cast<std::byte*>(static_cast<std::uintptr_t>(args[i]));
        if (!at || !put_list(lists, room, {native, *at, count, layout, bytes[i]}))
            return -static_cast<std::int64_t>(link_.alive() ? Errno::nomem : Errno::srch);
        narrow[i] = *at;
    }
    for (std::uint64_t& word : narrow) word &= 0xffffffff;
    const std::int64_t answer = vcpu.call(number, narrow);
    for (const List& list : lists) take_back(list);
    return answer;
}

}  // namespace xenrig::guest
