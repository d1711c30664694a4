#include "sim/hypervisor/domctl.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"

namespace xenrig::hypervisor {

namespace {

std::int64_t pause(Domctl& d) {
    if (d.domain == &d.call.domain) return -error(Errno::inval);
    d.call.host.pause(*d.domain);
    return 0;
}

std::int64_t unpause(Domctl& d) {
    if (d.domain->pauses == 0) return -error(Errno::inval);
    d.call.host.unpause(*d.domain);
    return 0;
}

std::int64_t resume(Domctl& d) {
    if (d.domain == &d.call.domain) return -error(Errno::inval);
    if (d.domain->shut_down) d.call.host.resume(*d.domain);
    return 0;
}

std::int64_t destroy(Domctl& d) {
    if (d.domain == &d.call.domain) return -error(Errno::inval);
    d.call.host.release(*d.domain);
    return 0;
}

/// Of the domain, or else of the next one that there is.
std::int64_t get_info(Domctl& d) {
    const Domain* found = d.domain;
    if (!found) {
        if (d.op.domain >= DOMID_FIRST_RESERVED) return -error(Errno::inval);
        for (const DomId dom : d.call.host.domains())
            if (dom.value >= d.op.domain && !found) found = d.call.host.find(dom);
        if (!found) return -error(Errno::srch);
    }
    // The store's domain may know of the others.
    if (!d.call.domain.privileged() && !d.call.domain.xenstore) return -error(Errno::perm);
    describe(*found, d.op.u.getdomaininfo);
    d.op.domain = found->id.value;
    d.answered = true;
    return 0;
}

std::int64_t set_debugging(Domctl& d) {
    if (d.domain == &d.call.domain) return -error(Errno::inval);
    d.domain->debugged = d.op.u.setdebugging.enable != 0;
    return 0;
}

/// A stub domain may do to its target what the control domain may.
std::int64_t set_target(Domctl& d) {
    Domain* target = d.call.host.find(DomId{d.op.u.set_target.target});
    if (!target) return -error(Errno::srch);
    if (target == d.domain || d.domain->target) return -error(Errno::inval);
    if (!target->translated()) return -error(Errno::opnotsupp);
    if (!d.call.domain.privileged()) return -error(Errno::perm);
    d.domain->target = target;
    ++target->targeted;
    return 0;
}

std::int64_t set_virq_handler(Domctl& d) {
    const std::uint32_t virq = d.op.u.set_virq_handler.virq;
    if (virq >= kVirqs || !virq_is_global(virq)) return -error(Errno::inval);
    d.call.host.virq_handlers[virq] = d.domain;
    return 0;
}

std::int64_t get_address_size(Domctl& d) {
    if (d.domain->translated()) return -error(Errno::opnotsupp);
    d.op.u.address_size.size = d.domain->config.bits;
    d.answered = true;
    return 0;
}

/// Before anything is in it; here a domain's layout is its builder's choice, so it only may stay as it is.
std::int64_t set_address_size(Domctl& d) {
    if (d.domain->translated()) return -error(Errno::opnotsupp);
    if (d.op.u.address_size.size == d.domain->config.bits) return 0;
    return d.op.u.address_size.size == 32 ? -error(Errno::opnotsupp) : -error(Errno::inval);
}

std::int64_t domain_domctl(Domctl& d) {
    switch (d.op.cmd) {
        case XEN_DOMCTL_createdomain:
            return create_domain(d);
        case XEN_DOMCTL_pausedomain:
            return pause(d);
        case XEN_DOMCTL_unpausedomain:
            return unpause(d);
        case XEN_DOMCTL_resumedomain:
            return resume(d);
        case XEN_DOMCTL_destroydomain:
            return destroy(d);
        case XEN_DOMCTL_getdomaininfo:
            return get_info(d);
        case XEN_DOMCTL_setdomainhandle:
            std::memcpy(d.domain->handle.data(), d.op.u.setdomainhandle.handle, d.domain->handle.size());
            return 0;
        case XEN_DOMCTL_setdebugging:
            return set_debugging(d);
        case XEN_DOMCTL_set_target:
            return set_target(d);
        case XEN_DOMCTL_set_virq_handler:
            return set_virq_handler(d);
        case XEN_DOMCTL_get_address_size:
            return get_address_size(d);
        case XEN_DOMCTL_set_address_size:
            return set_address_size(d);
        default:
            return -error(Errno::nosys);
    }
}

/// Of two, DOMID_INVALID is none.
bool names_no_domain(const xen_domctl_t& op) {
    if (op.cmd == XEN_DOMCTL_createdomain) return true;
    return (op.cmd == XEN_DOMCTL_test_assign_device || op.cmd == XEN_DOMCTL_vm_event_op) && op.domain == DOMID_INVALID;
}

/// Do they see for themselves who may? Then what is wrong with their arguments is said to everybody, as Xen does.
bool checks_by_itself(std::uint32_t command) {
    constexpr std::uint32_t kAll[] = {
        XEN_DOMCTL_getdomaininfo,  XEN_DOMCTL_irq_permission, XEN_DOMCTL_iomem_permission, XEN_DOMCTL_ioport_permission,
        XEN_DOMCTL_memory_mapping, XEN_DOMCTL_ioport_mapping, XEN_DOMCTL_bind_pt_irq,      XEN_DOMCTL_unbind_pt_irq,
        XEN_DOMCTL_set_target,     XEN_DOMCTL_vm_event_op,    XEN_DOMCTL_get_device_group};
    return std::ranges::find(kAll, command) != std::end(kAll);
}

}  // namespace

void describe(const Domain& d, xen_domctl_getdomaininfo& info) {
    info = {};
    info.domain = d.id.value;
    info.max_vcpu_id = d.vcpus.empty() ? XEN_INVALID_MAX_VCPU_ID : static_cast<std::uint32_t>(d.vcpus.size() - 1);
    bool all_blocked = true, running = false;
    for (const auto& v : d.vcpus) {
        if (!v->up) continue;
        ++info.nr_online_vcpus;
        all_blocked = all_blocked && v->blocked;
        running = running || (!v->blocked && v->holds == 0);
    }
    if (info.nr_online_vcpus != 0 && all_blocked) info.flags |= XEN_DOMINF_blocked;
    if (running) info.flags |= XEN_DOMINF_running;
    // DOMDYING_dead: one that still gives back its memory is not dying in this sense.
    if (d.life >= Life::released) info.flags |= XEN_DOMINF_dying;
    if (d.shut_down) info.flags |= XEN_DOMINF_shutdown;
    if (d.pauses != 0) info.flags |= XEN_DOMINF_paused;
    if (d.debugged) info.flags |= XEN_DOMINF_debugged;
    if (d.xenstore) info.flags |= XEN_DOMINF_xs_domain;
    if (d.translated()) info.flags |= XEN_DOMINF_hvm_guest | XEN_DOMINF_hap;
    // SHUTDOWN_CODE_INVALID as long as nobody has said why.
    info.flags |= d.latched_reason.value_or(~0u) << XEN_DOMINF_shutdownshift;
    info.tot_pages = d.frames;
    info.max_pages = d.max_frames;
    info.outstanding_pages = d.claimed;
    info.shared_info_frame = d.translated() ? d.host.memory.gfn(d.shared_info_mfn).value : d.shared_info_mfn.value;
    std::memcpy(info.handle, d.handle.data(), d.handle.size());
    constexpr std::uint8_t kAddressBits = 40;
    info.gpaddr_bits = kAddressBits;
    info.cpupool = d.cpupool;
    info.arch_config.emulation_flags = d.emulation;
}

std::int64_t put_bitmap(Call& call, const xenctl_bitmap& to, std::uint64_t bits, unsigned bits_had) {
    const auto at = reinterpret_cast<std::uint64_t>(to.bitmap.p);
    const std::uint32_t room = (to.nr_bits + 7) / 8;
    for (std::uint32_t i = 0; i < room; ++i) {
        const auto byte = i < (bits_had + 7) / 8 ? static_cast<std::uint8_t>(bits >> 8 * i) : std::uint8_t{0};
        if (!call.guest.put(at + i, byte)) return -error(Errno::fault);
    }
    return 0;
}

std::int64_t fetch_bitmap(Call& call, const xenctl_bitmap& from, std::uint64_t& bits, unsigned bits_had) {
    const auto at = reinterpret_cast<std::uint64_t>(from.bitmap.p);
    const std::uint32_t bytes = std::min((from.nr_bits + 7) / 8, (bits_had + 7) / 8);
    bits = 0;
    for (std::uint32_t i = 0; i < bytes; ++i) {
        std::uint8_t byte = 0;
        if (!call.guest.fetch(byte, at + i)) return -error(Errno::fault);
        bits |= std::uint64_t{byte} << 8 * i;
    }
    const unsigned given = std::min(from.nr_bits, bits_had);
    if (given < 64) bits &= (std::uint64_t{1} << given) - 1;
    return 0;
}

std::int64_t domctl(Call& call) {
    xen_domctl_t op;
    if (!call.fetch(op, 0)) return -error(Errno::fault);
    if (op.interface_version != XEN_DOMCTL_INTERFACE_VERSION) return -error(Errno::access);
    Domain* d = names_no_domain(op) ? nullptr : call.host.find(DomId{op.domain});
    if (!d && !names_no_domain(op) && op.cmd != XEN_DOMCTL_getdomaininfo) return -error(Errno::srch);
    if (!call.domain.privileged() && !checks_by_itself(op.cmd)) return -error(Errno::perm);

    Domctl one{call, d, op};
    std::int64_t result = -error(Errno::nosys);
    for (const auto topic :
         {domain_domctl, vcpu_domctl, memory_domctl, hvm_domctl, device_domctl, state_domctl, machine_domctl}) {
        result = topic(one);
        if (result != -error(Errno::nosys)) break;
    }
    if (one.answered && !call.put(op, 0)) return -error(Errno::fault);
    return result;
}

}  // namespace xenrig::hypervisor
