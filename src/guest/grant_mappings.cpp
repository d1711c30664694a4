// The other half of the grant table: mapping and copying what others granted.
#include <array>
#include <mutex>
#include <optional>

#include "grant_status.h"
#include "text.h"
#include "xenrig/abi/check.h"
#include "xenrig/guest/grant_table.h"

extern "C" {
#include <xen/grant_table.h>
#include <xen/xen.h>
}

namespace xenrig::guest {

Result<Mapping> GrantTable::map(DomId owner, std::span<const GrantRef> refs, Access access) {
    check(!refs.empty() && refs.size() <= shared::kWindowPagesMax, "a mapping has 1 to 16 pages");
    std::array<gnttab_map_grant_ref_t, shared::kWindowPagesMax> ops{};
    const std::lock_guard held(lock_);
    if (!link_.alive()) return fail(Errno::srch, "the domain is dead");
    const std::uint64_t epoch = link_.epoch();
    std::vector<Gfn> gfns;
    const auto give_back = [&] {
        for (const Gfn gfn : gfns) unpopulated_.give(gfn);
    };
    for (std::size_t i = 0; i < refs.size(); ++i) {
        const auto gfn = unpopulated_.take();
        if (!gfn) {
            give_back();
            return std::unexpected(gfn.error());
        }
        gfns.push_back(*gfn);
        ops[i].host_addr = discovery_.linear(*gfn);
        ops[i].flags = GNTMAP_host_map | (access == Access::read_only ? GNTMAP_readonly : 0u);
        ops[i].ref = refs[i].value;
        ops[i].dom = owner.value;
        ops[i].status = GNTST_general_error;
    }
    const std::int64_t answer =
        link_.call(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, ops.data(), refs.size());
    if (answer < 0) {
        give_back();
        return std::unexpected(hypercall_error(answer, "GNTTABOP_map_grant_ref"));
    }

    std::vector<GrantHandle> handles;
    std::vector<Gfn> mapped_at;
    std::optional<Error> error;
    for (std::size_t i = 0; i < refs.size(); ++i) {
        if (ops[i].status == GNTST_okay) {
            handles.push_back(GrantHandle{ops[i].handle});
            mapped_at.push_back(gfns[i]);
        } else {
            unpopulated_.give(gfns[i]);
            if (!error)
                error = gntst_error(ops[i].status, "mapping grant " + dec(refs[i].value) + " of d" + dec(owner.value));
        }
    }
    if (error) {
        undo(handles, mapped_at);
        return std::unexpected(*error);
    }

    std::string name = "d" + dec(owner.value) + " gref " + dec(refs[0].value);
    if (refs.size() > 1) name += " and " + dec(refs.size() - 1) + " more";
    const auto lease = link_.make_lease(std::move(name), access == Access::read_write);
    shared::Window window(link_.page_or_grave(gfns[0]), lease);
    for (std::size_t i = 1; i < gfns.size(); ++i) window.append(link_.page_or_grave(gfns[i]));
    for (std::size_t i = 0; i < gfns.size(); ++i) mapped_[handles[i]] = Mapped{gfns[i], lease};
    return Mapping(*this, std::move(handles), std::move(window), epoch);
}

void GrantTable::undo(std::span<const GrantHandle> handles, std::span<const Gfn> gfns) {
    std::array<gnttab_unmap_grant_ref_t, shared::kWindowPagesMax> ops{};
    if (handles.empty()) return;
    for (std::size_t i = 0; i < handles.size(); ++i) {
        ops[i].host_addr = discovery_.linear(gfns[i]);
        ops[i].handle = handles[i].value;
        ops[i].status = GNTST_general_error;
    }
    const std::int64_t answer =
        link_.call(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, ops.data(), handles.size());
    // Where the unmap failed the peer's page is still there: nothing else may be put at that gfn.
    for (std::size_t i = 0; i < handles.size(); ++i)
        if (answer == 0 && ops[i].status == GNTST_okay) unpopulated_.give(gfns[i]);
}

void GrantTable::unmap(std::span<const GrantHandle> handles, const shared::Window& window, std::uint64_t epoch) {
    const std::lock_guard held(lock_);
    if (!link_.current(epoch)) return;
    // The right ends before the mapping does: a late look is reported, not a fault.
    window.lease_ptr()->end = shared::LeaseEnd::unmapped;
    std::vector<Gfn> gfns;
    for (const GrantHandle handle : handles) {
        const auto found = mapped_.find(handle);
        check(found != mapped_.end(), "a mapping ends once");
        gfns.push_back(found->second.gfn);
        mapped_.erase(found);
    }
    undo(handles, gfns);
}

Result<> GrantTable::copy(std::span<GrantCopy> copies) {
    std::vector<gnttab_copy_t> ops(copies.size());
    std::unique_lock held(lock_, std::defer_lock);
    if (discovery_.names_change()) held.lock();
    const auto fill = [this](gnttab_copy::gnttab_copy_ptr& to, const CopyEnd& end) {
        to.domid = end.domain.value;
        to.offset = end.offset;
        if (end.domain.value == DOMID_SELF)
            to.u.gmfn = discovery_.frame_name(end.gfn);
        else
            to.u.ref = end.ref.value;
    };
    for (std::size_t i = 0; i < copies.size(); ++i) {
        fill(ops[i].source, copies[i].source);
        fill(ops[i].dest, copies[i].dest);
        ops[i].len = copies[i].length;
        ops[i].flags =
            static_cast<std::uint16_t>((copies[i].source.domain.value != DOMID_SELF ? GNTCOPY_source_gref : 0) |
                                       (copies[i].dest.domain.value != DOMID_SELF ? GNTCOPY_dest_gref : 0));
        ops[i].status = GNTST_general_error;
    }
    const std::int64_t answer = link_.call(__HYPERVISOR_grant_table_op, GNTTABOP_copy, ops.data(), ops.size());
    if (answer < 0) return std::unexpected(hypercall_error(answer, "GNTTABOP_copy"));
    for (std::size_t i = 0; i < copies.size(); ++i) copies[i].status = ops[i].status;
    return {};
}

}  // namespace xenrig::guest
