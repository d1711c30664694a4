/* A backend of a block device in C: one ring of one page, no optional features but flushes.
 *
 * Its worker does one thing after the other: the handshake, then the requests. Each request is copied out of the ring
 * once, looked at, done on private memory, and answered once; pages of the frontend's are mapped no longer than that.
 * Built with -DBUG=..., it has one of the bugs of bugs.h.
 */
#include <stdlib.h>
#include <string.h>

#include <xen/io/protocols.h>
#include <xenrig/c/subject.h>

#include "bugs.h"
#include "ring.h"
#include "worker.h"
#include "xenbus.h"

enum { SEGMENTS_MAX = BLKIF_MAX_SEGMENTS_PER_REQUEST };

struct blkback {
    struct device dev;
    const struct xenrig_disks* disks;
    struct worker worker;
    struct xenrig_watch *own_watch, *frontend_watch;

    /* The worker's own. */
    struct xenrig_storage* storage;
    int read_only;
    struct xenrig_mapping* ring_mapping;
    const struct xenrig_window* ring;
    struct xenrig_channel* channel;
    uint32_t req_cons, rsp_prod;
    int broken; /* the ring claims what can't be: nothing more of it is believed */
    struct xenrig_mapping* pages[SEGMENTS_MAX];
    unsigned char data[SEGMENTS_MAX * XENRIG_PAGE_SIZE];
};

/* ---- Requests ---- */

/* What makes no sense, on a copy that nobody can change: BLKIF_RSP_OKAY when it may be done. */
static int validate(const struct blkback* b, const blkif_request_t* r) {
    const uint64_t end = b->storage->info.bytes / SECTOR, whole = b->storage->info.sector_bytes / SECTOR;
    uint64_t total = 0;
    if (r->nr_segments == 0 || r->nr_segments > SEGMENTS_MAX) return BLKIF_RSP_ERROR;
    if (r->operation == BLKIF_OP_WRITE && b->read_only && BUG != BACK_IGNORES_READ_ONLY) return BLKIF_RSP_ERROR;
    for (unsigned i = 0; i < r->nr_segments; ++i) {
        const struct blkif_request_segment* s = &r->seg[i];
        if (s->first_sect > s->last_sect) return BLKIF_RSP_ERROR;
        if (s->last_sect >= SECTORS_PER_PAGE) return BLKIF_RSP_ERROR;
        total += s->last_sect - s->first_sect + 1u;
    }
    if (r->sector_number % whole != 0 || total % whole != 0) return BLKIF_RSP_ERROR;
    if (BUG == BACK_END_OVERFLOWS) return r->sector_number + total <= end ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR;
    return r->sector_number <= end && total <= end - r->sector_number ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR;
}

static void unmap_pages(struct blkback* b) {
    for (unsigned i = 0; i < SEGMENTS_MAX; ++i) {
        b->dev.xen->grants->unmap(b->dev.xen, b->pages[i]);
        b->pages[i] = NULL;
    }
}

static int map_pages(struct blkback* b, const blkif_request_t* r) {
    const enum xenrig_access access = r->operation == BLKIF_OP_READ ? XENRIG_READ_WRITE : XENRIG_READ_ONLY;
    for (unsigned i = 0; i < r->nr_segments; ++i) {
        const uint32_t ref = r->seg[i].gref;
        const int error = b->dev.xen->grants->map(b->dev.xen, b->dev.other_domain, &ref, 1, access, &b->pages[i]);
        if (error < 0 && BUG != BACK_IGNORES_MAP_ERROR) return error;
    }
    return 0;
}

static size_t bytes_of(const blkif_request_t* r) {
    size_t bytes = 0;
    for (unsigned i = 0; i < r->nr_segments; ++i)
        bytes += (r->seg[i].last_sect - r->seg[i].first_sect + 1u) * (size_t)SECTOR;
    return bytes;
}

