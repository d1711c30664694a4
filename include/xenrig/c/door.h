/* The one door to memory that another domain can change.
 *
 * Load once, into a copy of your own, and look at the copy: the peer may rewrite the page between any two loads, and in
 * the simulator it does. A plain load or store orders nothing; the barriers are ring.h's. Offsets are bytes from the
 * window's beginning, and numbers lie aligned; what lies outside the window is the driver's own mistake and ends the
 * run. After include/xenrig/shared/door.h.
 */
#ifndef XENRIG_C_DOOR_H
#define XENRIG_C_DOOR_H

#include "xenrig/c/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

struct xenrig_window;

enum xenrig_barrier {
    XENRIG_RMB, /* loads before are ordered before loads and stores after */
    XENRIG_WMB, /* stores before become visible before stores after */
    XENRIG_MB   /* everything before is visible before anything after is done: orders a store with a later load */
};

struct xenrig_door {
    uint32_t size;
    void (*copy_out)(const struct xenrig_window* w, size_t offset, void* out, size_t length,
                     const struct xenrig_place* where);
    void (*copy_in)(const struct xenrig_window* w, size_t offset, const void* in, size_t length,
                    const struct xenrig_place* where);
    /* `poll`: an index, which is read again and again by the nature of a ring: no double fetch. */
    uint32_t (*load32)(const struct xenrig_window* w, size_t offset, int poll, const struct xenrig_place* where);
    void (*store32)(const struct xenrig_window* w, size_t offset, uint32_t value, const struct xenrig_place* where);
    void (*barrier)(enum xenrig_barrier kind, const struct xenrig_place* where);
    void (*new_decision)(void);
};

/* A view of shared pages. Only its beginning is seen. */
struct xenrig_window {
    const struct xenrig_door* door;
    size_t bytes;
};

#define xenrig_copy_out(w, offset, out, length) ((w)->door->copy_out((w), (offset), (out), (length), XENRIG_HERE))
#define xenrig_copy_in(w, offset, in, length) ((w)->door->copy_in((w), (offset), (in), (length), XENRIG_HERE))
#define xenrig_load32(w, offset) ((w)->door->load32((w), (offset), 0, XENRIG_HERE))
#define xenrig_poll32(w, offset) ((w)->door->load32((w), (offset), 1, XENRIG_HERE))
#define xenrig_store32(w, offset, value) ((w)->door->store32((w), (offset), (value), XENRIG_HERE))
#define xenrig_rmb(w) ((w)->door->barrier(XENRIG_RMB, XENRIG_HERE))
#define xenrig_wmb(w) ((w)->door->barrier(XENRIG_WMB, XENRIG_HERE))
#define xenrig_mb(w) ((w)->door->barrier(XENRIG_MB, XENRIG_HERE))

/* What comes next is decided afresh (the next request): loading the same bytes again is right. */
#define xenrig_new_decision(w) ((w)->door->new_decision())

#ifdef __cplusplus
}
#endif

#endif
