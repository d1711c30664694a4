#include "sim/toolstack/pv_source.h"

#include <cstring>
#include <string>

#include "xenrig/shared/raw.h"

extern "C" {
#include <xen/xen.h>
}

namespace xenrig::toolstack {

namespace {

constexpr std::uint64_t kPresent = 1, kLarge = 1 << 7, kEntries = 512;
constexpr unsigned kLevels = 4, kBits = 64;
/// The slots of a top table that are Xen's.
constexpr unsigned kXenFirst = 256, kXenLast = 271;
/// So many pages a guest may say that it has, whatever is in its word: those of Xen's own limit for a saved domain are
/// more than any host here has.
constexpr std::uint64_t kPagesMost = 1 << 24;

constexpr Mfn frame_in(std::uint64_t entry) { return Mfn{entry >> 12 & 0xff'ffff'ffff}; }
constexpr std::uint64_t with_frame(std::uint64_t entry, std::uint64_t frame) {
    return (entry & ~(0xff'ffff'ffffull << 12)) | frame << 12;
}

constexpr bool is_table(image::PageType t) {
    const auto level = static_cast<unsigned>(t) & 7;
    return image::has_data(t) && level >= 1 && level <= kLevels;
}

}  // namespace

PvSource::PvSource(Host& host, DomId domain) : host_(host), domain_(domain), calls_(host, domain, kBits) {}

std::uint64_t PvSource::shared_word(std::size_t offset) const {
    const std::byte* page = host_.xen().shared_info(domain_);
    constexpr std::size_t kArch = offsetof(shared_info_t, arch);
    return page ? shared::raw::load<std::uint64_t>(page + kArch + offset) : 0;
}

std::uint64_t PvSource::word(Mfn frame, std::size_t offset) const {
    return shared::raw::load<std::uint64_t>(host_.xen().memory().page(frame) + offset);
}

bool PvSource::ready() const { return shared_word(offsetof(arch_shared_info_t, p2m_cr3)) != 0; }

std::optional<Mfn> PvSource::walk(Mfn top, std::uint64_t address) const {
    const hypervisor::MachineMemory& memory = host_.xen().memory();
    Mfn table = top;
    for (unsigned level = kLevels; level != 0; --level) {
        if (!memory.allocated(table) || memory.owner(table) != domain_) return std::nullopt;
        const std::uint64_t index = address >> (12 + 9 * (level - 1)) & (kEntries - 1);
        const std::uint64_t entry = word(table, index * sizeof entry);
        if ((entry & kPresent) == 0 || (level != 1 && (entry & kLarge) != 0)) return std::nullopt;
        table = frame_in(entry);
    }
    return table;
}

Result<> PvSource::map_list() {
    const auto wrong = [this](const std::string& what) {
        return fail(Errno::range, "domain " + std::to_string(domain_.value) + " can't be saved: " + what);
    };
    pages_ = shared_word(offsetof(arch_shared_info_t, max_pfn));
    const std::uint64_t at = shared_word(offsetof(arch_shared_info_t, p2m_vaddr));
    const Mfn top{shared_word(offsetof(arch_shared_info_t, p2m_cr3)) / kPageSize};
    if (pages_ == 0 || pages_ > kPagesMost || at % kPageSize != 0)
        return wrong("it says that its list of " + std::to_string(pages_) + " frames is at " + std::to_string(at));
    list_.clear();
    list_frames_.clear();
    for (std::uint64_t i = 0; i * kEntries < pages_; ++i) {
        const auto frame = walk(top, at + i * kPageSize);
        const Gfn gfn = frame ? host_.xen().memory().machine_to_phys(*frame) : hypervisor::kNoGfn;
        if (gfn.value >= pages_ || host_.xen().memory().owner(*frame) != domain_)
            return wrong("page " + std::to_string(i) + " of its list of frames is not its memory");
        list_.push_back(gfn);
        list_frames_.push_back(*frame);
    }
    return {};
}

Result<Gfn> PvSource::page_of(Mfn frame, const char* what) const {
    const hypervisor::MachineMemory& memory = host_.xen().memory();
    const Gfn gfn = memory.machine_to_phys(frame);
    // Another domain's frame has a place as well: in that domain.
    if (gfn.value < pages_ && memory.owner(frame) == domain_ &&
        word(list_frames_[gfn.value / kEntries], gfn.value % kEntries * sizeof(std::uint64_t)) == frame.value)
        return gfn;
    return fail(Errno::range, std::string(what) + " names machine frame " + std::to_string(frame.value) +
                                  ", which is not of the memory of domain " + std::to_string(domain_.value));
}

Result<std::vector<image::PageType>> PvSource::types(std::span<const Mfn> frames) {
    const auto found = calls_.page_types({frames.begin(), frames.end()});
    if (!found) return std::unexpected(found.error());
    constexpr unsigned kTypeAt = 28;
    std::vector<image::PageType> types;
    for (const std::uint32_t info : *found) types.push_back(static_cast<image::PageType>(info >> kTypeAt));
    return types;
}

Result<> PvSource::normalise(Frame& table, image::PageType type) const {
    if (!is_table(type)) return {};
    const unsigned level = static_cast<unsigned>(type) & 7;
    std::array<std::uint64_t, kEntries> entries;
    std::memcpy(entries.data(), table.data(), kPageSize);
    for (unsigned i = 0; i < kEntries; ++i) {
        if (level == kLevels && i >= kXenFirst && i <= kXenLast) entries[i] = 0;
        if ((entries[i] & kPresent) == 0) continue;
        const auto gfn = page_of(frame_in(entries[i]), "a page table");
        if (!gfn) return fail(Errno::again, gfn.error().message);
        entries[i] = with_frame(entries[i], gfn->value);
    }
    std::memcpy(table.data(), entries.data(), kPageSize);
    return {};
}

std::array<std::byte, kPageSize> PvSource::shared_info() const {
    std::array<std::byte, kPageSize> copy{};
    if (const std::byte* page = host_.xen().shared_info(domain_))
        shared::raw::copy_from_page(page, copy.data(), kPageSize);
    return copy;
}

Result<std::optional<std::vector<std::byte>>> PvSource::vcpu(VcpuId id) {
    auto context = calls_.context(id);
    if (!context && context.error().code == Errno::nodata) return std::nullopt;
    if (!context) return std::unexpected(context.error());
    if ((context->flags & VGCF_online) == 0) return std::nullopt;
    // vCPU 0 left the start page's frame in its call to suspend.
    const auto start = id.value == 0 ? page_of(Mfn{context->user_regs.rdx}, "the suspend") : Result<Gfn>(Gfn{});
    if (!start) return std::unexpected(start.error());
    if (id.value == 0) context->user_regs.rdx = start->value;
    for (std::uint64_t i = 0; i * kEntries < context->gdt_ents; ++i) {
        const auto gfn = page_of(Mfn{context->gdt_frames[i]}, "a descriptor table");
        if (!gfn) return std::unexpected(gfn.error());
        context->gdt_frames[i] = gfn->value;
    }
    const auto top = page_of(Mfn{context->ctrlreg[3] / kPageSize}, "a vCPU's base register");
    if (!top) return std::unexpected(top.error());
    context->ctrlreg[3] = top->value * kPageSize;
    if (context->ctrlreg[1] != 0) {
        const auto user = page_of(Mfn{context->ctrlreg[1] / kPageSize}, "a vCPU's user base register");
        if (!user) return std::unexpected(user.error());
        // Its first bit says that there is one.
        context->ctrlreg[1] = user->value * kPageSize | 1;
    }
    const auto* bytes = reinterpret_cast<const std::byte*>(&*context);
    return std::vector<std::byte>(bytes, bytes + sizeof *context);
}

}  // namespace xenrig::toolstack
