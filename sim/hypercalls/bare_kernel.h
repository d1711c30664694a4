// A bare kernel in a domain of the simulator: what tests/interop/real-xen boots on real Xen.
//
// Its structs lie in its own memory and have its own word's layout, so that a hypercall's pointers mean what they mean
// there; an address is the pseudo-physical one. No vCPU runs anything else, and time stands still: a hypercall that
// would wait returns at once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sim/hypercalls/kernel_kind.h"
#include "sim/hypervisor/hypervisor.h"
#include "sim/hypervisor/shared_words.h"

namespace xenrig::hypercalls {

class KernelAccess;

class BareKernel {
public:
    /// Starts: shared_info and the first grant frame are its own to see.
    BareKernel(hypervisor::Hypervisor& host, DomId dom, const KernelKind& kind);
    ~BareKernel();

    /// As its processor gives the answer: a 32-bit kernel's arguments and answers have 32 bits.
    std::int64_t call(unsigned number, std::uint64_t a = 0, std::uint64_t b = 0, std::uint64_t c = 0,
                      std::uint64_t d = 0);
    /// The operation's struct goes through the kernel's memory, there and back. It must be the same for either word.
    template <class Op>
    std::int64_t call_on(unsigned number, unsigned operation, Op& op, std::uint64_t count = 0) {
        return call_on(number, operation, &op, sizeof op, count);
    }
    /// Every hypercall since the last take: what a recorded script compares.
    struct Asked {
        unsigned number;
        /// The sub-operation, wherever the hypercall has it; 0 where it has none.
        std::uint32_t operation;
        std::int64_t answer;
    };
    std::vector<Asked> take_asked() { return std::exchange(asked_, {}); }
    bool translated() const { return kind_.type != hypervisor::GuestType::pv; }
    bool narrow() const { return kind_.bits == 32; }
    const KernelKind& kind() const { return kind_; }
    DomId domid() const { return dom_; }
    /// What it prints before the first operation.
    const std::string& opening() const { return opening_; }

    const SharedLayout& layout() const { return narrow() ? kLayout32 : kLayout64; }
    /// Where it sees shared_info and the first frame of its grant table, as long as it leaves them there.
    std::uint64_t shared_info_address() const { return kSharedInfo; }
    std::uint64_t grant_address() const { return kGrants; }
    /// Where the first frame of its status words is seen; 0 unless map_status_frame() went well.
    std::uint64_t status_address() const { return status_mapped_ ? kStatus : 0; }
    /// Xen's answer to where they are, and to mapping them.
    struct StatusFrames {
        std::int64_t found, mapped;
    };
    StatusFrames map_status_frame();
    void unmap_status_frame();

    /// 16 pages of its own to grant, and 16 that mappings are put over.
    /// The frame that such a page began with, whatever is at its address now; null where a PVH kernel has none there.
    std::byte* page_frame(std::int64_t index);
    std::uint64_t page_address(std::int64_t index) const { return kPages + masked(index) * kPageSize; }
    std::uint64_t window_address(std::int64_t index) const { return kWindows + masked(index) * kPageSize; }
    /// What the kernel reads and writes by itself; false where that is a fault, or without memory there.
    bool read(std::uint64_t address, void* to, std::size_t bytes);
    bool write(std::uint64_t address, const void* from, std::size_t bytes);
    /// Its stack, so to speak, is still there: without it the next operation is a fault.
    bool can_go_on();
    /// The frame behind one of its own addresses as a hypercall takes it: a PV kernel's machine frame, a PVH one's gfn.
    std::uint64_t frame_of(std::uint64_t address) const;

private:
    static constexpr std::uint64_t kScratch = 0x18'0000, kPages = 0x1a'0000, kWindows = 0x1c'0000;
    static constexpr std::uint64_t kSharedInfo = 0x1d'0000, kGrants = 0x1d'1000, kStatus = 0x1d'2000;
    /// Behind an operation's struct: lists that it points to.
    static constexpr std::uint64_t kList = kScratch + kPageSize / 2;
    static std::uint64_t masked(std::int64_t index) { return static_cast<std::uint64_t>(index) & 15; }
    std::int64_t call_on(unsigned number, unsigned operation, void* op, std::size_t bytes, std::uint64_t count);
    std::uint32_t operation_of(unsigned number, std::uint64_t first);
    /// A PV kernel begins with its memory one to one in page tables of its own (kernel_tables.cpp).
    void load_page_tables();
    std::int64_t add_to_physmap(std::uint64_t address, unsigned space, std::uint64_t index);
    /// A PV kernel's: another entry for one of its addresses.
    std::int64_t update_va_mapping(std::uint64_t address, std::uint64_t entry);
    std::int64_t map_frame(std::uint64_t address, Mfn mfn);
    Mfn frame_at(const std::byte* page) const;
    /// The answer and the status of setup_table; the frame is in the kernel's list then.
    std::pair<std::int64_t, std::int64_t> set_up_table();

    hypervisor::Hypervisor& host_;
    const DomId dom_;
    const KernelKind kind_;
    std::unique_ptr<KernelAccess> memory_;
    /// A PV kernel's: the machine frames that it began with.
    std::vector<std::uint64_t> p2m_;
    bool status_mapped_ = false;
    std::string opening_;
    std::vector<Asked> asked_;
};

}  // namespace xenrig::hypercalls
