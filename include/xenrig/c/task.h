/* Tasks, the clock, locks, and queues to wait in.
 *
 * A task is a thread inside the guest; the simulator may switch tasks, or let an upcall in, at each call of this
 * interface. There are two locks: one that a task holds while it blocks, and one for a few lines, with upcalls off,
 * that upcalls take too. No blocking under an irq lock or in an upcall; no order A, B here and B, A there: both are
 * reported. After include/xenrig/platform/ cpu.h, clock.h, lock.h and wait_queue.h.
 */
#ifndef XENRIG_C_TASK_H
#define XENRIG_C_TASK_H

#include "xenrig/c/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

struct xenrig_platform;
struct xenrig_lock;
struct xenrig_queue;

enum xenrig_lock_kind {
    XENRIG_LOCK_BLOCKS, /* for tasks */
    XENRIG_LOCK_IRQ     /* for tasks and upcalls, a few lines */
};

struct xenrig_tasks {
    uint32_t size;

    /* The task ends when `body` returns. It is a service: that it waits when all is quiet is no bug. */
    int (*spawn)(const struct xenrig_platform* xen, const char* name, void (*body)(void* context), void* context);
    /* Nanoseconds, monotonic. */
    uint64_t (*now)(const struct xenrig_platform* xen);
    void (*sleep)(const struct xenrig_platform* xen, uint64_t nanoseconds);
    /* Others first. */
    void (*yield)(const struct xenrig_platform* xen);

    /* `name` is for reports, and for lock order: locks of one name are of one class. */
    int (*make_lock)(const struct xenrig_platform* xen, const char* name, enum xenrig_lock_kind kind,
                     struct xenrig_lock** out);
    void (*free_lock)(const struct xenrig_platform* xen, struct xenrig_lock* lock);
    void (*lock)(struct xenrig_lock* lock);
    void (*unlock)(struct xenrig_lock* lock);

    /* `name` says what is waited for. */
    int (*make_queue)(const struct xenrig_platform* xen, const char* name, struct xenrig_queue** out);
    /* When nobody waits in it. */
    void (*free_queue)(const struct xenrig_platform* xen, struct xenrig_queue* queue);
    /* Lets go of the lock, sleeps until a wake, and takes the lock again. Call it in a loop on the condition; whoever
     * makes that true does it under the same lock. */
    void (*wait)(struct xenrig_queue* queue, struct xenrig_lock* lock);
    void (*wake_one)(struct xenrig_queue* queue);
    void (*wake_all)(struct xenrig_queue* queue);
};

#ifdef __cplusplus
}
#endif

#endif
