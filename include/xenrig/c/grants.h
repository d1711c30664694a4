/* Grants: share a frame with a peer; map or copy what a peer shared.
 *
 * Handles know the domain's epoch: after a migration, end and unmap them as ever, and it costs nothing and harms
 * nobody. A grant that the peer still maps can't be revoked (Xen has no such call): end() keeps it, and its frame,
 * until the peer lets go. After include/xenrig/platform/grants.h and grant_table.h.
 */
#ifndef XENRIG_C_GRANTS_H
#define XENRIG_C_GRANTS_H

#include "xenrig/c/memory.h"

#ifdef __cplusplus
extern "C" {
#endif

enum xenrig_access { XENRIG_READ_WRITE, XENRIG_READ_ONLY };

struct xenrig_grant {
    uint32_t ref; /* what the peer is told */
};

/* A peer's frames in our address space. */
struct xenrig_mapping {
    const struct xenrig_window* window; /* as long as the mapping */
};

#define XENRIG_DOMID_SELF 0x7ff0u

/* One side of a copy: our own frame (domain XENRIG_DOMID_SELF, `gfn`) or a peer's grant (`ref`). */
struct xenrig_copy_end {
    uint16_t domain;
    uint16_t offset; /* bytes into the page */
    uint32_t ref;
    uint64_t gfn;
};

struct xenrig_copy {
    struct xenrig_copy_end source, dest;
    uint16_t length; /* bytes; both ends stay inside a page */
    int16_t status;  /* out: GNTST_* of grant_table.h */
};

struct xenrig_grants {
    uint32_t size;

    /* -ENOSPC when the table is full and may not grow. */
    int (*grant)(const struct xenrig_platform* xen, uint16_t peer, const struct xenrig_frame* frame,
                 enum xenrig_access access, struct xenrig_grant** out);
    void (*end)(const struct xenrig_platform* xen, struct xenrig_grant* grant);

    /* Maps 1 to 16 pages, all or none. -EINVAL when a reference grants nothing, or not this. */
    int (*map)(const struct xenrig_platform* xen, uint16_t owner, const uint32_t* refs, unsigned count,
               enum xenrig_access access, struct xenrig_mapping** out);
    void (*unmap)(const struct xenrig_platform* xen, struct xenrig_mapping* mapping);

    /* One hypercall; each copy has a status of its own, and one that fails doesn't stop the rest. */
    int (*copy)(const struct xenrig_platform* xen, struct xenrig_copy* copies, unsigned count);
};

#ifdef __cplusplus
}
#endif

#endif
