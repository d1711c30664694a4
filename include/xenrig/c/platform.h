/* All that a C driver stands on: a guest's kernel services, in tables.
 *
 *     struct xenrig_grant *grant;
 *     int error = xen->grants->grant(xen, backend, frame, XENRIG_READ_WRITE, &grant);
 *
 * Handles (frames, grants, mappings, channels, watches, locks, queues) are made and freed by these calls; those that a
 * subject has not freed when it is destroyed are freed for it. After include/xenrig/platform/platform.h.
 */
#ifndef XENRIG_C_PLATFORM_H
#define XENRIG_C_PLATFORM_H

#include "xenrig/c/door.h"
#include "xenrig/c/events.h"
#include "xenrig/c/grants.h"
#include "xenrig/c/memory.h"
#include "xenrig/c/store.h"
#include "xenrig/c/task.h"

#ifdef __cplusplus
extern "C" {
#endif

struct xenrig_platform {
    uint32_t size;
    uint32_t abi; /* XENRIG_C_ABI of who made it */
    const struct xenrig_memory* memory;
    const struct xenrig_grants* grants;
    const struct xenrig_events* events;
    const struct xenrig_store* store;
    const struct xenrig_tasks* tasks;
};

#ifdef __cplusplus
}
#endif

#endif
