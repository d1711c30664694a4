#include "sim/toolstack/pv_restore.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "sim/image/reader.h"
#include "sim/image/visitor.h"
#include "sim/toolstack/control_calls.h"
#include "sim/toolstack/pv_build.h"
#include "xenrig/shared/raw.h"

extern "C" {
#include <xen/xen.h>
}

namespace xenrig::toolstack {

namespace {

constexpr DomId kControl{0};
constexpr std::uint64_t kPresent = 1, kEntries = 512;
constexpr unsigned kBits = 64, kLevels = 4;
constexpr Mfn kNone{~0ull};

constexpr unsigned level_of(image::PageType t) { return image::has_data(t) ? static_cast<unsigned>(t) & 7 : 0; }
constexpr bool pinned(image::PageType t) { return image::has_data(t) && (static_cast<unsigned>(t) & 8) != 0; }

std::unexpected<Error> bad(const std::string& what) { return fail(Errno::badmsg, what); }

class PvRestorer final : public image::Visitor {
public:
    PvRestorer(Host& host, DomId domain, std::string_view guest)
        : host_(host), domain_(domain), guest_(guest), calls_(host, domain, kBits) {}

    Result<> on_begin(const image::ImageInfo& info) override {
        if (info.type != image::GuestType::pv) return fail(Errno::opnotsupp, "the image is of no PV guest");
        return {};
    }
    Result<> on_pv_info(image::PvInfo info) override {
        if (info.guest_width != kBits / 8 || info.pt_levels != kLevels)
            return fail(Errno::opnotsupp, "the image is of a 32-bit PV guest");
        return {};
    }
    Result<> on_p2m_frames(std::uint32_t first, std::uint32_t last, std::span<const Gfn> frames) override;
    Result<> on_pages(std::span<const image::Page> batch) override;
    Result<> on_machine_state(image::MachineState kind, VcpuId vcpu, std::span<const std::byte> state) override;
    Result<> on_guest_context(std::span<const std::byte> context) override {
        if (std::ranges::equal(context, std::as_bytes(std::span(guest_)))) return {};
        return bad("the image is not of guest '" + std::string(guest_) + "'");
    }

    /// The image is whole: the list of frames, the start page, the vCPUs, the pins.
    Result<Port> complete();

private:
    std::byte* page(Gfn gfn) { return host_.xen().memory().page(p2m_.at(gfn.value)); }
    Result<> populate(std::span<const Gfn> pages);
    Result<> localise(std::array<std::uint64_t, kEntries>& table);
    Result<> write_list();
    Result<> write_start_page(Gfn start, Port store, Port console);
    Result<Mfn> named(std::uint64_t gfn, unsigned level, const char* what) const;
    Result<> start_vcpu(VcpuId vcpu, vcpu_guest_context_t context, Port store, Port console);

