/* The one task of a driver: sleeps until it is poked, runs its body once, and can be paused and ended.
 *
 * Pokes are level-triggered and may come from upcalls: an event's handler and a watch's handler do nothing else. What
 * only the body touches needs no lock; who must touch it from outside pauses the worker first.
 */
#ifndef TESTS_SUBJECTS_WORKER_H
#define TESTS_SUBJECTS_WORKER_H

#include <xenrig/c/platform.h>

struct worker {
    const struct xenrig_platform* xen;
    void (*body)(void* self);
    void* self;
    struct xenrig_lock* lock; /* an irq lock; users' conditions are under it, too */
    struct xenrig_queue *pokes, *rests;
    /* Under the lock. */
    int poked, paused, stopping, resting, running;
};

int worker_start(struct worker* w, const struct xenrig_platform* xen, const char* name, void (*body)(void*),
                 void* self);
/* An event's handler: the context is the worker. */
void worker_poke(void* worker);
/* The same for a watch. */
void worker_poke_by_watch(void* worker, const char* path);
/* On return the body is not running. */
void worker_pause(struct worker* w);
void worker_unpause(struct worker* w);
/* On return the task has ended. */
void worker_stop(struct worker* w);

#endif
