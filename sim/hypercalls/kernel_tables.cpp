#include "sim/hypercalls/kernel_tables.h"

#include <cstring>

#include "sim/hypervisor/guest_access.h"
#include "sim/hypervisor/xen_abi.h"
#include "xenrig/abi/check.h"

namespace xenrig::hypercalls {

namespace {

constexpr std::uint64_t kPresent = 1, kWritable = 2, kUser = 4, kFrameBits = 0xff'ffff'ffff;

}  // namespace

void KernelTables::put(Gfn table, std::uint64_t index, Gfn to, std::uint64_t flags) {
    const std::uint64_t entry = frame_of(to) << 12 | flags;
    std::memcpy(host_.address_space(dom_).page(table) + index * sizeof entry, &entry, sizeof entry);
}

KernelTables::KernelTables(hypervisor::Hypervisor& host, DomId dom, unsigned bits) : host_(host), dom_(dom) {
    frames_ = host.info(dom)->frames;
    const unsigned levels = bits == 64 ? 4 : 3;
    const std::uint64_t last_level = (frames_ + kPerTable - 1) / kPerTable;
    const std::uint64_t tables = last_level + levels - 1;
    check(last_level <= kPerTable && tables < frames_, "a bare kernel's memory takes one table of the second level");
    first_ = Gfn{frames_ - tables};
    p2m_.reserve(frames_);
    for (std::uint64_t gfn = 0; gfn < frames_; ++gfn) p2m_.push_back(host.lookup(dom, Gfn{gfn})->value);
    for (std::uint64_t gfn = 0; gfn < frames_; ++gfn)
        put(Gfn{first_.value + gfn / kPerTable}, gfn % kPerTable, Gfn{gfn},
            kPresent | kUser | (gfn < first_.value ? kWritable : 0));
    // One table a level above: the second's entries are the tables of the last, the others have one each.
    Gfn above{first_.value + last_level};
    for (std::uint64_t i = 0; i < last_level; ++i) put(above, i, Gfn{first_.value + i}, kPresent | kWritable | kUser);
    for (; above.value + 1 < frames_; above = Gfn{above.value + 1})
        put(Gfn{above.value + 1}, 0, above, kPresent | kUser | (bits == 64 ? kWritable : 0));

    const std::uint64_t top = frame_of(above);
    Hypercalls& calls = host.hypercalls(dom, VcpuId{0});
    for (const unsigned command : {bits == 64 ? MMUEXT_PIN_L4_TABLE : MMUEXT_PIN_L3_TABLE, MMUEXT_NEW_BASEPTR}) {
        mmuext_op_t op{};
        op.cmd = command;
        op.arg1.mfn = top;
        check(calls.call(__HYPERVISOR_mmuext_op, {reinterpret_cast<std::uint64_t>(&op), 1, 0, DOMID_SELF}) == 0,
              "a kernel starts on tables that pass");
    }
}

std::uint64_t KernelTables::entry(std::uint64_t address) const {
    const std::uint64_t page = address / kPageSize;
    std::uint64_t entry = 0;
    if (page >= frames_) return entry;
    const Gfn table{first_.value + page / kPerTable};
    std::memcpy(&entry, host_.address_space(dom_).page(table) + page % kPerTable * sizeof entry, sizeof entry);
    return entry;
}

std::byte* KernelTables::at(std::uint64_t address) const {
    const std::uint64_t e = entry(address);
    if ((e & kPresent) == 0) return nullptr;
    return host_.memory().page(Mfn{e >> 12 & kFrameBits}) + address % kPageSize;
}

bool KernelTables::writable(std::uint64_t address) const {
    return (entry(address) & (kPresent | kWritable)) == (kPresent | kWritable);
}

}  // namespace xenrig::hypercalls
