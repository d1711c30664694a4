/* Event channels: a local port with a handler that runs as an upcall, on top of whatever it interrupts.
 *
 * A handler never blocks: it takes an irq lock for a few lines, notes, and wakes a queue (task.h). A peer may send
 * events without end: mask the port in the handler, unmask it when the work is done and before the last look at the
 * ring. After include/xenrig/platform/events.h.
 */
#ifndef XENRIG_C_EVENTS_H
#define XENRIG_C_EVENTS_H

#include "xenrig/c/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

struct xenrig_platform;

struct xenrig_channel {
    uint32_t port;
};

typedef void (*xenrig_handler)(void* context);

struct xenrig_events {
    uint32_t size;

    /* A port that `remote` may bind to. The handler is in place before the call returns. */
    int (*alloc_unbound)(const struct xenrig_platform* xen, uint16_t remote, xenrig_handler handler, void* context,
                         struct xenrig_channel** out);
    /* Connects to a port that the peer allocated for us. The local port comes pending, as Xen makes it. -EINVAL when
     * there is no such port, or it is not ours to bind. */
    int (*bind_interdomain)(const struct xenrig_platform* xen, uint16_t remote, uint32_t remote_port,
                            xenrig_handler handler, void* context, struct xenrig_channel** out);

    /* EVTCHNOP_send. A peer that is gone can't be told, and that is no error of the driver's. */
    int (*notify)(const struct xenrig_platform* xen, struct xenrig_channel* channel);
    void (*mask)(const struct xenrig_platform* xen, struct xenrig_channel* channel);
    /* Delivers what came in meanwhile. */
    void (*unmask)(const struct xenrig_platform* xen, struct xenrig_channel* channel);
    /* On return the handler is not running and will not run; from a task. */
    void (*close)(const struct xenrig_platform* xen, struct xenrig_channel* channel);
};

#ifdef __cplusplus
}
#endif

#endif
