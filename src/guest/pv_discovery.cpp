#include "xenrig/guest/pv_discovery.h"

#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <vector>

#include "event_words.h"
#include "grant_status.h"
#include "text.h"
#include "xenrig/abi/check.h"
#include "xenrig/platform/cpu.h"
#include "xenrig/shared/door.h"

extern "C" {
#include <xen/callback.h>
#include <xen/grant_table.h>
#include <xen/vcpu.h>
#include <xen/xen.h>
}

namespace xenrig::guest {

namespace {

constexpr std::string_view kMagic = "xen-3.0-x86_64";
/// Entry points in the kernel's text, past its first instruction: the runner calls the C++ that they stand for.
constexpr std::uint64_t kEventEntry = 0x100, kFailsafeEntry = 0x200, kSecondaryEntry = 0x300;

}  // namespace

PvDiscovery::PvDiscovery(DomainLink& link, GuestMemory& memory, GfnPool& unpopulated, const PvLayout& layout,
                         GfnRange window)
    : link_(link), memory_(memory), unpopulated_(unpopulated), pages_(link, memory, layout, window) {}

Result<> PvDiscovery::read_start_page() {
    if (!start_) {
        const auto page = pages_.page_of(link_.start_info());
        if (!page) return std::unexpected(page.error());
        start_ = *page;
    }
    auto window = memory_.kernel_window(*start_, "start page");
    if (!window) return std::unexpected(window.error());
    start_page_ = std::move(*window);
    start_info_t info{};
    shared::copy_out(start_page_, 0, &info, offsetof(start_info_t, cmd_line));
    if (std::string_view(info.magic, strnlen(info.magic, sizeof info.magic)) != kMagic)
        return fail(Errno::inval, "the start page's magic is not " + std::string(kMagic));
    return pages_.start({.top_table = info.pt_base, .list = info.mfn_list, .pages = info.nr_pages});
}

Result<PvDiscovery::Mapped> PvDiscovery::map(std::optional<Mapped>& at, Mfn mfn) {
    if (!at) {
        const auto gfn = unpopulated_.take();
        if (!gfn) return std::unexpected(gfn.error());
        at = Mapped{*gfn, mfn};
    }
    at->mfn = mfn;
    if (auto mapped = pages_.map(at->gfn, mfn); !mapped) return std::unexpected(mapped.error());
    return *at;
}

Result<Gfn> PvDiscovery::shared_info() {
    if (auto read = read_start_page(); !read) return std::unexpected(read.error());
    const auto address = shared::load<std::uint64_t>(start_page_, offsetof(start_info_t, shared_info));
    const auto at = map(shared_info_, Mfn{address / kPageSize});
    if (!at) return std::unexpected(at.error());
    auto window = memory_.kernel_window(at->gfn, "shared_info of the start page");
    if (!window) return std::unexpected(window.error());
    shared_ = std::move(*window);

    // Where a toolstack that saves the domain finds the list of its frames: by the kernel's tables (arch-x86/xen.h).
    start_info_t info{};
    shared::copy_out(start_page_, 0, &info, offsetof(start_info_t, cmd_line));
    const Mfn top = pages_.mfn(pages_.top_table());
    constexpr std::size_t kArch = offsetof(shared_info_t, arch);
    shared::store<std::uint64_t>(shared_, kArch + offsetof(arch_shared_info_t, max_pfn), info.nr_pages);
    shared::store<std::uint64_t>(shared_, kArch + offsetof(arch_shared_info_t, pfn_to_mfn_frame_list_list), ~0ull);
    shared::store<std::uint64_t>(shared_, kArch + offsetof(arch_shared_info_t, p2m_vaddr), info.mfn_list);
    shared::store<std::uint64_t>(shared_, kArch + offsetof(arch_shared_info_t, p2m_cr3), top.value * kPageSize);
    return at->gfn;
}

Result<Gfn> PvDiscovery::grant_frame(unsigned index) {
    std::vector<xen_pfn_t> frames(index + std::size_t{1});
    gnttab_setup_table_t setup{};
    setup.dom = DOMID_SELF;
    setup.nr_frames = index + 1;
    setup.frame_list.p = frames.data();
    const std::int64_t answer = link_.call(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &setup, 1u);
    if (answer < 0) return std::unexpected(hypercall_error(answer, "GNTTABOP_setup_table"));
    if (setup.status != GNTST_okay) return std::unexpected(gntst_error(setup.status, "GNTTABOP_setup_table"));
    const auto at = map(grant_frames_[index], Mfn{frames[index]});
    if (!at) return std::unexpected(at.error());
    return at->gfn;
}

Result<RingPage> PvDiscovery::ring_page(std::size_t mfn_at, std::size_t port_at) {
    const auto frame = shared::load<std::uint64_t>(start_page_, mfn_at);
    const auto port = shared::load<std::uint32_t>(start_page_, port_at);
    if (frame == 0 || port == 0) return fail(Errno::noent, "the toolstack made no such ring");
    const auto gfn = pages_.gfn(Mfn{frame});
    if (!gfn) return std::unexpected(gfn.error());
    return RingPage{*gfn, Port{port}};
}

Result<RingPage> PvDiscovery::store() {
    return ring_page(offsetof(start_info_t, store_mfn), offsetof(start_info_t, store_evtchn));
}

Result<RingPage> PvDiscovery::console() {
    return ring_page(offsetof(start_info_t, console.domU.mfn), offsetof(start_info_t, console.domU.evtchn));
}

std::uint64_t PvDiscovery::frame_name(Gfn gfn) { return pages_.mfn(gfn).value; }

// --- Upcalls ---------------------------------------------------------------------------------------------------------

Result<> PvDiscovery::register_callbacks() {
    const std::uint64_t text = linear(Gfn{0});
    const std::pair<std::uint16_t, std::uint64_t> handlers[] = {{CALLBACKTYPE_event, text + kEventEntry},
                                                                {CALLBACKTYPE_failsafe, text + kFailsafeEntry}};
    for (const auto& [type, address] : handlers) {
        callback_register_t handler{};
        handler.type = type;
        handler.address = address;
        const std::int64_t answer = link_.call(__HYPERVISOR_callback_op, CALLBACKOP_register, &handler);
        if (answer < 0) return std::unexpected(hypercall_error(answer, "CALLBACKOP_register " + dec(type)));
    }
    return {};
}

Result<> PvDiscovery::start_vcpu(VcpuId vcpu) {
    const auto context = std::make_unique<vcpu_guest_context_t>();
    const std::uint64_t text = linear(Gfn{0});
    const Mfn top = pages_.mfn(pages_.top_table());
    context->flags = VGCF_in_kernel;
    context->user_regs.rip = text + kSecondaryEntry;
    context->user_regs.cs = FLAT_KERNEL_CS;
    context->kernel_ss = context->user_regs.ss = FLAT_KERNEL_SS;
    context->event_callback_eip = text + kEventEntry;
    context->failsafe_callback_eip = text + kFailsafeEntry;
    context->ctrlreg[3] = top.value * kPageSize;
    const std::int64_t made = link_.call(__HYPERVISOR_vcpu_op, VCPUOP_initialise, vcpu.value, context.get());
    if (made < 0) return std::unexpected(hypercall_error(made, "VCPUOP_initialise " + dec(vcpu.value)));
    const std::int64_t up = link_.call(__HYPERVISOR_vcpu_op, VCPUOP_up, vcpu.value, std::uint64_t{0});
    if (up < 0) return std::unexpected(hypercall_error(up, "VCPUOP_up " + dec(vcpu.value)));
    return {};
}

Result<> PvDiscovery::enable_upcalls() {
    if (auto done = register_callbacks(); !done) return done;
    // A restored domain has the vCPUs that the old one had.
    for (std::uint32_t v = 1; v < link_.cpus().size() && !vcpus_started_; ++v)
        if (auto done = start_vcpu(VcpuId{v}); !done) return done;
    vcpus_started_ = true;
    mask_upcalls(false);
    return {};
}

/// Each vCPU would do it for itself: none of them is in a place where that made a difference.
void PvDiscovery::mask_upcalls(bool masked) {
    for (std::uint32_t v = 0; v < link_.cpus().size(); ++v) {
        shared::store<std::uint8_t>(shared_, upcall_mask_at(VcpuId{v}), masked ? 1 : 0);
        // What came while they were off is looked for now.
        if (!masked) link_.cpus()[v]->kick();
    }
}

// --- Suspend ---------------------------------------------------------------------------------------------------------

void PvDiscovery::name_rings(bool by_machine) {
    for (const std::size_t at : {offsetof(start_info_t, store_mfn), offsetof(start_info_t, console.domU.mfn)}) {
        const auto frame = shared::load<std::uint64_t>(start_page_, at);
        if (frame == 0) continue;
        const auto gfn = by_machine ? Result<Gfn>(Gfn{frame}) : pages_.gfn(Mfn{frame});
        if (!gfn) continue;
        const std::uint64_t name = by_machine ? pages_.mfn(*gfn).value : gfn->value;
        shared::store<std::uint64_t>(start_page_, at, name);
    }
    link_.mark_dirty(*start_);
}

std::uint64_t PvDiscovery::leave() {
    mask_upcalls(true);
    name_rings(false);
    // A saved page table names frames of the domain's own memory alone.
    for (auto& [index, at] : grant_frames_)
        if (at) (void)pages_.unmap(at->gfn);
    if (shared_info_) (void)pages_.unmap(shared_info_->gfn);
    return frame_name(*start_);
}

void PvDiscovery::stay() {
    name_rings(true);
    (void)pages_.map(shared_info_->gfn, shared_info_->mfn);
    for (auto& [index, at] : grant_frames_)
        if (at) (void)pages_.map(at->gfn, at->mfn);
    mask_upcalls(false);
}

}  // namespace xenrig::guest
