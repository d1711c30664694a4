/* The frontend's parts: the device and its ring (blkfront.c), and what its users ask of it (blkfront_users.c). */
#ifndef TESTS_SUBJECTS_BLKFRONT_H
#define TESTS_SUBJECTS_BLKFRONT_H

#include <xenrig/c/subject.h>

#include "ring.h"
#include "worker.h"
#include "xenbus.h"

enum { PAGES_MAX = BLKIF_MAX_SEGMENTS_PER_REQUEST };

/* One request's worth of a user's wish. Its data are a copy: a user may be unwound while the backend is at it. */
struct op {
    uint8_t kind;   /* BLKIF_OP_READ, _WRITE or _FLUSH_DISKCACHE */
    unsigned first; /* sectors before the data in the first page */
    uint64_t sector;
    size_t length;
    unsigned char* data;
    unsigned pages;
    struct xenrig_frame* frame[PAGES_MAX];
    struct xenrig_grant* grant[PAGES_MAX];
    uint32_t id;
    int done, result; /* under the worker's lock */
    struct op* next;
    struct op *next_of_all, **link_of_all;
};

struct op_list {
    struct op *first, **end;
};

enum phase { CONNECTING, CONNECTED, CLOSED };

struct blkfront {
    struct device dev;
    uint16_t handle;
    struct worker worker;
    struct xenrig_watch* watch;

    /* The worker's own, or while it is paused. */
    struct xenrig_frame* ring_frame;
    struct xenrig_grant* ring_grant;
    struct xenrig_window* ring;
    struct xenrig_channel* channel;
    uint32_t req_prod, rsp_cons;
    struct op* shadow[RING_SIZE + 1];
    struct op_list in_flight;
    int flush_operation; /* the one that flushes, or -1 */

    /* Under the worker's lock. */
    struct xenrig_queue* changed; /* a phase, or an operation that is done */
    enum phase phase;
    struct xenrig_disk_info info;
    struct op_list queue;
    struct op* all;
};

void op_append(struct op_list* list, struct op* op);
struct op* op_pop(struct op_list* list);
void op_remove(struct op_list* list, struct op* op);
/* All of `others` before all of `list`. */
void op_prepend(struct op_list* list, struct op_list* others);
/* The data of page i of an operation: bytes into the page, and how many. */
size_t op_offset(const struct op* op, unsigned i);
size_t op_length(const struct op* op, unsigned i);
void op_free(struct blkfront* f, struct op* op);

int blkfront_wait_connected(void* self, struct xenrig_disk_info* out);
int blkfront_transfer(void* self, const struct xenrig_transfer* transfer);
int blkfront_flush(void* self);

#endif