    Host& host_;
    const DomId domain_;
    std::string_view guest_;
    ControlCalls calls_;
    std::vector<Mfn> p2m_;
    std::vector<image::PageType> types_;
    std::vector<Gfn> list_;
    std::map<VcpuId, vcpu_guest_context_t> vcpus_;
    Gfn store_, console_;
};

Result<> PvRestorer::on_p2m_frames(std::uint32_t first, std::uint32_t last, std::span<const Gfn> frames) {
    const auto info = host_.xen().info(domain_);
    if (!info) return std::unexpected(info.error());
    if (first != 0 || last >= info->max_frames)
        return bad("the image has pages up to " + std::to_string(last) + ", and the domain may have " +
                   std::to_string(info->max_frames));
    p2m_.resize(last + std::size_t{1}, kNone);
    types_.resize(p2m_.size(), image::PageType::invalid);
    list_.assign(frames.begin(), frames.end());
    return {};
}

Result<> PvRestorer::populate(std::span<const Gfn> pages) {
    std::vector<Gfn> fresh;
    for (const Gfn gfn : pages) {
        if (gfn.value >= p2m_.size()) return bad("page " + std::to_string(gfn.value) + " is beyond the last one");
        if (p2m_[gfn.value] == kNone && std::ranges::find(fresh, gfn) == fresh.end()) fresh.push_back(gfn);
    }
    if (fresh.empty()) return {};
    const auto got = calls_.populate(fresh);
    if (!got) return std::unexpected(got.error());
    for (std::size_t i = 0; i < fresh.size(); ++i) p2m_[fresh[i].value] = (*got)[i];
    return {};
}

/// Machine frames in the place of the guest's numbers, also of pages that come later.
Result<> PvRestorer::localise(std::array<std::uint64_t, kEntries>& table) {
    std::vector<Gfn> named;
    for (const std::uint64_t entry : table)
        if ((entry & kPresent) != 0) named.push_back(Gfn{entry >> 12 & 0xff'ffff'ffff});
    if (auto there = populate(named); !there) return there;
    for (std::uint64_t& entry : table) {
        if ((entry & kPresent) == 0) continue;
        const Mfn frame = p2m_[entry >> 12 & 0xff'ffff'ffff];
        entry = (entry & ~(0xff'ffff'ffffull << 12)) | frame.value << 12;
    }
    return {};
}

Result<> PvRestorer::on_pages(std::span<const image::Page> batch) {
    std::vector<Gfn> wanted;
    for (const image::Page& p : batch)
        if (p.type != image::PageType::invalid) wanted.push_back(p.gfn);
    if (auto there = populate(wanted); !there) return there;
    for (const image::Page& p : batch) {
        if (p.gfn.value >= types_.size()) return bad("page " + std::to_string(p.gfn.value) + " is beyond the last one");
        // A page that was never written is one like any other.
        types_[p.gfn.value] = p.type == image::PageType::allocate_only ? image::PageType::normal : p.type;
        if (p.data == nullptr) continue;
        std::array<std::uint64_t, kEntries> content;
        std::memcpy(content.data(), p.data, kPageSize);
        if (level_of(p.type) != 0)
            if (auto done = localise(content); !done) return done;
        shared::raw::copy_to_page(page(p.gfn), reinterpret_cast<const std::byte*>(content.data()), kPageSize);
    }
    return {};
}

Result<> PvRestorer::on_machine_state(image::MachineState kind, VcpuId vcpu, std::span<const std::byte> state) {
    if (kind == image::MachineState::vcpu_basic) {
        if (state.size() != sizeof(vcpu_guest_context_t)) return bad("a vCPU's state is not a 64-bit guest's");
        std::memcpy(&vcpus_[vcpu], state.data(), state.size());
    }
    if (kind != image::MachineState::shared_info) return {};
    if (state.size() != kPageSize) return bad("shared_info is one page");
    // Ports are the new domain's: nothing is pending, and all is masked.
    shared_info_t info{};
    std::memcpy(&info, state.data(), sizeof info);
    for (vcpu_info_t& v : info.vcpu_info) v.evtchn_pending_sel = 0;
    std::memset(info.evtchn_pending, 0, sizeof info.evtchn_pending);
    std::memset(info.evtchn_mask, 0xff, sizeof info.evtchn_mask);
    info.arch.pfn_to_mfn_frame_list_list = 0;
    // A frame of the old host's: until the guest has said it anew, nobody is to look there.
    info.arch.p2m_cr3 = 0;
    const auto frame = calls_.shared_info();
    if (!frame) return std::unexpected(frame.error());
    shared::raw::copy_to_page(host_.xen().memory().page(*frame), reinterpret_cast<const std::byte*>(&info),
                              sizeof info);
    return {};
}

Result<Mfn> PvRestorer::named(std::uint64_t gfn, unsigned level, const char* what) const {
    if (gfn >= p2m_.size() || p2m_[gfn] == kNone || level_of(types_[gfn]) != level)
        return bad(std::string(what) + " is at page " + std::to_string(gfn) + ", which is no such page");
    return p2m_[gfn];
}

Result<> PvRestorer::write_list() {
    for (std::size_t i = 0; i < list_.size(); ++i) {
        const auto frame = named(list_[i].value, 0, "the list of frames");
        if (!frame) return std::unexpected(frame.error());
        std::array<std::uint64_t, kEntries> part;
        for (std::size_t k = 0; k < kEntries; ++k)
            part[k] = i * kEntries + k < p2m_.size() ? p2m_[i * kEntries + k].value : kNone.value;
        shared::raw::copy_to_page(page(list_[i]), reinterpret_cast<const std::byte*>(part.data()), kPageSize);
    }
    return {};
}

Result<> PvRestorer::write_start_page(Gfn start, Port store, Port console) {
    start_info_t info{};
    shared::raw::copy_from_page(page(start), reinterpret_cast<std::byte*>(&info), sizeof info);
    store_ = Gfn{info.store_mfn};
    console_ = Gfn{info.console.domU.mfn};
    const auto store_frame = named(store_.value, 0, "the store's ring");
    if (!store_frame) return std::unexpected(store_frame.error());
    const auto console_frame = named(console_.value, 0, "the console's ring");
    if (!console_frame) return std::unexpected(console_frame.error());
    const auto shared = calls_.shared_info();
    if (!shared) return std::unexpected(shared.error());
    info.nr_pages = p2m_.size();
    info.shared_info = shared->value * kPageSize;
    info.flags = 0;
    info.store_mfn = store_frame->value;
    info.store_evtchn = store.value;
    info.console.domU.mfn = console_frame->value;
    info.console.domU.evtchn = console.value;
    shared::raw::copy_to_page(page(start), reinterpret_cast<const std::byte*>(&info), sizeof info);
    return {};
}

Result<> PvRestorer::start_vcpu(VcpuId vcpu, vcpu_guest_context_t c, Port store, Port console) {
    if (vcpu.value == 0) {
        const auto start = named(c.user_regs.rdx, 0, "the start page");
        if (!start) return std::unexpected(start.error());
        if (auto done = write_start_page(Gfn{c.user_regs.rdx}, store, console); !done) return done;
        c.user_regs.rdx = start->value;
    }
    c.flags |= VGCF_online;
    if (c.gdt_ents > std::size(c.gdt_frames) * kEntries) return bad("a vCPU has more descriptors than there can be");
    for (std::uint64_t i = 0; i * kEntries < c.gdt_ents; ++i) {
        const auto frame = named(c.gdt_frames[i], 0, "a descriptor table");
        if (!frame) return std::unexpected(frame.error());
        c.gdt_frames[i] = frame->value;
    }
    const auto top = named(c.ctrlreg[3] / kPageSize, kLevels, "a vCPU's top page table");
    if (!top) return std::unexpected(top.error());
    c.ctrlreg[3] = top->value * kPageSize;
    if ((c.ctrlreg[1] & 1) != 0) {
        const auto user = named(c.ctrlreg[1] / kPageSize, kLevels, "a vCPU's user page table");
        if (!user) return std::unexpected(user.error());
        c.ctrlreg[1] = user->value * kPageSize;
    }
    return calls_.set_context(vcpu, c);
}

Result<Port> PvRestorer::complete() {
    hypervisor::Hypervisor& xen = host_.xen();
    const auto store = xen.alloc_unbound(domain_, kControl);
    if (!store) return store;
    const auto console = xen.alloc_unbound(domain_, kControl);
    if (!console) return console;
    if (!vcpus_.contains(VcpuId{0})) return bad("the image has no vCPU 0");
    for (const auto& [vcpu, context] : vcpus_)
        if (auto done = start_vcpu(vcpu, context, *store, *console); !done) return std::unexpected(done.error());
    for (std::size_t i = 0; i < types_.size(); ++i) {
        if (!pinned(types_[i])) continue;
        if (auto done = calls_.pin_table(level_of(types_[i]), p2m_[i]); !done) return std::unexpected(done.error());
    }
    if (auto done = write_list(); !done) return std::unexpected(done.error());
    if (auto done = grant_rings(host_, domain_, store_, console_); !done) return std::unexpected(done.error());
    return store;
}

}  // namespace

Result<Port> restore_pv(Host& host, DomId domain, std::span<const std::byte> saved, std::string_view guest) {
    PvRestorer restorer(host, domain, guest);
    image::Reader reader(restorer);
    if (auto fed = reader.feed(saved); !fed) return std::unexpected(fed.error());
    if (auto whole = reader.finish(); !whole) return std::unexpected(whole.error());
    return restorer.complete();
}

}  // namespace xenrig::toolstack
