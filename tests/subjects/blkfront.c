/* A frontend of a block device in C: one ring of one page, no optional features but flushes.
 *
 * Users' operations wait in a queue until the worker has room on the ring; each operation is one request of up to
 * eleven pages. What is on the ring stands in `shadow` by its id, and in `in_flight` in the order in which it went
 * there, so that after a migration it goes first onto the new ring. Built with -DBUG=..., it has one of the bugs of
 * bugs.h.
 */
#include "blkfront.h"

#include <stdlib.h>
#include <string.h>

#include <xen/io/protocols.h>

#include "bugs.h"

/* ---- Operations ---- */

/* Under the worker's lock: who waits for an operation, and what becomes of it. */
static void complete(struct blkfront* f, struct op* op, int result) {
    size_t at = 0;
    for (unsigned i = 0; i < op->pages; ++i) {
        if (op->kind == BLKIF_OP_READ && result == 0)
            f->dev.xen->memory->read(f->dev.xen, op->frame[i], op_offset(op, i), op->data + at, op_length(op, i));
        at += op_length(op, i);
        if (BUG != FRONT_KEEPS_GRANTS) f->dev.xen->grants->end(f->dev.xen, op->grant[i]);
        f->dev.xen->memory->release(f->dev.xen, op->frame[i]);
        op->grant[i] = NULL;
        op->frame[i] = NULL;
    }
    f->dev.xen->tasks->lock(f->worker.lock);
    op->result = result;
    op->done = 1;
    f->dev.xen->tasks->wake_all(f->changed);
    f->dev.xen->tasks->unlock(f->worker.lock);
}

static struct op* take_queued(struct blkfront* f) {
    f->dev.xen->tasks->lock(f->worker.lock);
    struct op* op = op_pop(&f->queue);
    f->dev.xen->tasks->unlock(f->worker.lock);
    return op;
}

static void set_phase(struct blkfront* f, enum phase phase) {
    f->dev.xen->tasks->lock(f->worker.lock);
    f->phase = phase;
    f->dev.xen->tasks->wake_all(f->changed);
    f->dev.xen->tasks->unlock(f->worker.lock);
}

static void fail_all(struct blkfront* f) {
    struct op* op;
    set_phase(f, CLOSED);
    while ((op = op_pop(&f->in_flight)) != NULL) complete(f, op, -XENRIG_ENODEV);
    while ((op = take_queued(f)) != NULL) complete(f, op, -XENRIG_ENODEV);
    memset(f->shadow, 0, sizeof f->shadow);
}

/* ---- The ring ---- */

/* What its user may not ask of this disk; 0 when it may. */
static int refusal(const struct blkfront* f, const struct op* op) {
    const uint64_t sectors = f->info.bytes / SECTOR;
    if (op->kind == BLKIF_OP_FLUSH_DISKCACHE) {
        if (BUG == FRONT_FLUSHES_UNASKED) return 0;
        return f->flush_operation < 0 ? -XENRIG_EOPNOTSUPP : 0;
    }
    if (op->kind == BLKIF_OP_WRITE && f->info.read_only && BUG != FRONT_WRITES_READ_ONLY) return -XENRIG_EROFS;
    const uint64_t whole = f->info.sector_bytes / SECTOR;
    if (whole > 1 && (op->sector % whole != 0 || op->length / SECTOR % whole != 0)) return -XENRIG_EINVAL;
    if (BUG == FRONT_LEAVES_DISK) return 0;
    return op->sector > sectors || op->length / SECTOR > sectors - op->sector ? -XENRIG_EINVAL : 0;
}

static int prepare(struct blkfront* f, struct op* op, blkif_request_t* request) {
    const struct xenrig_platform* xen = f->dev.xen;
    size_t at = 0;
    for (unsigned i = 0; i < op->pages; ++i) {
        int error = op->frame[i] ? 0 : xen->memory->allocate(xen, &op->frame[i]);
        if (error == 0)
            error =
                xen->grants->grant(xen, f->dev.other_domain, op->frame[i],
                                   op->kind == BLKIF_OP_WRITE ? XENRIG_READ_ONLY : XENRIG_READ_WRITE, &op->grant[i]);
        if (error < 0) return error;
        if (op->kind == BLKIF_OP_WRITE)
            xen->memory->write(xen, op->frame[i], op_offset(op, i), op->data + at, op_length(op, i));
        at += op_length(op, i);
        request->seg[i].gref = op->grant[i]->ref;
        request->seg[i].first_sect = (uint8_t)(op_offset(op, i) / SECTOR);
        request->seg[i].last_sect = (uint8_t)((op_offset(op, i) + op_length(op, i)) / SECTOR - 1);
        if (BUG == FRONT_LAST_SECT_EXCLUSIVE) ++request->seg[i].last_sect;
    }
    request->operation =
        op->kind == BLKIF_OP_FLUSH_DISKCACHE && BUG != FRONT_FLUSHES_UNASKED ? (uint8_t)f->flush_operation : op->kind;
    request->nr_segments = (uint8_t)op->pages;
    request->sector_number = op->sector;
    return 0;
}

