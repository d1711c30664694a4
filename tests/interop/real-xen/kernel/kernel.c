/* From a started kernel to mapped tables, then the script, then the end. */
#include "kernel.h"

static char shared_page[PAGE] __attribute__((aligned(PAGE)));
char grant_page[PAGE] __attribute__((aligned(PAGE))), status_page[PAGE] __attribute__((aligned(PAGE)));
struct shared_info* const shared_info = (struct shared_info*)shared_page;

/* The compiler calls these for copies and initialisers. */
void* memcpy(void* to, const void* from, unsigned long n) {
    char* t = to;
    for (const char* f = from; n--;) *t++ = *f++;
    return to;
}
void* memset(void* to, int value, unsigned long n) {
    for (char* t = to; n--;) *t++ = (char)value;
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

void open_tables(const struct start* start) {
    print("@@START xen %s privileged=%d domid=%d\n", start->magic, (word)start->privileged, (word)own_domid());
    print("map shared_info %d\n", map_shared_info(shared_page));

    unsigned long frame = 0;
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 1};
    set_xen_guest_handle(setup.frame_list, &frame);
    const word rc = grant_table_op(GNTTABOP_setup_table, &setup);
    print("setup_table rc=%d status=%d\n", rc, (word)setup.status);
    print("map grant frame %d\n", map_grant_frame(grant_page, frame));

    shared_info->vcpu_info[0].evtchn_upcall_mask = 1;
    for (unsigned i = 0; i < sizeof shared_info->evtchn_mask / sizeof shared_info->evtchn_mask[0]; i++)
        shared_info->evtchn_mask[i] = ~0ul;
}

void shut_down(unsigned reason) {
    struct sched_shutdown off = {.reason = reason};
    hypercall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, (uintptr_t)&off, 0, 0);
}

void run(const struct start* start) {
    open_tables(start);
    run_script(start->script, start->script_length, SUBJECT, start->shared);
    print("@@DONE\n");
    if (start->shared) start->shared->done = 1;
    shut_down(start->privileged ? SHUTDOWN_reboot : SHUTDOWN_poweroff);
}
