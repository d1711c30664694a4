// __HYPERVISOR_mmu_update and update_va_mapping (x86/mm.c: do_mmu_update, do_update_va_mapping): single entries of
// page tables, by their machine address or by the linear address that they map.
#include "sim/hypervisor/mmu_op.h"

#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/page_walk.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

namespace {

/// The frame's place in its owner's pseudo-physical memory, which for a PV guest is what it says.
std::int64_t set_machphys(Host& host, Domain& d, Mfn mfn, Gfn gfn) {
    if (!host.memory.allocated(mfn) || host.memory.owner(mfn) != d.id) return -error(Errno::inval);
    if (host.memory.kind(mfn) != FrameKind::ram || host.memory.gfn(mfn) == gfn) return 0;
    const Gfn old = host.memory.gfn(mfn);
    const PhysmapEntry there = d.physmap.at(old);
    if (old != kNoGfn && there.own() && there.frame() == mfn) {
        host.displace(d, there);
        host.clear_physmap(d, old);
    }
    if (!d.physmap.fits(gfn) || std::erase(d.unplaced, mfn) == 0) return 0;
    if (const PhysmapEntry before = d.physmap.at(gfn); before.own()) host.displace(d, before);
    host.memory.set_gfn(mfn, gfn);
    host.set_physmap(d, gfn, mfn, PageType::ram);
    return 0;
}

/// Whose tables, in the upper half plus one, and whose pages.
struct Owners {
    Domain* tables;
    Domain* pages;
};

std::int64_t update_entry(Call& call, const mmu_update_t& update, const Owners& of, std::uint64_t command) {
    constexpr std::uint64_t kCommandMask = sizeof(std::uint64_t) - 1;
    const std::uint64_t at = update.ptr & ~kCommandMask;
    const auto mfn = call.host.guest_frame(*of.tables, at / kPageSize);
    if (!mfn) return -error(Errno::inval);
    PageTypes& types = call.host.page_types;
    const auto index = static_cast<unsigned>(at % kPageSize / sizeof(std::uint64_t));
    const PageTableEntry to{update.val};
    if (level_of(types.type(*mfn)) != 0) {
        if (level_of(types.type(*mfn)) != 1 && of.pages != of.tables) return -error(Errno::inval);
        {
            const EntryUpdate how = command == MMU_PT_UPDATE_PRESERVE_AD    ? EntryUpdate::keep_accessed_dirty
                                    : command == MMU_PT_UPDATE_NO_TRANSLATE ? EntryUpdate::no_translate
                                                                            : EntryUpdate::normal;
            return types.change(*mfn, index, to, how, *of.tables, *of.pages);
        }
    }
    // A page that is no table yet is written like any other.
    const std::int64_t result = types.get(*mfn, *of.tables, FrameType::writable);
    if (result != 0) return result;
    types.replace_word(*mfn, index, to);
    types.put(*mfn);
    return 0;
}

std::int64_t update(Call& call, const mmu_update_t& one, const Owners& of) {
    const std::uint64_t command = one.ptr & 7;
    switch (command) {
        case MMU_NORMAL_PT_UPDATE:
        case MMU_PT_UPDATE_PRESERVE_AD:
        case MMU_PT_UPDATE_NO_TRANSLATE:
            return update_entry(call, one, of, command);
        case MMU_MACHPHYS_UPDATE:
            return set_machphys(call.host, *of.pages, Mfn{one.ptr / kPageSize}, Gfn{one.val});
        default:
            return -error(Errno::nosys);
    }
}

std::int64_t update_linear(Call& call, std::uint64_t address, PageTableEntry to, std::uint64_t flags,
                           Domain& pages_of) {
    if (!may_target(call.domain, pages_of)) return -error(Errno::perm);
    const auto at = walk(call.vcpu, address);
    if (!at) return -error(Errno::inval);
    const std::int64_t result =
        call.host.page_types.change(at->table, at->index, to, EntryUpdate::normal, call.domain, pages_of);
    if (result != 0) return result;
    // What is to be flushed where: only a set of vCPUs has to be read.
    const std::uint64_t how = flags & UVMF_FLUSHTYPE_MASK, set = flags & ~std::uint64_t{UVMF_FLUSHTYPE_MASK};
    if ((how != UVMF_TLB_FLUSH && how != UVMF_INVLPG) || set == UVMF_LOCAL || set == UVMF_ALL) return 0;
    return vcpu_set_readable(call, set) ? 0 : -error(Errno::fault);
}

}  // namespace

bool vcpu_set_readable(Call& call, std::uint64_t at) {
    // A bit a vCPU, as far as the domain has any.
    std::uint64_t word = 0;
    for (std::size_t first = 0; first < call.domain.vcpus.size(); first += 64)
        if (!call.guest.fetch(word, at + first / 8)) return false;
    return true;
}

Domain* page_owner(Call& call, std::uint16_t dom) {
    if (dom == DOMID_SELF) return &call.domain;
    // It may not name itself as somebody else.
    return dom == call.domain.id.value ? nullptr : call.host.find(DomId{dom});
}

void put_done(Call& call, std::uint64_t at, std::uint32_t done) {
    if (at != 0) static_cast<void>(call.guest.put(at, done));
}

std::int64_t mmu_update(Call& call) {
    if (call.domain.translated()) return -error(Errno::nosys);
    const auto foreign = static_cast<std::uint32_t>(call.arg(3));
    Owners of{&call.domain, nullptr};
    if (const std::uint32_t tables = foreign >> 16; tables != 0) {
        of.tables = call.host.find(DomId{static_cast<std::uint16_t>(tables - 1)});
        if (!of.tables) return -error(Errno::srch);
        if (of.tables != &call.domain && !may_target(call.domain, *of.tables)) return -error(Errno::perm);
        if (of.tables->translated()) return -error(Errno::inval);
    }
    of.pages = page_owner(call, static_cast<std::uint16_t>(foreign));
    if (!of.pages) return -error(Errno::srch);
    const auto count = static_cast<std::uint32_t>(call.arg(1));
    std::int64_t result = 0;
    std::uint32_t done = 0;
    for (; done < count && result == 0; done += result == 0 ? 1 : 0) {
        mmu_update_t one;
        if (!call.guest.fetch(one, call.arg(0) + std::uint64_t{done} * sizeof one))
            result = -error(Errno::fault);
        else if (!may_target(call.domain, *of.pages))
            result = -error(Errno::perm);
        else
            result = update(call, one, of);
    }
    put_done(call, call.arg(2), done);
    return result;
}

std::int64_t update_va_mapping(Call& call) {
    if (call.domain.translated()) return -error(Errno::nosys);
    return update_linear(call, call.arg(0), {call.arg(1)}, call.arg(2), call.domain);
}

std::int64_t update_va_mapping_otherdomain(Call& call) {
    if (call.domain.translated()) return -error(Errno::nosys);
    Domain* pages_of = page_owner(call, static_cast<std::uint16_t>(call.arg(3)));
    if (!pages_of) return -error(Errno::srch);
    return update_linear(call, call.arg(0), {call.arg(1)}, call.arg(2), *pages_of);
}

}  // namespace xenrig::hypervisor
