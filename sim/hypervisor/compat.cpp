#include "sim/hypervisor/compat.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>

#include "sim/hypervisor/call.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/xen_abi.h"
#include "xenrig/abi/check.h"

namespace xenrig::hypervisor {

namespace {

/// Beyond all canonical addresses; a window has this much room.
constexpr std::uint64_t kWindows = 1ull << 56, kWindowBytes = 1ull << 44;
constexpr std::size_t kElementMax = 8192;

}  // namespace

std::uint64_t CompatAccess::translated(std::uint64_t address, const CompatLayout& layout, bool quiet) {
    if (address == 0) return 0;
    const auto known =
        std::ranges::find_if(windows_, [&](const Window& w) { return w.address == address && w.layout == &layout; });
    const auto index = static_cast<std::uint64_t>(known - windows_.begin());
    if (known == windows_.end()) windows_.push_back({address, &layout, quiet});
    return kWindows + index * kWindowBytes;
}

const CompatAccess::Window* CompatAccess::window_of(std::uint64_t address, std::uint64_t& offset) const {
    if (address < kWindows || (address - kWindows) / kWindowBytes >= windows_.size()) return nullptr;
    offset = (address - kWindows) % kWindowBytes;
    return &windows_[(address - kWindows) / kWindowBytes];
}

std::uint64_t CompatAccess::callers(std::uint64_t address) const {
    std::uint64_t offset = 0;
    const Window* window = window_of(address, offset);
    return window ? window->address : address;
}

bool CompatAccess::read_element(const Window& window, std::uint64_t index, std::byte* native) {
    // A pointer in it may open another window, which moves this one.
    const CompatLayout& layout = *window.layout;
    std::array<std::byte, kElementMax> compat;
    check(layout.compat_size <= compat.size() && layout.native_size <= kElementMax, "room for every struct");
    if (!caller_.copy_from_guest(compat.data(), window.address + index * layout.compat_size, layout.compat_size))
        return false;
    std::fill_n(native, layout.native_size, std::byte{0});
    for (const CompatField& field : layout.fields) {
        std::uint64_t value = 0;
        std::memcpy(&value, compat.data() + field.compat, field.compat_bytes);
        if (field.to) value = translated(value, *field.to, field.kind == CompatField::answers);
        std::memcpy(native + field.native, &value, field.native_bytes);
    }
    return true;
}

bool CompatAccess::copy_from_guest(void* to, std::uint64_t from, std::size_t bytes) {
    std::uint64_t offset = 0;
    const Window* found = window_of(from, offset);
    if (!found) return caller_.copy_from_guest(to, from, bytes);
    const Window window = *found;
    std::array<std::byte, kElementMax> native;
    auto* out = static_cast<std::byte*>(to);
    while (bytes != 0) {
        const std::size_t size = window.layout->native_size;
        const std::size_t begin = offset % size;
        const std::size_t part = std::min(bytes, size - begin);
        if (!read_element(window, offset / size, native.data())) return false;
        std::memcpy(out, native.data() + begin, part);
        out += part, offset += part, bytes -= part;
    }
    return true;
}

/// Of the fields that `bytes` from `begin` cover, those that are not pointers.
bool CompatAccess::write_fields(const Window& window, std::uint64_t index, std::size_t begin, const std::byte* from,
                                std::size_t bytes) {
    for (const CompatField& field : window.layout->fields) {
        const std::size_t end = field.native + std::size_t{field.native_bytes};
        if (field.is_pointer() || field.native < begin || end > begin + bytes) continue;
        const std::uint64_t at = window.address + index * window.layout->compat_size + field.compat;
        if (!caller_.copy_to_guest(at, from + (field.native - begin), field.compat_bytes)) return window.quiet;
    }
    return true;
}

bool CompatAccess::copy_to_guest(std::uint64_t to, const void* from, std::size_t bytes) {
    std::uint64_t offset = 0;
    const Window* window = window_of(to, offset);
    if (!window) return caller_.copy_to_guest(to, from, bytes);
    const auto* in = static_cast<const std::byte*>(from);
    while (bytes != 0) {
        const std::size_t size = window->layout->native_size;
        const std::size_t begin = offset % size;
        const std::size_t part = std::min(bytes, size - begin);
        if (!write_fields(*window, offset / size, begin, in, part)) return false;
        in += part, offset += part, bytes -= part;
    }
    return true;
}

namespace {

/// What the caller's word can't hold in one argument comes in two.
void join_halves(unsigned number, HypercallArgs& args) {
    if (number == __HYPERVISOR_set_timer_op) {
        args[0] |= args[1] << 32;
    } else if (number == __HYPERVISOR_update_va_mapping || number == __HYPERVISOR_update_va_mapping_otherdomain) {
        args[1] |= args[2] << 32;
        args[2] = args[3];
        args[3] = args[4];
    } else if (number == __HYPERVISOR_update_descriptor) {
        args[0] |= args[1] << 32;
        args[1] = args[2] | args[3] << 32;
    }
}

constexpr std::uint64_t kMemoryOperation = 0x3f;
constexpr unsigned kExtentShift = 6;

/// Where a list of frames is answered into, unless the struct itself is missing: EFAULT.
std::optional<std::int64_t> refused_frame_list(Call& call, std::size_t count_at, std::size_t list_at,
                                               std::size_t bytes) {
    std::uint32_t count = 0, list = 0;
    if (call.args[2] != 1) return std::nullopt;
    if (!call.guest.fetch(count, call.args[1] + count_at) || !call.guest.fetch(list, call.args[1] + list_at) ||
        !compat_list_okay(call.domain, list, count, bytes))
        return -error(Errno::fault);
    return std::nullopt;
}

std::optional<std::int64_t> refused(Call& call, unsigned number, std::uint64_t operation) {
    if (number == __HYPERVISOR_memory_op) return refused_by_translation(call, operation);
    if (number != __HYPERVISOR_grant_table_op) return std::nullopt;
    // The translation goes through the entries, of which there are none.
    const bool list = operation == GNTTABOP_setup_table || operation == GNTTABOP_get_status_frames;
    if (list && static_cast<std::uint32_t>(call.args[2]) == 0) return 0;
    if (operation == GNTTABOP_setup_table) return refused_frame_list(call, 4, 12, sizeof(std::uint32_t));
    if (operation == GNTTABOP_get_status_frames) return refused_frame_list(call, 0, 8, sizeof(std::uint64_t));
    return std::nullopt;
}

/// The frames of an increase are written into the caller's list in any case: as many count as could be.
std::int64_t written_back(CompatAccess& access, std::uint64_t op_at, std::int64_t start, std::int64_t done) {
    xen_memory_reservation_t op;
    if (!access.fetch(op, op_at) || op.extent_start.p == nullptr) return done;
    for (std::int64_t i = start; i < done; ++i) {
        const auto at = reinterpret_cast<std::uint64_t>(op.extent_start.p) + i * sizeof *op.extent_start.p;
        xen_pfn_t pfn = 0;
        if (!access.fetch(pfn, at) || !access.put(at, pfn)) return i;
    }
    return done;
}

std::int64_t invoke_compat(Call& call, unsigned number, Handler handler) {
    CompatAccess access(call.guest);
    HypercallArgs args = call.args;
    join_halves(number, args);
    const std::uint64_t operation = number == __HYPERVISOR_memory_op ? args[0] & kMemoryOperation : args[0];
    if (const auto answer = refused(call, number, operation)) return *answer;
    const CompatArgument* argument = compat_argument(number, operation);
    // What a translated guest describes a vCPU by is the same for both (hvm/hvm_vcpu.h).
    if (number == __HYPERVISOR_vcpu_op && operation == VCPUOP_initialise && call.domain.translated())
        argument = nullptr;
    if (argument) args[argument->index] = access.translated(args[argument->index], *argument->layout);
    Call translated{call.host, call.domain, call.vcpu, access, args};
    std::int64_t result = handler(translated);
    if (number == __HYPERVISOR_memory_op && operation == XENMEM_increase_reservation)
        result = written_back(access, args[1], static_cast<std::int64_t>(args[0] >> kExtentShift), result);
    // The guest makes the call for the rest of the list where it has the list.
    if (auto& rest = call.vcpu.continuation; rest && number == __HYPERVISOR_multicall && argument)
        rest->at(0) = call.args[0] + (args[1] - rest->at(1)) * argument->layout->compat_size;
    // Others' answers are cut by the caller's register.
    if (number != __HYPERVISOR_memory_op) return static_cast<std::int32_t>(result);
    return std::clamp<std::int64_t>(result, std::numeric_limits<std::int32_t>::min(),
                                    std::numeric_limits<std::int32_t>::max());
}

}  // namespace

std::int64_t invoke(Call& call, unsigned number) {
    const Handler handler = handler_of(number);
    if (!handler || !has_hypercall(call.domain, number, call.args[0])) return -error(Errno::nosys);
    // A multicall's entries are words of the guest's, also of one that is code of this process.
    const bool narrow = number == __HYPERVISOR_multicall ? call.domain.config.bits == 32 : call.guest.bits() == 32;
    return narrow ? invoke_compat(call, number, handler) : handler(call);
}

}  // namespace xenrig::hypervisor
