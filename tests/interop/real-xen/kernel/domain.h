/* dom0 builds one more domain, with the same kernel made for its kind, and both answer the script.
 *
 * The domain's whole memory is mapped here while it is built and while it runs; nothing but Xen's own domctls is
 * between the two. */
#ifndef XENRIG_DOMAIN_H
#define XENRIG_DOMAIN_H

#include "kernel.h"

enum { DOMAIN_PAGES = DOMAIN_BYTES / PAGE, DOMAIN = 1 };

struct domain {
    int pvh;
    unsigned bits;
    uint32_t entry;                   /* the kernel's first instruction */
    unsigned long mfns[DOMAIN_PAGES]; /* of PV; a PVH domain is named by gfn */
};

/* True when the module is a kernel with a script behind it: the domain was built and has answered. */
int build_and_run(const struct start* start);
/* Has it shut down, or crashed? */
int domain_ended(void);

/* The domain's memory as bytes of ours. */
extern char domain_memory[DOMAIN_BYTES];

/* domctl.c: 0 or an error. */
word create(const struct domain* d);
word populate(struct domain* d);
word map_memory(const struct domain* d);
word fill_hypercall_page(const struct domain* d);
unsigned long shared_info_frame(void);
word start_running(void);

/* domain_pv.c and domain_pvh.c: its page tables and what it finds at its start; then its first vCPU. */
word prepare_pv(const struct domain* d);
word prepare_pvh(const struct domain* d);

struct xen_domctl;
word domctl(unsigned command, struct xen_domctl* op);

#endif