/* Puts what waits onto the ring, as far as there is room, and sends an event when one is asked for. */
static void issue(struct blkfront* f) {
    const uint32_t old = f->req_prod;
    const unsigned room = BUG == FRONT_OVERFILLS_RING ? RING_SIZE + 1 : RING_SIZE;
    while (f->phase == CONNECTED && f->req_prod - f->rsp_cons < room) {
        blkif_request_t request;
        struct op* op = take_queued(f);
        uint32_t id = 0;
        if (op == NULL) break;
        memset(&request, 0, sizeof request);
        const int error = refusal(f, op) < 0 ? refusal(f, op) : prepare(f, op, &request);
        if (error < 0) {
            complete(f, op, error);
            continue;
        }
        while (id + 1 < room && f->shadow[id] != NULL) ++id;
        f->shadow[id] = op;
        request.id = op->id = id;
        request.handle = f->handle;
        op_append(&f->in_flight, op);
        if (BUG == FRONT_INDEX_FIRST) xenrig_store32(f->ring, REQ_PROD, f->req_prod + 1);
        xenrig_copy_in(f->ring, ring_slot(f->req_prod), &request, sizeof request);
        ++f->req_prod;
        if (BUG == FRONT_NO_WMB) xenrig_store32(f->ring, REQ_PROD, f->req_prod);
    }
    if (f->req_prod == old) return;
    xenrig_wmb(f->ring);
    xenrig_store32(f->ring, REQ_PROD, f->req_prod);
    if (BUG != FRONT_NO_MB) xenrig_mb(f->ring);
    /* RING_PUSH_REQUESTS_AND_CHECK_NOTIFY: is the index that was asked for among the new ones? */
    const uint32_t req_event = xenrig_poll32(f->ring, REQ_EVENT);
    if (BUG == FRONT_NEVER_NOTIFIES) return;
    if (f->req_prod - req_event < f->req_prod - old) f->dev.xen->events->notify(f->dev.xen, f->channel);
}

static void broken(struct blkfront* f, const char* why) {
    device_error(&f->dev, -XENRIG_EINVAL, why);
    fail_all(f);
    device_move(&f->dev, XenbusStateClosing, NULL, 0);
}

/* The request that a response belongs to. */
static struct op* find(struct blkfront* f, const blkif_response_t* response) {
    if (BUG == FRONT_MATCHES_BY_ORDER) return f->in_flight.first;
    if (BUG == FRONT_TRUSTS_ID)
        return f->shadow[response->id % RING_SIZE] ? f->shadow[response->id % RING_SIZE] : f->in_flight.first;
    return response->id < RING_SIZE + 1 ? f->shadow[response->id] : NULL;
}

static void take_responses(struct blkfront* f) {
    const uint32_t rsp_prod = xenrig_poll32(f->ring, RSP_PROD);
    if (rsp_prod - f->rsp_cons > f->req_prod - f->rsp_cons && BUG != FRONT_TRUSTS_RSP_PROD) {
        broken(f, "the backend claims responses to requests that were not made");
        return;
    }
    if (BUG != FRONT_NO_RMB) xenrig_rmb(f->ring);
    while (f->rsp_cons != rsp_prod) {
        blkif_response_t response;
        xenrig_new_decision(f->ring);
        xenrig_copy_out(f->ring, ring_slot(f->rsp_cons), &response, sizeof response);
        if (BUG == FRONT_FETCHES_TWICE) {
            /* A decision of its own, so that the simulator's own watch stays silent: what is done shows it. */
            xenrig_new_decision(f->ring);
            const uint64_t id = response.id;
            xenrig_copy_out(f->ring, ring_slot(f->rsp_cons), &response, sizeof response);
            response.id = id;
        }
        struct op* op = find(f, &response);
        if (op == NULL) {
            broken(f, "the backend answers a request that was not made");
            return;
        }
        ++f->rsp_cons;
        op_remove(&f->in_flight, op);
        f->shadow[op->id] = NULL;
        const int well = response.status == BLKIF_RSP_OKAY || BUG == FRONT_IGNORES_STATUS;
        complete(f, op, well ? 0 : response.status == BLKIF_RSP_EOPNOTSUPP ? -XENRIG_EOPNOTSUPP : -XENRIG_EIO);
    }
}

