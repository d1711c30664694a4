// The page tables that a PV kernel starts on: its pseudo-physical memory one to one, and the tables themselves, which
// are the highest of its frames, read-only.
//
// That is how Xen's dom0 builder starts a kernel that asks for VIRT_BASE 0 (XEN_ELFNOTE_VIRT_BASE).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/hypervisor/hypervisor.h"

namespace xenrig::hypercalls {

class KernelTables {
public:
    /// Written, pinned and loaded on vCPU 0.
    KernelTables(hypervisor::Hypervisor& host, DomId dom, unsigned bits);

    /// What an address leads to now; null where nothing is mapped.
    std::byte* at(std::uint64_t address) const;
    bool writable(std::uint64_t address) const;
    /// The machine frame that a page had at the start, as the kernel's own list has it; all ones beyond its memory.
    std::uint64_t frame_of(Gfn page) const { return page.value < frames_ ? p2m_[page.value] : ~0ull; }

private:
    static constexpr std::uint64_t kPerTable = kPageSize / sizeof(std::uint64_t);
    /// 0 beyond the kernel's memory.
    std::uint64_t entry(std::uint64_t address) const;
    void put(Gfn table, std::uint64_t index, Gfn to, std::uint64_t flags);

    hypervisor::Hypervisor& host_;
    DomId dom_;
    /// The tables of the last level stand one after the other from here.
    Gfn first_{};
    std::uint64_t frames_ = 0;
    std::vector<std::uint64_t> p2m_;
};

}  // namespace xenrig::hypercalls
