// The hypercalls of a PV guest about segments, descriptors and traps: set_gdt, update_descriptor, set_segment_base,
// set_trap_table, stack_switch, fpu_taskswitch (x86/pv: descriptor-tables.c, traps.c, misc-hypercalls.c).
//
// What only a processor would feel is checked and forgotten; frames that hold descriptors are kept as such.
#include <vector>

#include "sim/hypervisor/call.h"
#include "sim/hypervisor/canonical.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

namespace {

/// check_descriptor: gates and task segments are not the guest's to make.
bool acceptable(std::uint64_t descriptor) {
    constexpr std::uint64_t kPresentBit = 1ull << 47, kSegment = 1ull << 44, kType = 0xfull << 40;
    return (descriptor & kPresentBit) == 0 || (descriptor & kSegment) != 0 || (descriptor & kType) == 0;
}

/// A segment's ring is the guest kernel's at least: 3 with 64 bits, 1 with 32.
std::uint64_t in_guests_ring(std::uint64_t descriptor, const Domain& d) {
    constexpr unsigned kRingAt = 45;
    constexpr std::uint64_t kPresentBit = 1ull << 47;
    const std::uint64_t lowest = d.config.bits == 64 ? 3 : 1;
    const std::uint64_t ring = descriptor >> kRingAt & 3;
    if ((descriptor & kPresentBit) == 0 || ring >= lowest) return descriptor;
    return (descriptor & ~(std::uint64_t{3} << kRingAt)) | lowest << kRingAt;
}

}  // namespace

std::int64_t set_gdt(Call& call) {
    if (call.domain.translated()) return -error(Errno::nosys);
    constexpr std::uint32_t kEntriesMax = 14 * 512, kPerFrame = 512;
    const auto entries = static_cast<std::uint32_t>(call.arg(1));
    if (entries > kEntriesMax) return -error(Errno::inval);
    std::vector<Mfn> frames((entries + kPerFrame - 1) / kPerFrame);
    for (std::size_t i = 0; i < frames.size(); ++i) {
        xen_ulong_t frame = 0;
        if (!call.guest.fetch(frame, call.arg(0) + i * sizeof frame)) return -error(Errno::fault);
        frames[i] = Mfn{frame};
    }
    PageTypes& types = call.host.page_types;
    for (std::size_t i = 0; i < frames.size(); ++i) {
        if (types.get(frames[i], call.domain, FrameType::descriptors) == 0) continue;
        while (i-- != 0) types.put(frames[i]);
        return -error(Errno::inval);
    }
    for (const Mfn old : call.vcpu.descriptor_frames) types.put(old);
    call.vcpu.descriptor_frames = std::move(frames);
    return 0;
}

std::int64_t update_descriptor(Call& call) {
    if (call.domain.translated()) return -error(Errno::nosys);
    constexpr std::uint64_t kBytes = 8;
    const std::uint64_t at = call.arg(0), descriptor = call.arg(1);
    const auto mfn = call.host.guest_frame(call.domain, at / kPageSize);
    if (at % kBytes != 0 || !acceptable(descriptor) || !mfn) return -error(Errno::inval);
    PageTypes& types = call.host.page_types;
    const FrameType kept = types.type(*mfn) == FrameType::descriptors ? FrameType::descriptors : FrameType::writable;
    if (types.get(*mfn, call.domain, kept) != 0) return -error(Errno::inval);
    types.replace_word(*mfn, static_cast<unsigned>(at % kPageSize / kBytes), {in_guests_ring(descriptor, call.domain)});
    types.put(*mfn);
    return 0;
}

std::int64_t set_segment_base(Call& call) {
    if (call.domain.translated() || call.domain.config.bits == 32) return -error(Errno::nosys);
    switch (static_cast<std::uint32_t>(call.arg(0))) {
        case SEGBASE_FS:
        case SEGBASE_GS_USER:
        case SEGBASE_GS_KERNEL:
            return canonical(call.arg(1)) ? 0 : -error(Errno::inval);
        case SEGBASE_GS_USER_SEL:
            return 0;
        default:
            return -error(Errno::inval);
    }
}

std::int64_t set_trap_table(Call& call) {
    if (call.domain.translated()) return -error(Errno::nosys);
    if (call.arg(0) == 0) return 0;
    // Up to the entry without an address; there are no more vectors than this.
    constexpr std::uint64_t kVectors = 256;
    for (std::uint64_t i = 0; i <= kVectors; ++i) {
        trap_info_t one;
        if (!call.guest.fetch(one, call.arg(0) + i * sizeof one)) return -error(Errno::fault);
        if (one.address == 0) return 0;
        if (!canonical(one.address)) return -error(Errno::inval);
    }
    return 0;
}

/// Where the kernel's stack is; which task uses the FPU.
std::int64_t accepted_of_pv(Call& call) { return call.domain.translated() ? -error(Errno::nosys) : 0; }

}  // namespace xenrig::hypervisor
