/* The domctls that make a domain (domctl.h), and its memory in ours. */
#define __XEN_TOOLS__
#include "domain.h"

#include <xen/domctl.h>
#include <xen/errno.h>

word domctl(unsigned command, struct xen_domctl* op) {
    op->cmd = command;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = DOMAIN;
    return hypercall(__HYPERVISOR_domctl, (uintptr_t)op, 0, 0, 0);
}

word create(const struct domain* d) {
    struct xen_domctl op = {0};
    op.u.createdomain = (struct xen_domctl_createdomain){.flags = d->pvh ? XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap : 0,
                                                         .max_vcpus = 1,
                                                         .max_evtchn_port = 131071,
                                                         .max_grant_frames = 64,
                                                         .max_maptrack_frames = 1024,
                                                         .grant_opts = XEN_DOMCTL_GRANT_version(2),
                                                         .arch.emulation_flags = d->pvh ? XEN_X86_EMU_LAPIC : 0};
    word rc = domctl(XEN_DOMCTL_createdomain, &op);
    if (rc != 0) return rc;
    op = (struct xen_domctl){.u.max_vcpus.max = 1};
    rc = domctl(XEN_DOMCTL_max_vcpus, &op);
    if (rc != 0) return rc;
    op = (struct xen_domctl){.u.max_mem.max_memkb = DOMAIN_BYTES / 1024};
    rc = domctl(XEN_DOMCTL_max_mem, &op);
    if (rc == 0 && d->pvh) {
        op = (struct xen_domctl){.u.shadow_op = {.op = XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION, .mb = 4}};
        rc = domctl(XEN_DOMCTL_shadow_op, &op);
    } else if (rc == 0 && d->bits == 32) {
        op = (struct xen_domctl){.u.address_size.size = d->bits};
        rc = domctl(XEN_DOMCTL_set_address_size, &op);
    }
    return rc;
}

word populate(struct domain* d) {
    for (unsigned i = 0; i < DOMAIN_PAGES; i++) d->mfns[i] = i;
    struct xen_memory_reservation op = {.nr_extents = DOMAIN_PAGES, .domid = DOMAIN};
    set_xen_guest_handle(op.extent_start, d->mfns);
    const word done = hypercall(__HYPERVISOR_memory_op, XENMEM_populate_physmap, (uintptr_t)&op, 0, 0);
    return done == DOMAIN_PAGES ? 0 : -XEN_ENOMEM;
}

word map_memory(const struct domain* d) {
    enum { PRESENT_WRITABLE_USER = 7 };
    for (unsigned i = 0; i < DOMAIN_PAGES; i++) {
        const uint64_t frame = d->pvh ? i : d->mfns[i];
        const word rc = hypercall(__HYPERVISOR_update_va_mapping_otherdomain, (uintptr_t)(domain_memory + i * PAGE),
                                  frame * PAGE | PRESENT_WRITABLE_USER, UVMF_INVLPG, DOMAIN);
        if (rc != 0) return rc;
    }
    return 0;
}

word fill_hypercall_page(const struct domain* d) {
    enum { GFN = AT_HYPERCALL_PAGE / PAGE };
    struct xen_domctl op = {.u.hypercall_init.gmfn = d->pvh ? GFN : d->mfns[GFN]};
    return domctl(XEN_DOMCTL_hypercall_init, &op);
}

unsigned long shared_info_frame(void) {
    struct xen_domctl op = {0};
    domctl(XEN_DOMCTL_getdomaininfo, &op);
    return op.u.getdomaininfo.shared_info_frame;
}

/* What both share stays: a page that we map is not free when the domain gives it up. */
static word unmap_the_rest(void) {
    for (unsigned at = 0; at < DOMAIN_BYTES; at += PAGE) {
        if (at >= AT_EXCHANGE && at < AT_PAGE_TABLES) continue;
        const word rc = hypercall(__HYPERVISOR_update_va_mapping, (uintptr_t)(domain_memory + at), 0, UVMF_INVLPG, 0);
        if (rc != 0) return rc;
    }
    return 0;
}

word start_running(void) {
    const word rc = unmap_the_rest();
    if (rc != 0) return rc;
    struct xen_domctl op = {0};
    return domctl(XEN_DOMCTL_unpausedomain, &op);
}

int domain_ended(void) {
    struct xen_domctl op = {0};
    return domctl(XEN_DOMCTL_getdomaininfo, &op) != 0 || (op.u.getdomaininfo.flags & XEN_DOMINF_shutdown) != 0;
}
