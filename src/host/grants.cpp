#include "grants.h"

#include <sys/mman.h>

#include <vector>

#include "device.h"
#include "host_errno.h"
#include "xenrig/abi/check.h"

extern "C" {
// xen.h first: the other leans on its types.
#include <xen/xen.h>

#include <xen/grant_table.h>
}

namespace xenrig::host {

Result<std::unique_ptr<HostGrants>> HostGrants::open(HostMemory& memory) {
    if (auto there = check_device("/dev/xen/gntdev", "xen-gntdev"); !there) return std::unexpected(there.error());
    xengnttab_handle* const device = ::xengnttab_open(nullptr, 0);
    if (!device) return host_failure("opening /dev/xen/gntdev");
    return std::unique_ptr<HostGrants>(new HostGrants(device, memory));
}

HostGrants::~HostGrants() = default;

Result<Grant> HostGrants::grant(DomId, Gfn, Access) {
    return fail(Errno::nosys, "a process can map and copy others' grants here, and not grant pages of its own");
}

void HostGrants::end_grant(GrantRef, std::uint64_t, std::shared_ptr<Frame>) {
    check(false, "nothing is granted on this platform");
}

Result<Mapping> HostGrants::map(DomId owner, std::span<const GrantRef> refs, Access access) {
    check(!refs.empty() && refs.size() <= shared::kWindowPagesMax, "a mapping has 1 to 16 pages");
    std::uint32_t numbers[shared::kWindowPagesMax];
    for (std::size_t i = 0; i < refs.size(); ++i) numbers[i] = refs[i].value;
    const auto count = static_cast<std::uint32_t>(refs.size());
    const bool writable = access == Access::read_write;
    const std::string name = "d" + std::to_string(owner.value) + " gref " + std::to_string(numbers[0]) +
                             (count > 1 ? " and " + std::to_string(count - 1) + " more" : "");
    auto* const start = static_cast<std::byte*>(::xengnttab_map_domain_grant_refs(
        device_.get(), count, owner.value, numbers, writable ? PROT_READ | PROT_WRITE : PROT_READ));
    if (!start) return host_failure("mapping " + name);

    auto lease = std::make_shared<shared::Lease>();
    lease->name = name;
    lease->writable = writable;
    shared::Window window(start, lease);
    for (std::uint32_t i = 1; i < count; ++i) window.append(start + i * kPageSize);
    const std::lock_guard held(lock_);
    const GrantHandle handle(++made_);
    mapped_[handle] = {start, count, std::move(lease)};
    return Mapping(*this, {handle}, std::move(window), 1);
}

void HostGrants::unmap(std::span<const GrantHandle> handles, const shared::Window&, std::uint64_t) {
    for (const GrantHandle handle : handles) {
        Mapped gone;
        {
            const std::lock_guard held(lock_);
            const auto found = mapped_.find(handle);
            check(found != mapped_.end(), "a mapping is ended once");
            gone = std::move(found->second);
            mapped_.erase(found);
        }
        gone.lease->end = shared::LeaseEnd::unmapped;
        ::xengnttab_unmap(device_.get(), gone.start, gone.pages);
    }
}

Result<> HostGrants::copy(std::span<GrantCopy> copies) {
    std::vector<xengnttab_grant_copy_segment_t> segments(copies.size());
    for (std::size_t i = 0; i < copies.size(); ++i) {
        const GrantCopy& c = copies[i];
        auto& s = segments[i];
        s = {};
        const auto fill = [&](auto& end, const CopyEnd& from, unsigned granted) {
            if (from.domain.value == DOMID_SELF) {
                end.virt = memory_.page(from.gfn) + from.offset;
                return;
            }
            end.foreign = {from.ref.value, from.offset, from.domain.value};
            s.flags = static_cast<std::uint16_t>(s.flags | granted);
        };
        fill(s.source, c.source, GNTCOPY_source_gref);
        fill(s.dest, c.dest, GNTCOPY_dest_gref);
        s.len = c.length;
    }
    if (::xengnttab_grant_copy(device_.get(), static_cast<std::uint32_t>(segments.size()), segments.data()) != 0)
        return host_failure("copying grants");
    for (std::size_t i = 0; i < copies.size(); ++i) copies[i].status = segments[i].status;
    return {};
}

std::size_t HostGrants::pages_mapped() const {
    const std::lock_guard held(lock_);
    std::size_t pages = 0;
    for (const auto& [handle, m] : mapped_) pages += m.pages;
    return pages;
}

}  // namespace xenrig::host
