// What is looked at while a 32-bit caller's memory_op is translated (common/compat/memory.c, x86_64/compat/mm.c): lists
// are read before the operation begins, so that it does nothing when one of them can't be.
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "sim/hypervisor/call.h"
#include "sim/hypervisor/compat.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/memory_op.h"
#include "sim/hypervisor/xen_abi.h"
#include "xenrig/abi/check.h"

namespace xenrig::hypervisor {

bool compat_list_okay(const Domain& d, std::uint32_t address, std::uint64_t count, std::size_t bytes) {
    constexpr std::uint64_t kXen = 0xf580'0000;
    const std::uint64_t last = count == 0 ? 0 : count * bytes - 1;
    return d.translated() || (count < 0xffff'ffff / bytes && address + last < kXen);
}

namespace {

constexpr unsigned kExtentShift = 6;
/// Where translated structs and lists are put, one call's at a time.
constexpr std::size_t kRoom = 2 * kPageSize;

using Raw = std::array<std::byte, 64>;

std::uint32_t word(const Raw& raw, std::size_t at) {
    std::uint32_t value = 0;
    std::memcpy(&value, raw.data() + at, sizeof value);
    return value;
}

/// Words `first` to `end` of a list can be read.
bool readable(Call& call, std::uint32_t list, std::uint64_t first, std::uint64_t end) {
    for (std::uint64_t i = first; i < end; ++i)
        if (std::uint32_t value = 0; !call.guest.fetch(value, list + i * sizeof value)) return false;
    return true;
}

std::optional<std::int64_t> refused_reservation(Call& call, const Raw& raw, std::uint64_t start) {
    const std::uint32_t list = word(raw, 0), extents = word(raw, 4);
    if (list == 0 || compat_list_okay(call.domain, list, extents, sizeof(std::uint32_t))) return std::nullopt;
    return static_cast<std::int64_t>(start);
}

/// struct compat_memory_exchange: two reservations of 20 bytes each, and how much is done.
std::optional<std::int64_t> refused_exchange(Call& call, const Raw& raw) {
    constexpr std::size_t kOut = 20, kDone = 40;
    const std::uint32_t in_list = word(raw, 0), in_extents = word(raw, 4), in_order = word(raw, 8);
    const std::uint32_t out_list = word(raw, kOut), out_extents = word(raw, kOut + 4), out_order = word(raw, kOut + 8);
    const std::uint32_t done = word(raw, kDone);
    // A shift by a register takes its lowest five bits.
    const auto shift = [](std::uint32_t order) { return order & 31; };
    const auto delta = static_cast<std::int32_t>(out_order - in_order);
    const std::uint32_t distance =
        delta < 0 ? 0 - static_cast<std::uint32_t>(delta) : static_cast<std::uint32_t>(delta);
    const std::uint32_t group = 1u << shift(distance);
    if (done > in_extents || (delta > 0 && (done & (group - 1)) != 0) || ~0u >> shift(in_order) < in_extents ||
        ~0u >> shift(out_order) < out_extents || in_extents << shift(in_order) != out_extents << shift(out_order))
        return -error(Errno::inval);
    for (const auto& [list, extents] : {std::pair{in_list, in_extents}, std::pair{out_list, out_extents}})
        if (!compat_list_okay(call.domain, list, extents, sizeof(std::uint32_t))) return -error(Errno::fault);
    const std::size_t fit = (kRoom - sizeof(xen_memory_exchange_t)) / ((std::uint64_t{group} + 1) * sizeof(xen_pfn_t));
    if (fit == 0) return -error(Errno::toobig);
    const std::uint64_t end = std::min<std::uint64_t>(done + fit * (delta > 0 ? group : 1), in_extents);
    const auto of_out = [&](std::uint64_t in) { return delta > 0 ? in >> shift(distance) : in << shift(distance); };
    const bool both = readable(call, in_list, done, end) && readable(call, out_list, of_out(done), of_out(end));
    return both ? std::nullopt : std::optional{-error(Errno::fault)};
}

std::optional<std::int64_t> refused_batch(Call& call, const Raw& raw, std::uint64_t start) {
    constexpr std::uint64_t kFit = (kRoom - sizeof(xen_add_to_physmap_batch_t)) / (2 * sizeof(xen_pfn_t));
    const std::uint32_t size = word(raw, 4) & 0xffff;
    const std::uint32_t indices = word(raw, 8), gpfns = word(raw, 12), errors = word(raw, 16);
    for (const std::uint32_t list : {indices, gpfns, errors})
        if (!compat_list_okay(call.domain, list, size, sizeof(std::uint32_t))) return -error(Errno::fault);
    const std::uint64_t end = std::min<std::uint64_t>(start + kFit, size);
    const bool both = readable(call, indices, start, end) && readable(call, gpfns, start, end);
    return both ? std::nullopt : std::optional{-error(Errno::fault)};
}

/// Only a translated caller's list is read.
std::optional<std::int64_t> refused_resource(Call& call, const Raw& raw, std::uint64_t start) {
    constexpr std::uint64_t kFit = (kRoom - sizeof(xen_mem_acquire_resource_t)) / sizeof(xen_pfn_t);
    const std::uint32_t frames = word(raw, 8), list = word(raw, 24);
    if (list == 0 || frames == 0) return std::nullopt;
    if (start >= frames) return -error(Errno::inval);
    const std::uint64_t end = std::min<std::uint64_t>(start + kFit, frames);
    if (!call.domain.translated() || readable(call, list, start, end)) return std::nullopt;
    return -error(Errno::fault);
}

/// All of it is done here: the list of what no device has (common/compat/memory.c).
std::int64_t reserved_device_memory(Call& call, std::uint64_t start) {
    constexpr std::uint32_t kAllDevices = 1;
    constexpr std::size_t kEntryBytes = 8, kCountAt = 4;
    std::array<std::uint32_t, 4> op{};
    if (start != 0) return -error(Errno::inval);
    if (!call.guest.fetch(op, call.args[1]) || !compat_list_okay(call.domain, op[2], op[1], kEntryBytes))
        return -error(Errno::fault);
    if ((op[0] & ~kAllDevices) != 0) return -error(Errno::inval);
    return call.guest.put(call.args[1] + kCountAt, std::uint32_t{0}) ? 0 : -error(Errno::fault);
}

/// Operations of the architecture's own translation, which finds none that is to go on somewhere.
bool of_architecture(std::uint64_t operation) {
    switch (operation) {
        case XENMEM_increase_reservation:
        case XENMEM_decrease_reservation:
        case XENMEM_populate_physmap:
        case XENMEM_exchange:
        case XENMEM_current_reservation:
        case XENMEM_maximum_reservation:
        case XENMEM_maximum_gpfn:
        case XENMEM_maximum_ram_page:
        case XENMEM_add_to_physmap:
        case XENMEM_add_to_physmap_batch:
        case XENMEM_remove_from_physmap:
        case kAccessOp:
        case XENMEM_get_vnumainfo:
        case kReservedDeviceMemoryMap:
        case XENMEM_acquire_resource:
            return false;
        default:
            return true;
    }
}

}  // namespace

std::optional<std::int64_t> refused_by_translation(Call& call, std::uint64_t operation) {
    const std::uint64_t start = call.args[0] >> kExtentShift;
    // What tools say of other domains' memory has no translation at all.
    if ((of_architecture(operation) && start != 0) || operation == kClaimPages) return -error(Errno::nosys);
    if (operation == kReservedDeviceMemoryMap) return reserved_device_memory(call, start);
    // Such a table is for 32-bit PV guests; a host that has none of them has no table.
    const bool table = operation == XENMEM_machphys_mfn_list || operation == XENMEM_machphys_compat_mfn_list;
    if (table && call.domain.translated()) return -error(Errno::opnotsupp);
    const CompatArgument* argument = compat_argument(__HYPERVISOR_memory_op, operation);
    if (!argument) return std::nullopt;

    const bool reservation = operation == XENMEM_increase_reservation || operation == XENMEM_decrease_reservation ||
                             operation == XENMEM_populate_physmap;
    Raw raw{};
    check(argument->layout->compat_size <= raw.size(), "memory_op's structs are small");
    if (!call.guest.copy_from_guest(raw.data(), call.args[1], argument->layout->compat_size))
        return reservation ? static_cast<std::int64_t>(start) : -error(Errno::fault);
    if (reservation) return refused_reservation(call, raw, start);
    switch (operation) {
        case XENMEM_exchange:
            return refused_exchange(call, raw);
        case XENMEM_add_to_physmap_batch:
            return refused_batch(call, raw, start);
        case XENMEM_acquire_resource:
            return refused_resource(call, raw, start);
        default:
            return std::nullopt;
    }
}

}  // namespace xenrig::hypervisor