static void run_ring(struct blkfront* f) {
    do {
        take_responses(f);
        if (f->dev.state == XenbusStateConnected) issue(f);
        if (f->phase != CONNECTED) return;
        /* RING_FINAL_CHECK_FOR_RESPONSES: ask for the next one, then look once more. */
        xenrig_store32(f->ring, RSP_EVENT, f->rsp_cons + 1);
        if (BUG == FRONT_NO_FINAL_CHECK) return;
        if (BUG != FRONT_NO_MB_BEFORE_SLEEP) xenrig_mb(f->ring);
    } while (xenrig_poll32(f->ring, RSP_PROD) != f->rsp_cons);
}

/* ---- The handshake ---- */

static void let_go(struct blkfront* f) {
    const struct xenrig_platform* xen = f->dev.xen;
    if (BUG != FRONT_LEAKS_PORT) xen->events->close(xen, f->channel);
    xen->memory->close_window(xen, f->ring);
    xen->grants->end(xen, f->ring_grant);
    xen->memory->release(xen, f->ring_frame);
    f->channel = NULL;
    f->ring = NULL;
    f->ring_grant = NULL;
    f->ring_frame = NULL;
}

static int make_ring(struct blkfront* f) {
    const struct xenrig_platform* xen = f->dev.xen;
    int error = xen->memory->allocate(xen, &f->ring_frame);
    if (error == 0) error = xen->memory->open_window(xen, &f->ring_frame, 1, &f->ring);
    if (error == 0)
        error = xen->grants->grant(xen, f->dev.other_domain, f->ring_frame, XENRIG_READ_WRITE, &f->ring_grant);
    if (error == 0) error = xen->events->alloc_unbound(xen, f->dev.other_domain, worker_poke, &f->worker, &f->channel);
    if (error < 0) return error;
    f->req_prod = f->rsp_cons = 0;
    /* SHARED_RING_INIT; the page is zeroed. */
    xenrig_store32(f->ring, REQ_EVENT, BUG == FRONT_RING_NOT_INITIALISED ? 0 : 1);
    xenrig_store32(f->ring, RSP_EVENT, 1);
    return 0;
}

static int publish(struct blkfront* f) {
    const struct node nodes[] = {node_of("ring-ref", f->ring_grant->ref),
                                 node_of("event-channel", f->channel->port),
                                 {.name = "protocol", .value = XEN_IO_PROTO_ABI_NATIVE}};
    if (BUG == FRONT_INITIALISED_TOO_EARLY) device_move(&f->dev, XenbusStateInitialised, nodes, 1);
    return device_move(&f->dev, XenbusStateInitialised, nodes, 3);
}

/* A feature that is garbled is not offered. */
static int offered(struct blkfront* f, const char* name) {
    uint64_t value;
    return device_number(&f->dev, 1, name, 0, &value) == 0 && value != 0;
}

/* The backend is Connected: what it says of the disk. */
static int read_properties(struct blkfront* f) {
    uint64_t sectors, size, physical, info;
    if (device_number(&f->dev, 1, "sectors", 0, &sectors) < 0 ||
        device_number(&f->dev, 1, "sector-size", 512, &size) < 0 ||
        device_number(&f->dev, 1, "physical-sector-size", size, &physical) < 0 ||
        device_number(&f->dev, 1, "info", 0, &info) < 0)
        return -XENRIG_EINVAL;
    if ((size < SECTOR || (size & (size - 1)) != 0) && BUG != FRONT_ANY_SECTOR_SIZE) return -XENRIG_EINVAL;
    if (BUG == FRONT_SECTORS_32_BIT) sectors = (uint32_t)sectors;
    f->info.bytes = sectors * SECTOR;
    f->info.sector_bytes = (uint32_t)size;
    f->info.physical_sector_bytes = (uint32_t)physical;
    f->info.read_only = (info & VDISK_READONLY) != 0;
    f->flush_operation = offered(f, "feature-flush-cache") ? BLKIF_OP_FLUSH_DISKCACHE
                         : offered(f, "feature-barrier")   ? BLKIF_OP_WRITE_BARRIER
                                                           : -1;
    return 0;
}

static int open_device(struct blkfront* f) {
    int error = make_ring(f);
    if (error == 0) error = publish(f);
    return error;
}

static int connect_device(struct blkfront* f) {
    int error = read_properties(f);
    if (error == 0) error = device_move(&f->dev, XenbusStateConnected, NULL, 0);
    if (error == 0) set_phase(f, CONNECTED);
    return error;
}

static void close_device(struct blkfront* f) {
    fail_all(f);
    let_go(f);
    device_move(&f->dev, XenbusStateClosed, NULL, 0);
}

