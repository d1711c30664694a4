// A PV kernel with page tables, as tests write it: its tables in gfns 1 to 4, and single entries changed by mmu_update.
#pragma once

#include <cstring>

#include "guest.h"
#include "sim/hypervisor/guest_access.h"

namespace xenrig::test {

inline constexpr std::uint64_t kPresent = 1, kWrite = 2, kUserPage = 4, kRead = kPresent | kUserPage,
                               kBoth = kPresent | kWrite | kUserPage;

/// A PV kernel of 64 or 32 bits. Gfns 1 to 4 are its tables (L1 first), through which the L1 maps linear pages 0 to
/// 511; gfn 8 holds arguments at linear page 8. Nothing is pinned or loaded yet.
struct Kernel {
    explicit Kernel(Hypervisor& xen, const char* name, unsigned bits = 64, bool privileged = false)
        : hv(xen),
          guest(xen, {.name = name, .type = GuestType::pv, .bits = bits, .privileged = privileged}),
          top(bits == 64 ? 4 : 3) {
        for (unsigned level = 2; level <= top; ++level) put(level, 0, frame(level - 1), kBoth);
        for (std::uint64_t page = 0; page < 16; ++page)
            put(1, page, frame(page), page >= 1 && page <= top ? kRead : kBoth);
    }
    std::uint64_t frame(std::uint64_t gfn) { return hv.lookup(guest.id, Gfn{gfn})->value; }
    std::uint64_t entry(std::uint64_t table, std::uint64_t index) {
        std::uint64_t e = 0;
        std::memcpy(&e, guest.page(table) + index * 8, sizeof e);
        return e;
    }
    void put(std::uint64_t table, std::uint64_t index, std::uint64_t mfn, std::uint64_t flags) {
        const std::uint64_t e = mfn << 12 | flags;
        std::memcpy(guest.page(table) + index * 8, &e, sizeof e);
    }
    Answer mmuext(unsigned command, std::uint64_t mfn, std::uint64_t second = 0, std::uint16_t dom = DOMID_SELF) {
        mmuext_op_t op{};
        op.cmd = command;
        op.arg1.mfn = mfn;
        op.arg2.src_mfn = second;
        return guest.call(__HYPERVISOR_mmuext_op, &op, 1, 0, dom);
    }
    Answer load() { return mmuext(MMUEXT_NEW_BASEPTR, frame(top)); }
    /// mmu_update of an entry of a table, with a page of `pages_of`'s.
    Answer update(std::uint64_t table, std::uint64_t index, std::uint64_t mfn, std::uint64_t flags,
                  unsigned command = MMU_NORMAL_PT_UPDATE, DomId pages_of = DomId{DOMID_SELF}) {
        mmu_update_t one{frame(table) << 12 | index * 8 | command, mfn << 12 | flags};
        return guest.call(__HYPERVISOR_mmu_update, &one, 1, 0, pages_of.value);
    }
    Answer map_linear(std::uint64_t page, std::uint64_t mfn, std::uint64_t flags) {
        return guest.call(__HYPERVISOR_update_va_mapping, page << 12, mfn << 12 | flags, UVMF_NONE);
    }
    /// Can a hypercall of its write there, and read?
    bool reaches(std::uint64_t address, bool write) {
        const auto memory = hv.linear_access(guest.id, VcpuId{0});
        std::uint64_t word = 0;
        if (!memory->fetch(word, address)) return false;
        return !write || memory->put(address, word);
    }

    Hypervisor& hv;
    Guest guest;
    unsigned top;
};

}  // namespace xenrig::test
