// The page tables that a bare PV kernel begins with, as domain_pv.c of tests/interop/real-xen builds them.
#include <cstring>

#include "sim/hypercalls/bare_kernel.h"
#include "sim/hypervisor/xen_abi.h"
#include "xenrig/abi/check.h"

namespace xenrig::hypercalls {

namespace {

constexpr std::uint64_t kPresent = 1, kPresentWritableUser = 7, kEntries = 512;
/// What is mapped: all of a domain that was built, and of dom0 what Xen maps for its kernel.
constexpr std::uint64_t kControlPages = 12ull << 20 >> 12, kBuiltPages = 8ull << 20 >> 12;
/// The tables are the last of it.
constexpr std::uint64_t kTablePages = 32;

}  // namespace

void BareKernel::load_page_tables() {
    const std::uint64_t pages = kind_.privileged ? kControlPages : kBuiltPages, first = pages - kTablePages;
    for (std::uint64_t gfn = 0; gfn < pages; ++gfn) p2m_.push_back(host_.lookup(dom_, Gfn{gfn})->value);
    const auto put = [this](std::uint64_t table, std::uint64_t index, std::uint64_t page, std::uint64_t flags) {
        const std::uint64_t entry = p2m_[page] * kPageSize | flags;
        std::memcpy(host_.address_space(dom_).page(Gfn{table}) + index * sizeof entry, &entry, sizeof entry);
    };
    const std::uint64_t level1 = first, level2 = level1 + pages / kEntries, level3 = level2 + 1, level4 = level3 + 1;
    for (std::uint64_t page = 0; page < pages; ++page)
        put(level1 + page / kEntries, page % kEntries, page, page >= first ? kPresent : kPresentWritableUser);
    for (std::uint64_t i = 0; i < pages / kEntries; ++i) put(level2, i, level1 + i, kPresentWritableUser);
    put(level3, 0, level2, narrow() ? kPresent : kPresentWritableUser);
    // A PAE guest's third GiB has a level 2 of its own, in which Xen has its part.
    narrow() ? put(level3, 3, level4, kPresent) : put(level4, 0, level3, kPresentWritableUser);

    const std::uint64_t top = p2m_[narrow() ? level3 : level4];
    // Its two words and the argument after them are as wide as the kernel's own.
    const auto put_op = [this]<class Word>(Word frame) {
        const Word op[3] = {MMUEXT_NEW_BASEPTR, frame, 0};
        return write(kScratch, op, sizeof op);
    };
    check(narrow() ? put_op(static_cast<std::uint32_t>(top)) : put_op(top), "the scratch page is the kernel's own");
    const std::int64_t answer = call(__HYPERVISOR_mmuext_op, kScratch, 1, 0, DOMID_SELF);
    check(answer == 0, "a kernel's own page tables are in order");
    // What Xen turns on for a dom0 whose ELF note says that it knows PAE.
    if (narrow() && kind_.privileged) call(__HYPERVISOR_vm_assist, VMASST_CMD_enable, VMASST_TYPE_pae_extended_cr3);
    asked_.clear();
}

}  // namespace xenrig::hypercalls