/* Between the request's pages and `data`. */
static void copy_pages(struct blkback* b, const blkif_request_t* r, int to_pages) {
    size_t at = 0;
    for (unsigned i = 0; i < r->nr_segments; ++i) {
        const size_t first = r->seg[i].first_sect * (size_t)SECTOR;
        const size_t length = (r->seg[i].last_sect + 1u) * (size_t)SECTOR - first;
        xenrig_new_decision(b->ring);
        /* A bug stays inside this process: without a mapping there is no page to look at. */
        if (b->pages[i] != NULL && to_pages) xenrig_copy_in(b->pages[i]->window, first, b->data + at, length);
        if (b->pages[i] != NULL && !to_pages) xenrig_copy_out(b->pages[i]->window, first, b->data + at, length);
        at += length;
    }
}

static int transfer(struct blkback* b, const blkif_request_t* r) {
    const int writes = r->operation == BLKIF_OP_WRITE;
    if (validate(b, r) != BLKIF_RSP_OKAY) return BLKIF_RSP_ERROR;
    if (map_pages(b, r) < 0) {
        if (BUG == BACK_LEAKS_MAPPING) memset(b->pages, 0, sizeof b->pages);
        unmap_pages(b);
        return BLKIF_RSP_ERROR;
    }
    if (writes) copy_pages(b, r, 0);
    const uint64_t end = b->storage->info.bytes / SECTOR;
    /* The same: what lies beyond the end is not asked of the storage. */
    const int inside = r->sector_number <= end && bytes_of(r) / SECTOR <= end - r->sector_number;
    const int error = inside ? b->storage->transfer(b->storage, writes, r->sector_number, b->data, bytes_of(r)) : 0;
    if (!writes && error == 0) copy_pages(b, r, 1);
    unmap_pages(b);
    return error < 0 ? BLKIF_RSP_ERROR : BLKIF_RSP_OKAY;
}

static int flush(struct blkback* b) { return b->storage->flush(b->storage) < 0 ? BLKIF_RSP_ERROR : BLKIF_RSP_OKAY; }

static void answer(struct blkback* b, const blkif_request_t* r, int status) {
    blkif_response_t response;
    memset(&response, 0, sizeof response);
    response.id = r->id;
    response.operation = r->operation;
    response.status = (int16_t)status;
    xenrig_copy_in(b->ring, ring_slot(b->rsp_prod), &response, sizeof response);
    ++b->rsp_prod;
    if (BUG != BACK_NO_WMB) xenrig_wmb(b->ring);
    xenrig_store32(b->ring, RSP_PROD, b->rsp_prod);
    if (BUG != BACK_NO_MB) xenrig_mb(b->ring);
    /* RING_PUSH_RESPONSES_AND_CHECK_NOTIFY, one at a time. */
    if (xenrig_poll32(b->ring, RSP_EVENT) == b->rsp_prod) b->dev.xen->events->notify(b->dev.xen, b->channel);
}

static void serve_one(struct blkback* b) {
    blkif_request_t request;
    xenrig_new_decision(b->ring);
    xenrig_copy_out(b->ring, ring_slot(b->req_cons), &request, sizeof request);
    if (BUG == BACK_FETCHES_TWICE) {
        /* A decision of its own, so that the simulator's own watch stays silent: what is done shows it. */
        const uint64_t id = request.id;
        xenrig_new_decision(b->ring);
        xenrig_copy_out(b->ring, ring_slot(b->req_cons), &request, sizeof request);
        request.id = id;
    }
    ++b->req_cons;
    switch (request.operation) {
        case BLKIF_OP_READ:
        case BLKIF_OP_WRITE:
            answer(b, &request, transfer(b, &request));
            break;
        case BLKIF_OP_FLUSH_DISKCACHE:
            answer(b, &request, flush(b));
            if (BUG == BACK_ANSWERS_TWICE) answer(b, &request, BLKIF_RSP_OKAY);
            break;
        default:
            if (BUG != BACK_SWALLOWS_UNKNOWN) answer(b, &request, BLKIF_RSP_EOPNOTSUPP);
    }
}

/* ---- The ring ---- */

