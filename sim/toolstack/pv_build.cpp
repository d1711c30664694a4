#include "sim/toolstack/pv_build.h"

#include <algorithm>
#include <cstddef>
#include <span>

#include "sim/toolstack/control_calls.h"
#include "sim/toolstack/toolstack.h"
#include "xenrig/shared/raw.h"

extern "C" {
// xen.h first: the others lean on its types.
#include <xen/xen.h>

#include <xen/foreign/x86_32.h>
#include <xen/grant_table.h>
}

namespace xenrig::toolstack {

namespace {

constexpr DomId kControl{0};
constexpr std::uint64_t kPresent = 1 << 0, kWritable = 1 << 1, kUser = 1 << 2, kAccessed = 1 << 5, kDirty = 1 << 6;
constexpr std::uint64_t kEntries = 512;

/// A guest's memory as its builder has it mapped while nothing of it runs.
class Frames {
public:
    Frames(Host& host, const std::vector<Mfn>& p2m) : memory_(host.xen().memory()), p2m_(p2m) {}

    Mfn mfn(Gfn gfn) const { return p2m_.at(gfn.value); }
    void put(Gfn gfn, std::size_t offset, std::span<const std::byte> bytes) {
        for (std::size_t done = 0; done < bytes.size();) {
            const std::size_t at = (offset + done) % kPageSize, part = std::min(kPageSize - at, bytes.size() - done);
            std::byte* page = memory_.page(mfn(Gfn{gfn.value + (offset + done) / kPageSize}));
            shared::raw::copy_to_page(page + at, bytes.data() + done, part);
            done += part;
        }
    }

private:
    hypervisor::MachineMemory& memory_;
    const std::vector<Mfn>& p2m_;
};

/// Each level's entries point to the tables of the next, the last one's to the memory: page tables read-only, all else
/// writable (setup_pgtables_pv, get_pg_prot).
void write_tables(const PvPlan& plan, Frames& frames) {
    const auto is_table = [&](Gfn gfn) {
        return gfn >= plan.tables.first && gfn.value < plan.tables.first.value + plan.tables.count;
    };
    constexpr std::uint64_t kInner = kPresent | kWritable | kUser | kAccessed | kDirty;
    const auto put = [&](unsigned level, std::uint64_t slot, Gfn to, std::uint64_t flags) {
        const PvPlan::Level& l = plan.level.at(level);
        const std::uint64_t n = slot - l.first * kEntries, entry = frames.mfn(to).value * kPageSize | flags;
        frames.put(Gfn{l.table.value + n / kEntries}, n % kEntries * sizeof entry, std::as_bytes(std::span(&entry, 1)));
    };
    for (unsigned level = plan.levels(); level > 1; --level) {
        const PvPlan::Level& below = plan.level.at(level - 1);
        for (std::uint64_t i = 0; i < below.count; ++i) put(level, below.first + i, Gfn{below.table.value + i}, kInner);
    }
    const std::uint64_t first = plan.level.at(1).first * kEntries + plan.virt_base / kPageSize % kEntries;
    for (std::uint64_t i = 0; i < plan.mapped; ++i)
        put(1, first + i, Gfn{i}, kPresent | kAccessed | (is_table(Gfn{i}) ? 0 : kWritable));
}

/// xen_pfn_to_cr3: a 32-bit guest's register has the frame's upper bits below.
std::uint64_t base_register(const PvPlan& plan, Mfn top) {
    if (plan.bits == 64) return top.value * kPageSize;
    return static_cast<std::uint32_t>(top.value << 12 | top.value >> 20);
}

/// The simulated kernel's first instruction: the beginning of its image.
vcpu_guest_context_t first_context(const PvPlan& plan, Mfn top) {
    constexpr std::uint64_t kInterrupts = 1 << 9;
    vcpu_guest_context_t c{};
    c.user_regs.rip = plan.address(plan.kernel.first);
    c.user_regs.rsp = plan.address(Gfn{plan.stack.value + 1});
    c.user_regs.rsi = plan.address(plan.start_info);
    c.user_regs.rflags = kInterrupts;
    c.flags = VGCF_in_kernel | VGCF_online;
    c.ctrlreg[3] = base_register(plan, top);
    const bool wide = plan.bits == 64;
    c.user_regs.cs = wide ? FLAT_KERNEL_CS64 : FLAT_KERNEL_CS_X86_32;
    const std::uint16_t data = wide ? FLAT_KERNEL_DS64 : FLAT_KERNEL_DS_X86_32;
    c.user_regs.ds = c.user_regs.es = c.user_regs.fs = c.user_regs.gs = data;
    c.user_regs.ss = wide ? FLAT_KERNEL_SS64 : FLAT_KERNEL_SS_X86_32;
    c.kernel_ss = c.user_regs.ss;
    c.kernel_sp = c.user_regs.rsp;
    return c;
}

}  // namespace

Result<> grant_rings(Host& host, DomId domain, Gfn store, Gfn console) {
    const std::pair<unsigned, Gfn> grants[] = {{GNTTAB_RESERVED_XENSTORE, store}, {GNTTAB_RESERVED_CONSOLE, console}};
    for (const auto& [ref, gfn] : grants)
        if (auto done = host.xen().seed_grant(domain, GrantRef{ref}, kControl, gfn); !done) return done;
    return {};
}

Result<Port> build_pv(Host& host, DomId domain, const PvPlan& plan, const DomainSpec& spec) {
    ControlCalls calls(host, domain, plan.bits);
    hypervisor::Hypervisor& xen = host.xen();
    std::vector<Gfn> pages;
    pages.reserve(plan.frames);
    for (std::uint64_t i = 0; i < plan.frames; ++i) pages.push_back(Gfn{i});
    const auto p2m = calls.populate(pages);
    if (!p2m) return std::unexpected(p2m.error());
    Frames frames(host, *p2m);

    const auto store_port = xen.alloc_unbound(domain, kControl);
    if (!store_port) return store_port;
    const auto console_port = xen.alloc_unbound(domain, kControl);
    if (!console_port) return console_port;
    const auto shared_info = calls.shared_info();
    if (!shared_info) return std::unexpected(shared_info.error());
    for (const Gfn ring : {plan.store, plan.console})
        if (auto done = calls.clear_page(frames.mfn(ring)); !done) return std::unexpected(done.error());

    frames.put(plan.p2m.first, 0, p2m_bytes(plan, *p2m));
    write_tables(plan, frames);
    frames.put(plan.start_info, 0,
               start_info_bytes(plan, {.shared_info = *shared_info,
                                       .store = frames.mfn(plan.store),
                                       .console = frames.mfn(plan.console),
                                       .store_port = *store_port,
                                       .console_port = *console_port,
                                       .cmd_line = spec.cmd_line}));
    const Mfn top = frames.mfn(plan.tables.first);
    if (auto done = calls.pin_table(plan.levels(), top); !done) return std::unexpected(done.error());

    // A PV guest's upcalls are off until it turns them on.
    std::byte* shared = xen.memory().page(*shared_info);
    for (std::size_t v = 0; v < XEN_LEGACY_MAX_VCPUS; ++v)
        shared::raw::store<std::uint8_t>(shared + v * sizeof(vcpu_info_t) + offsetof(vcpu_info_t, evtchn_upcall_mask),
                                         1);
    if (auto done = calls.set_context(VcpuId{0}, first_context(plan, top)); !done) return std::unexpected(done.error());

    if (auto done = grant_rings(host, domain, plan.store, plan.console); !done) return std::unexpected(done.error());
    return *store_port;
}

Result<std::uint64_t> pv_start_address(Host& host, DomId domain, unsigned bits) {
    const auto context = ControlCalls(host, domain, bits).context(VcpuId{0});
    if (!context) return std::unexpected(context.error());
    return context->user_regs.rsi;
}

}  // namespace xenrig::toolstack
