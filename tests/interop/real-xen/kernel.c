/* From Xen's start_info to a mapped shared_info and grant table, then the script, then the end. */
#include "kernel.h"

static char shared_page[PAGE] __attribute__((aligned(PAGE)));
static char grant_page[PAGE] __attribute__((aligned(PAGE)));
struct shared_info *const shared_info = (struct shared_info *)shared_page;
struct grant_entry_v1 *const grants = (struct grant_entry_v1 *)grant_page;

/* Xen's list of the machine frames behind our memory. */
static const unsigned long *p2m;

unsigned long frame_of(const void *page) { return p2m[(uintptr_t)page / PAGE]; }

/* The compiler calls these for copies and initialisers. */
void *memcpy(void *to, const void *from, unsigned long n) {
    char *t = to;
    for (const char *f = from; n--;) *t++ = *f++;
    return to;
}
void *memset(void *to, int value, unsigned long n) {
    for (char *t = to; n--;) *t++ = (char)value;
    return to;
}

/* Our number: the one that an unbound port of our own is reserved for. */
static domid_t own_domid(void) {
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
    event_channel_op(EVTCHNOP_alloc_unbound, &alloc);
    struct evtchn_status status = {.dom = DOMID_SELF, .port = alloc.port};
    event_channel_op(EVTCHNOP_status, &status);
    struct evtchn_close close = {.port = alloc.port};
    event_channel_op(EVTCHNOP_close, &close);
    return status.u.unbound.dom;
}

void kernel(const struct start_info *start) {
    const domid_t self = own_domid();
    print("@@START xen %s privileged=%d domid=%d\n", start->magic, (long)((start->flags & SIF_PRIVILEGED) != 0),
          (long)self);
    p2m = (const unsigned long *)start->mfn_list;
    print("map shared_info %d\n", map_over(shared_page, start->shared_info / PAGE));

    unsigned long frame = 0;
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 1};
    set_xen_guest_handle(setup.frame_list, &frame);
    const long rc = grant_table_op(GNTTABOP_setup_table, &setup);
    print("setup_table rc=%d status=%d\n", rc, (long)setup.status);
    print("map grant frame %d\n", map_over(grant_page, frame));

    run_script((const char *)start->mod_start, start->mod_len);
    print("@@DONE\n");
    struct sched_shutdown off = {.reason = SHUTDOWN_reboot};
    hypercall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, (uintptr_t)&off, 0, 0);
}
