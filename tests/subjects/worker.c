#include "worker.h"

static void live(void* worker) {
    struct worker* w = worker;
    const struct xenrig_tasks* tasks = w->xen->tasks;
    tasks->lock(w->lock);
    while (!w->stopping) {
        if (!w->poked || w->paused) {
            w->resting = 1;
            tasks->wake_all(w->rests);
            tasks->wait(w->pokes, w->lock);
            w->resting = 0;
            continue;
        }
        w->poked = 0;
        tasks->unlock(w->lock);
        w->body(w->self);
        tasks->lock(w->lock);
    }
    w->running = 0;
    tasks->wake_all(w->rests);
    tasks->unlock(w->lock);
}

int worker_start(struct worker* w, const struct xenrig_platform* xen, const char* name, void (*body)(void*),
                 void* self) {
    w->xen = xen;
    w->body = body;
    w->self = self;
    int error = xen->tasks->make_lock(xen, name, XENRIG_LOCK_IRQ, &w->lock);
    if (error == 0) error = xen->tasks->make_queue(xen, name, &w->pokes);
    if (error == 0) error = xen->tasks->make_queue(xen, "the driver to rest", &w->rests);
    if (error < 0) return error;
    w->running = w->poked = 1;
    return xen->tasks->spawn(xen, name, live, w);
}

void worker_poke(void* worker) {
    struct worker* w = worker;
    w->xen->tasks->lock(w->lock);
    w->poked = 1;
    w->xen->tasks->wake_all(w->pokes);
    w->xen->tasks->unlock(w->lock);
}

void worker_poke_by_watch(void* worker, const char* path) {
    (void)path;
    worker_poke(worker);
}

void worker_pause(struct worker* w) {
    w->xen->tasks->lock(w->lock);
    w->paused = 1;
    while (w->running && !w->resting) w->xen->tasks->wait(w->rests, w->lock);
    w->xen->tasks->unlock(w->lock);
}

void worker_unpause(struct worker* w) {
    w->xen->tasks->lock(w->lock);
    w->paused = 0;
    w->xen->tasks->unlock(w->lock);
    worker_poke(w);
}

void worker_stop(struct worker* w) {
    w->xen->tasks->lock(w->lock);
    w->stopping = 1;
    w->xen->tasks->wake_all(w->pokes);
    while (w->running) w->xen->tasks->wait(w->rests, w->lock);
    w->xen->tasks->unlock(w->lock);
}