/* The table of states of blkif.h, for a frontend: once from the backend's state and our own. */
static void handshake(struct blkfront* f) {
    const int backend = device_other_state(&f->dev);
    const int ready = backend == XenbusStateInitWait || backend == XenbusStateInitialised;
    int error = 0;
    if (f->dev.state == XenbusStateInitialising &&
        (ready || (backend == XenbusStateConnected && BUG != FRONT_MISSES_CONNECTED)))
        error = open_device(f);
    if (error == 0 && f->dev.state == XenbusStateInitialised && backend == XenbusStateConnected)
        error = connect_device(f);
    if (error < 0 && error != -XENRIG_ENOENT) {
        device_error(&f->dev, error, "the device can't be connected");
        fail_all(f);
        device_move(&f->dev, XenbusStateClosing, NULL, 0);
    }
    const int begun = f->dev.state == XenbusStateInitialised || f->dev.state == XenbusStateConnected;
    if (backend == XenbusStateClosing && f->dev.state < XenbusStateClosing) {
        fail_all(f);
        device_move(&f->dev, XenbusStateClosing, NULL, 0);
    }
    if ((backend == XenbusStateClosed && begun) ||
        (f->dev.state == XenbusStateClosing &&
         (backend == XenbusStateClosing || backend == XenbusStateClosed || backend == XenbusStateUnknown)))
        close_device(f);
}

static void work(void* self) {
    struct blkfront* f = self;
    handshake(f);
    if (f->phase == CONNECTED) run_ring(f);
    if (f->phase == CLOSED) fail_all(f);
}

/* ---- What the harness, or a kernel's bus, calls ---- */

static int watch_backend(struct blkfront* f) {
    char path[PATH_MAX_BYTES + 8];
    int error = device_begin(&f->dev, "backend");
    if (error < 0) return error;
    strcat(strcpy(path, f->dev.other), "/state");
    f->dev.xen->store->unwatch(f->dev.xen, f->watch);
    f->watch = NULL;
    error = f->dev.xen->store->watch(f->dev.xen, path, worker_poke_by_watch, &f->worker, &f->watch);
    return error < 0 ? error : device_move(&f->dev, XenbusStateInitialising, NULL, 0);
}

static void* create(const struct xenrig_platform* xen, const char* path) {
    struct blkfront* f = calloc(1, sizeof *f);
    if (f == NULL) return NULL;
    f->dev.xen = xen;
    strncpy(f->dev.path, path, sizeof f->dev.path - 1);
    f->handle = (uint16_t)strtoul(strrchr(path, '/') + 1, NULL, 10);
    return f;
}

static int start(void* self) {
    struct blkfront* f = self;
    int error = f->dev.xen->tasks->make_queue(f->dev.xen, "blkfront's disk", &f->changed);
    /* The worker first: a watch may fire at once. It looks again when the watch is there. */
    if (error == 0) error = worker_start(&f->worker, f->dev.xen, "blkfront", work, f);
    worker_pause(&f->worker);
    if (error == 0) error = watch_backend(f);
    worker_unpause(&f->worker);
    return error;
}

static void stop(void* self) {
    struct blkfront* f = self;
    f->dev.xen->store->unwatch(f->dev.xen, f->watch);
    worker_stop(&f->worker);
    fail_all(f);
    let_go(f);
}

static void destroy(void* self) {
    struct blkfront* f = self;
    while (f->all != NULL) op_free(f, f->all);
    free(f);
}

static void suspend(void* self) {
    struct blkfront* f = self;
    worker_pause(&f->worker);
    /* What was answered is done. */
    if (f->phase == CONNECTED) take_responses(f);
}

static void resume(void* self, int cancelled) {
    struct blkfront* f = self;
    if (!cancelled) {
        let_go(f);
        for (struct op* op = f->in_flight.first; op != NULL; op = op->next)
            for (unsigned i = 0; i < op->pages; ++i) {
                f->dev.xen->grants->end(f->dev.xen, op->grant[i]);
                op->grant[i] = NULL;
            }
        memset(f->shadow, 0, sizeof f->shadow);
        f->dev.xen->tasks->lock(f->worker.lock);
        op_prepend(&f->queue, &f->in_flight);
        f->phase = CONNECTING;
        f->dev.xen->tasks->unlock(f->worker.lock);
        watch_backend(f);
    }
    worker_unpause(&f->worker);
}

static const struct xenrig_blkfront blkfront = {.size = sizeof(struct xenrig_blkfront),
                                                .create = create,
                                                .start = start,
                                                .stop = stop,
                                                .destroy = destroy,
                                                .wait_connected = blkfront_wait_connected,
                                                .transfer = blkfront_transfer,
                                                .flush = blkfront_flush,
                                                .suspend = suspend,
                                                .resume = resume};

XENRIG_EXPORT const struct xenrig_subject xenrig_subject = {
    .size = sizeof(struct xenrig_subject), .abi = XENRIG_C_ABI, .name = "blkfront.c", .blkfront = &blkfront};
