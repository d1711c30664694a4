#include "sim/hypervisor/pv_context.h"

#include <algorithm>
#include <vector>

#include "sim/hypervisor/answer.h"
#include "sim/hypervisor/canonical.h"
#include "sim/hypervisor/compat.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/mmu_op.h"

namespace xenrig::hypervisor {

namespace {

constexpr std::uint64_t kGdtPerFrame = 512, kGdtFrames = 14, kLdtMax = 8192;

/// A 32-bit guest's has the frame's upper bits below bit 12 (compat_pfn_to_cr3).
std::uint64_t base_register(const Domain& d, Mfn top) {
    if (d.config.bits == 64) return top.value * kPageSize;
    constexpr unsigned kUp = 12, kDown = 20;
    return static_cast<std::uint32_t>(top.value << kUp | top.value >> kDown);
}

Mfn top_table(const Domain& d, std::uint64_t base) {
    if (d.config.bits == 64) return Mfn{base / kPageSize};
    constexpr unsigned kUp = 20, kDown = 12;
    return Mfn{static_cast<std::uint32_t>(base >> kDown | base << kUp)};
}

bool addresses_are_canonical(const vcpu_guest_context_t& c) {
    const std::uint64_t all[] = {c.user_regs.rip,
                                 c.user_regs.rsp,
                                 c.kernel_sp,
                                 c.fs_base,
                                 c.gs_base_kernel,
                                 c.gs_base_user,
                                 c.event_callback_eip,
                                 c.syscall_callback_eip,
                                 c.failsafe_callback_eip,
                                 c.ldt_ents != 0 ? c.ldt_base : 0};
    return std::ranges::all_of(all, canonical) &&
           std::ranges::all_of(c.trap_ctxt, canonical, [](const trap_info_t& t) { return t.address; });
}

/// What may not change once a vCPU has it.
bool same_tables(const Vcpu& v, const vcpu_guest_context_t& c) {
    const bool in_kernel = (c.flags & VGCF_in_kernel) != 0;
    if (base_register(v.domain, *v.page_tables) != c.ctrlreg[3]) return false;
    if (v.domain.config.bits == 64 &&
        (v.user_page_tables ? v.user_page_tables->value * kPageSize != c.ctrlreg[1] : c.ctrlreg[1] != 0 || !in_kernel))
        return false;
    const std::size_t frames = (c.gdt_ents + kGdtPerFrame - 1) / kGdtPerFrame;
    if (frames != v.descriptor_frames.size()) return false;
    for (std::size_t i = 0; i < frames; ++i)
        if (v.descriptor_frames[i].value != c.gdt_frames[i]) return false;
    return true;
}

std::int64_t hold_descriptors(Vcpu& v, const vcpu_guest_context_t& c) {
    PageTypes& types = v.host.page_types;
    std::vector<Mfn> held;
    for (std::size_t i = 0; i < (c.gdt_ents + kGdtPerFrame - 1) / kGdtPerFrame; ++i) {
        const Mfn mfn{c.gdt_frames[i]};
        if (types.get(mfn, v.domain, FrameType::descriptors) == 0) {
            held.push_back(mfn);
            continue;
        }
        for (const Mfn h : held) types.put(h);
        return -error(Errno::inval);
    }
    v.descriptor_frames = std::move(held);
    return 0;
}

std::int64_t load_tables(Vcpu& v, const vcpu_guest_context_t& c) {
    if (const std::int64_t rc = hold_descriptors(v, c); rc != 0) return rc;
    std::int64_t rc = load_page_tables(v, top_table(v.domain, c.ctrlreg[3]));
    if (rc == 0 && v.domain.config.bits == 64 && c.ctrlreg[1] != 0) {
        const Mfn user{c.ctrlreg[1] / kPageSize};
        rc = v.host.page_types.get(user, v.domain, table_type(top_level(v.domain)));
        if (rc == 0) v.user_page_tables = user;
    }
    if (rc != 0) drop_page_tables(v);
    return rc;
}

}  // namespace

std::int64_t set_pv_context(Vcpu& v, const vcpu_guest_context_t& c) {
    const bool wide = v.domain.config.bits == 64;
    if (wide && !addresses_are_canonical(c)) return -error(Errno::inval);
    if (c.ldt_base % kPageSize != 0 || c.ldt_ents > kLdtMax || c.gdt_ents > kGdtFrames * kGdtPerFrame)
        return -error(Errno::inval);
    if (!v.page_tables) {
        if (wide && (c.flags & VGCF_in_kernel) == 0 && c.ctrlreg[1] == 0) return -error(Errno::inval);
        if (const std::int64_t rc = load_tables(v, c); rc != 0) return rc;
        if (v.id == VcpuId{0}) v.domain.vm_assist = c.vm_assist;
    } else if (!same_tables(v, c)) {
        return -error(Errno::opnotsupp);
    }
    v.event_callback = c.event_callback_eip;
    v.failsafe_callback = c.failsafe_callback_eip;
    v.context = std::make_unique<vcpu_guest_context_t>(c);
    v.host.set_up(v, (c.flags & VGCF_online) != 0);
    return 0;
}

vcpu_guest_context_t pv_context(const Vcpu& v) {
    vcpu_guest_context_t c = v.context ? *v.context : vcpu_guest_context_t{};
    c.flags = (c.flags & ~std::uint64_t{VGCF_online}) | (v.up ? VGCF_online : 0);
    c.event_callback_eip = v.event_callback;
    c.failsafe_callback_eip = v.failsafe_callback;
    c.ctrlreg[3] = v.page_tables ? base_register(v.domain, *v.page_tables) : 0;
    c.ctrlreg[1] = v.user_page_tables ? v.user_page_tables->value * kPageSize : 0;
    for (std::size_t i = 0; i < std::size(c.gdt_frames); ++i)
        c.gdt_frames[i] = i < v.descriptor_frames.size() ? v.descriptor_frames[i].value : 0;
    c.vm_assist = v.domain.vm_assist;
    return c;
}

namespace {

const CompatLayout& narrow_layout() { return *compat_argument(__HYPERVISOR_vcpu_op, VCPUOP_initialise)->layout; }

}  // namespace

bool fetch_context(GuestAccess& caller, const Vcpu& of, std::uint64_t at, vcpu_guest_context_t& context) {
    if (of.domain.translated() || of.domain.config.bits == 64) return caller.fetch(context, at);
    CompatAccess narrow(caller);
    return narrow.fetch(context, narrow.translated(at, narrow_layout()));
}

bool put_context(GuestAccess& caller, const Vcpu& of, std::uint64_t at, const vcpu_guest_context_t& context) {
    if (of.domain.translated() || of.domain.config.bits == 64) return caller.put(at, context);
    CompatAccess narrow(caller);
    return narrow.put(narrow.translated(at, narrow_layout()), context);
}

bool upcall_is_fatal(const Vcpu& v) {
    return !v.domain.translated() && v.cpu != nullptr && v.event_callback == 0 && v.upcall_pending();
}

}  // namespace xenrig::hypervisor
