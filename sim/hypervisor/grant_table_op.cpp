// __HYPERVISOR_grant_table_op (grant_table.c: do_grant_table_op and its gnttab_* functions).
#include "sim/hypervisor/call.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

namespace {

/// Runs `one` on a copy of each entry, then writes back what `answer` says of it. Stops at the first fault.
template <class Op, class One, class Answer>
std::int64_t batch(Call& call, One one, Answer answer) {
    const auto count = static_cast<std::uint32_t>(call.arg(2));
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint64_t at = call.arg(1) + std::uint64_t{i} * sizeof(Op);
        Op op;
        if (!call.guest.fetch(op, at)) return -error(Errno::fault);
        one(op);
        if (!answer(op, at)) return -error(Errno::fault);
    }
    return 0;
}

template <class Op>
auto put_status(Call& call) {
    return [&call](const Op& op, std::uint64_t at) { return call.guest.put(at + offsetof(Op, status), op.status); };
}

std::int64_t map_grant_ref(Call& call) {
    using Op = gnttab_map_grant_ref_t;
    return batch<Op>(
        call, [&](Op& op) { map_grant(call.vcpu, op); },
        [&](const Op& op, std::uint64_t at) { return call.guest.put(at, op); });
}

std::int64_t unmap_grant_ref(Call& call) {
    using Op = gnttab_unmap_grant_ref_t;
    return batch<Op>(call, [&](Op& op) { op.status = unmap_grant(call.vcpu, op); }, put_status<Op>(call));
}

std::int64_t copy(Call& call) {
    using Op = gnttab_copy_t;
    return batch<Op>(call, [&](Op& op) { op.status = copy_grant(call.domain, op); }, put_status<Op>(call));
}

/// What setup_table tells a guest of a grant frame: its machine frame (PV), or the gfn at which it mapped it.
std::uint64_t guest_name(Host& host, const Domain& d, Mfn mfn) {
    return d.translated() ? host.memory.gfn(mfn).value : mfn.value;
}

GrantStatus list_frames(Call& call, const gnttab_setup_table_t& op, Domain* d) {
    if (!d) return GNTST_bad_domain;
    if (!may_target(call.domain, *d)) return GNTST_permission_denied;
    if (op.nr_frames > d->grants.frames_max() || !d->grants.grow(op.nr_frames)) return GNTST_general_error;
    GrantStatus status = GNTST_okay;
    for (std::uint32_t i = 0; i < op.nr_frames; ++i) {
        const xen_pfn_t name = guest_name(call.host, *d, d->grants.frame(i));
        const auto to = reinterpret_cast<std::uint64_t>(op.frame_list.p) + i * sizeof name;
        if (!call.guest.put(to, name)) status = GNTST_bad_virt_addr;
    }
    return status;
}

std::int64_t setup_table(Call& call) {
    gnttab_setup_table_t op;
    if (call.arg(2) != 1) return -error(Errno::inval);
    if (!call.fetch(op) || !may_be_guests(call.domain, reinterpret_cast<std::uint64_t>(op.frame_list.p)))
        return -error(Errno::fault);
    op.status = list_frames(call, op, call.host.find_any(DomId{op.dom}, call.domain));
    const std::uint64_t at = call.arg(1) + offsetof(gnttab_setup_table_t, status);
    return call.guest.put(at, op.status) ? 0 : -error(Errno::fault);
}

std::int64_t query_size(Call& call) {
    gnttab_query_size_t op;
    if (call.arg(2) != 1) return -error(Errno::inval);
    if (!call.fetch(op)) return -error(Errno::fault);
    const Domain* d = call.host.find_any(DomId{op.dom}, call.domain);
    if (!d) {
        op.status = GNTST_bad_domain;
    } else if (!may_target(call.domain, *d)) {
        op.status = GNTST_permission_denied;
    } else {
        op.nr_frames = d->grants.frames();
        op.max_nr_frames = d->grants.frames_max();
        op.status = GNTST_okay;
    }
    return call.put(op) ? 0 : -error(Errno::fault);
}

std::int64_t get_version(Call& call) {
    gnttab_get_version_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    const Domain* d = call.host.find_any(DomId{op.dom}, call.domain);
    if (!d) return -error(Errno::srch);
    if (!may_target(call.domain, *d)) return -error(Errno::perm);
    op.version = d->grants.version();
    const std::uint64_t at = call.arg(1) + offsetof(gnttab_get_version_t, version);
    return call.guest.put(at, op.version) ? 0 : -error(Errno::fault);
}

std::int64_t set_version(Call& call) {
    gnttab_set_version_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    GrantTable& table = call.domain.grants;
    const std::int64_t result = table.set_version(op.version);
    op.version = table.version();
    return call.put(op) ? result : -error(Errno::fault);
}