static void claims_too_much(struct blkback* b) {
    b->broken = 1;
    device_error(&b->dev, -XENRIG_EINVAL, "the frontend claims more requests than the ring holds");
    device_move(&b->dev, XenbusStateClosing, NULL, 0);
}

static void run_ring(struct blkback* b) {
    do {
        const uint32_t req_prod = xenrig_poll32(b->ring, REQ_PROD);
        unsigned served = 0;
        if (req_prod - b->rsp_prod > RING_SIZE && BUG != BACK_TRUSTS_REQ_PROD) {
            claims_too_much(b);
            return;
        }
        if (BUG != BACK_NO_RMB) xenrig_rmb(b->ring);
        /* Even who trusts the index stops some time. */
        for (; b->req_cons != req_prod && served < 2 * RING_SIZE; ++served) serve_one(b);
        if (b->req_cons != req_prod) {
            claims_too_much(b);
            return;
        }
        /* RING_FINAL_CHECK_FOR_REQUESTS: ask for the next one, then look once more. */
        xenrig_store32(b->ring, REQ_EVENT, b->req_cons + 1);
        if (BUG == BACK_NO_FINAL_CHECK) return;
        if (BUG != BACK_NO_MB_BEFORE_SLEEP) xenrig_mb(b->ring);
    } while (xenrig_poll32(b->ring, REQ_PROD) != b->req_cons);
}

/* ---- The handshake ---- */

static void let_go(struct blkback* b) {
    unmap_pages(b);
    b->dev.xen->events->close(b->dev.xen, b->channel);
    b->dev.xen->grants->unmap(b->dev.xen, b->ring_mapping);
    b->channel = NULL;
    b->ring_mapping = NULL;
    b->ring = NULL;
    b->broken = 0;
}

/* Returns the error, for who can't go on. */
static int fail(struct blkback* b, int error, const char* why) {
    let_go(b);
    device_error(&b->dev, error, why);
    device_move(&b->dev, XenbusStateClosing, NULL, 0);
    return error;
}

static int offer(struct blkback* b) {
    char params[VALUE_MAX_BYTES], type[VALUE_MAX_BYTES] = "", mode[VALUE_MAX_BYTES] = "";
    const struct node features[] = {node_of("feature-flush-cache", 1)};
    int error = device_read(&b->dev, 0, "params", params);
    device_read(&b->dev, 0, "type", type);
    device_read(&b->dev, 0, "mode", mode);
    b->read_only = mode[0] == 'r';
    if (error >= 0 && b->storage == NULL) error = b->disks->open(b->disks, params, type, b->read_only, &b->storage);
    if (error < 0) return fail(b, error, "the disk can't be opened");
    return device_move(&b->dev, XenbusStateInitWait, features, 1);
}

static int join(struct blkback* b) {
    char protocol[VALUE_MAX_BYTES] = XEN_IO_PROTO_ABI_NATIVE;
    const struct node properties[] = {node_of("sectors", b->storage->info.bytes / SECTOR),
                                      node_of("sector-size", b->storage->info.sector_bytes),
                                      node_of("physical-sector-size", b->storage->info.physical_sector_bytes),
                                      node_of("info", b->read_only ? VDISK_READONLY : 0)};
    uint64_t ref, port;
    let_go(b);
    device_read(&b->dev, 1, "protocol", protocol);
    if (strcmp(protocol, XEN_IO_PROTO_ABI_NATIVE) != 0)
        return fail(b, -XENRIG_EINVAL, "the ring has a layout that is not known here");
    int error = device_number(&b->dev, 1, "ring-ref", 0, &ref);
    if (error == 0) error = device_number(&b->dev, 1, "event-channel", 0, &port);
    const uint32_t gref = (uint32_t)ref;
    if (error == 0)
        error = b->dev.xen->grants->map(b->dev.xen, b->dev.other_domain, &gref, 1, XENRIG_READ_WRITE, &b->ring_mapping);
    if (error == 0)
        error = b->dev.xen->events->bind_interdomain(b->dev.xen, b->dev.other_domain, (uint32_t)port, worker_poke,
                                                     &b->worker, &b->channel);
    if (error < 0) return fail(b, error, "the frontend's ring can't be joined");
    b->ring = b->ring_mapping->window;
    b->req_cons = b->rsp_prod = 0;
    return device_move(&b->dev, XenbusStateConnected, properties, 4);
}

