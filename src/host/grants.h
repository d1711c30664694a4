// Other domains' grants by libxengnttab: mapped and copied through /dev/xen/gntdev.
//
// A mapping is one range of pages, whole or not at all. What a process that dies still maps, the kernel unmaps. The
// device answers every failed mapping with EINVAL, so the GNTST code of an entry is known for copies alone. Source:
// xengnttab.h, Linux' uapi/xen/gntdev.h.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "memory.h"
#include "xenrig/platform/grants.h"

extern "C" {
#include <xengnttab.h>
}

namespace xenrig::host {

class HostGrants final : public Grants {
public:
    /// ENOENT or EACCES, with what to do, when the device can't be opened.
    static Result<std::unique_ptr<HostGrants>> open(HostMemory& memory);
    ~HostGrants() override;

    /// ENOSYS: Linux shares pages that /dev/xen/gntalloc makes, not pages that a process has.
    Result<Grant> grant(DomId peer, Gfn frame, Access access) override;
    /// At most 16 refs, a window's worth.
    Result<Mapping> map(DomId owner, std::span<const GrantRef> refs, Access access) override;
    /// A copy between two own frames is refused by the device: EINVAL.
    Result<> copy(std::span<GrantCopy> copies) override;
    std::size_t grants_in_use() const override { return 0; }

    std::size_t pages_mapped() const;

private:
    HostGrants(xengnttab_handle* device, HostMemory& memory) : device_(device), memory_(memory) {}

    void end_grant(GrantRef ref, std::uint64_t epoch, std::shared_ptr<Frame> frame) override;
    void unmap(std::span<const GrantHandle> handles, const shared::Window& window, std::uint64_t epoch) override;

    struct Mapped {
        std::byte* start = nullptr;
        std::uint32_t pages = 0;
        shared::LeasePtr lease;
    };
    struct Closed {
        void operator()(xengnttab_handle* device) const { ::xengnttab_close(device); }
    };
    std::unique_ptr<xengnttab_handle, Closed> device_;
    HostMemory& memory_;
    /// Held without a choice point inside.
    mutable std::mutex lock_;
    std::map<GrantHandle, Mapped> mapped_;
    std::uint32_t made_ = 0;
};

}  // namespace xenrig::host