GrantStatus list_status_frames(Call& call, const gnttab_get_status_frames_t& op, const Domain* d) {
    if (!d) return GNTST_bad_domain;
    if (!may_target(call.domain, *d)) return GNTST_permission_denied;
    if (op.nr_frames > d->grants.status_frames()) return GNTST_general_error;
    GrantStatus status = GNTST_okay;
    for (std::uint32_t i = 0; i < op.nr_frames; ++i) {
        const std::uint64_t name = guest_name(call.host, *d, d->grants.status_frame(i));
        const auto to = reinterpret_cast<std::uint64_t>(op.frame_list.p) + i * sizeof name;
        if (!call.guest.put(to, name)) status = GNTST_bad_virt_addr;
    }
    return status;
}

std::int64_t get_status_frames(Call& call) {
    gnttab_get_status_frames_t op;
    if (call.arg(2) != 1) return -error(Errno::inval);
    if (!call.fetch(op) || !may_be_guests(call.domain, reinterpret_cast<std::uint64_t>(op.frame_list.p)))
        return -error(Errno::fault);
    op.status = list_status_frames(call, op, call.host.find_any(DomId{op.dom}, call.domain));
    const std::uint64_t at = call.arg(1) + offsetof(gnttab_get_status_frames_t, status);
    return call.guest.put(at, op.status) ? 0 : -error(Errno::fault);
}

std::int64_t swap_grant_ref(Call& call) {
    using Op = gnttab_swap_grant_ref_t;
    return batch<Op>(
        call, [&](Op& op) { op.status = call.domain.grants.swap(GrantRef{op.ref_a}, GrantRef{op.ref_b}); },
        put_status<Op>(call));
}

std::int64_t transfer(Call& call) {
    using Op = gnttab_transfer_t;
    return batch<Op>(call, [&](Op& op) { op.status = transfer_grant(call.domain, op); }, put_status<Op>(call));
}

/// Has no status: the first that can't be done ends the call.
std::int64_t cache_flush(Call& call, GrantRef first) {
    const auto count = static_cast<std::uint32_t>(call.arg(2));
    for (std::uint32_t i = 0; i < count; ++i) {
        gnttab_cache_flush_t op;
        if (!call.guest.fetch(op, call.arg(1) + i * sizeof op)) return -error(Errno::fault);
        if (const std::int64_t result = flush_cache(call.domain, op, first); result != 0) return result;
        first = GrantRef{0};
    }
    return 0;
}

/// A translated guest can't have its mapping replaced by another address; without one it is an unmap.
std::int64_t unmap_and_replace(Call& call) {
    using Op = gnttab_unmap_and_replace_t;
    return batch<Op>(
        call,
        [&](Op& op) {
            gnttab_unmap_grant_ref_t unmap{};
            unmap.host_addr = op.host_addr;
            unmap.handle = op.handle;
            op.status = unmap_grant(call.vcpu, unmap, op.new_addr);
        },
        put_status<Op>(call));
}

}  // namespace

namespace {

/// Lists that Xen looks at the address of before it looks at an entry, even when there is none (guest_handle_okay).
bool takes_list(std::uint32_t operation) {
    return operation != GNTTABOP_setup_table && operation != GNTTABOP_dump_table && operation != GNTTABOP_query_size &&
           operation != GNTTABOP_set_version && operation != GNTTABOP_get_version &&
           operation != GNTTABOP_get_status_frames;
}

}  // namespace

std::int64_t grant_table_op(Call& call) {
    // A count that is negative as an int, and the bits in which Xen keeps where a preempted cache_flush was.
    constexpr std::uint32_t kOperations = 0xfff;
    const auto command = static_cast<std::uint32_t>(call.arg(0));
    const std::uint32_t operation = command & kOperations, place = command & ~kOperations;
    if (static_cast<std::int32_t>(call.arg(2)) < 0 || (place != 0 && operation != GNTTABOP_cache_flush))
        return -error(Errno::inval);
    if (operation <= GNTTABOP_cache_flush && takes_list(operation) && !may_be_guests(call.domain, call.arg(1)))
        return -error(Errno::fault);
    switch (operation) {
        case GNTTABOP_map_grant_ref:
            return map_grant_ref(call);
        case GNTTABOP_unmap_grant_ref:
            return unmap_grant_ref(call);
        case GNTTABOP_setup_table:
            return setup_table(call);
        case GNTTABOP_unmap_and_replace:
            return unmap_and_replace(call);
        case GNTTABOP_set_version:
            return set_version(call);
        case GNTTABOP_get_status_frames:
            return get_status_frames(call);
        case GNTTABOP_swap_grant_ref:
            return swap_grant_ref(call);
        case GNTTABOP_transfer:
            return transfer(call);
        case GNTTABOP_cache_flush:
            return cache_flush(call, GrantRef{place});
        case GNTTABOP_copy:
            return copy(call);
        case GNTTABOP_query_size:
            return query_size(call);
        case GNTTABOP_get_version:
            return get_version(call);
        default:
            return -error(Errno::nosys);
    }
}

}  // namespace xenrig::hypervisor