static void closed(struct blkback* b) {
    if (BUG != BACK_KEEPS_RING) let_go(b);
    /* Whoever sees Closed may open the same disk on another host. */
    if (b->storage != NULL) b->storage->flush(b->storage);
    device_move(&b->dev, XenbusStateClosed, NULL, 0);
}

/* The table of states of blkif.h, for a backend: once from the frontend's state and our own. */
static void handshake(struct blkback* b) {
    const int frontend = device_other_state(&b->dev), own = b->dev.state;
    const int there = frontend == XenbusStateInitialised || frontend == XenbusStateConnected;
    uint64_t online = 0;
    if (own == XenbusStateInitialising) offer(b);
    if (b->dev.state == XenbusStateInitWait && there) {
        join(b);
    } else if (own == XenbusStateConnected && frontend == XenbusStateInitialising) {
        /* A guest that was restarted. */
        let_go(b);
        offer(b);
    } else if (own < XenbusStateClosing && frontend == XenbusStateClosing) {
        device_move(&b->dev, XenbusStateClosing, NULL, 0);
    } else if (own != XenbusStateClosed && (frontend == XenbusStateClosed || frontend == XenbusStateUnknown)) {
        /* A frontend without a state is one that was destroyed, or has moved away. */
        closed(b);
    } else if (own == XenbusStateClosed && frontend == XenbusStateInitialising) {
        device_number(&b->dev, 0, "online", 0, &online);
        if (online) offer(b);
    }
}

static void work(void* self) {
    struct blkback* b = self;
    handshake(b);
    if (b->ring != NULL && !b->broken) run_ring(b);
}

/* ---- What the harness, or a kernel's bus, calls ---- */

static void* create(const struct xenrig_platform* xen, const char* path, const struct xenrig_disks* disks) {
    struct blkback* b = calloc(1, sizeof *b);
    if (b == NULL) return NULL;
    b->dev.xen = xen;
    b->disks = disks;
    strncpy(b->dev.path, path, sizeof b->dev.path - 1);
    return b;
}

static int start(void* self) {
    struct blkback* b = self;
    const struct xenrig_store* store = b->dev.xen->store;
    char path[PATH_MAX_BYTES + 8];
    int error = worker_start(&b->worker, b->dev.xen, "blkback", work, b);
    /* It looks when the watches are there. */
    worker_pause(&b->worker);
    b->dev.state = XenbusStateInitialising;
    if (error == 0) error = device_begin(&b->dev, "frontend");
    if (error == 0)
        error = store->watch(b->dev.xen, strcat(strcpy(path, b->dev.path), "/state"), worker_poke_by_watch, &b->worker,
                             &b->own_watch);
    if (error == 0)
        error = store->watch(b->dev.xen, strcat(strcpy(path, b->dev.other), "/state"), worker_poke_by_watch, &b->worker,
                             &b->frontend_watch);
    worker_unpause(&b->worker);
    return error;
}

static void stop(void* self) {
    struct blkback* b = self;
    b->dev.xen->store->unwatch(b->dev.xen, b->own_watch);
    b->dev.xen->store->unwatch(b->dev.xen, b->frontend_watch);
    worker_stop(&b->worker);
    let_go(b);
    if (b->storage != NULL && b->dev.state != XenbusStateClosed) b->storage->flush(b->storage);
}

static void destroy(void* self) {
    struct blkback* b = self;
    if (b->storage != NULL) b->storage->close(b->storage);
    free(b);
}

static const struct xenrig_blkback blkback = {
    .size = sizeof(struct xenrig_blkback), .create = create, .start = start, .stop = stop, .destroy = destroy};

XENRIG_EXPORT const struct xenrig_subject xenrig_subject = {
    .size = sizeof(struct xenrig_subject), .abi = XENRIG_C_ABI, .name = "blkback.c", .blkback = &blkback};
