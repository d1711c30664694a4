/* A guest's own memory: frames of 4 KiB that it allocates, shares and does I/O to.
 *
 * There is no pointer to a frame: after a migration the same frame lies elsewhere. A driver keeps the frame, writes its
 * own payload with write() (which a migration's log must know of), and looks at what a peer may change through a window
 * and the door (door.h). After include/xenrig/platform/memory.h.
 */
#ifndef XENRIG_C_MEMORY_H
#define XENRIG_C_MEMORY_H

#include "xenrig/c/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

struct xenrig_platform;
struct xenrig_window;

#define XENRIG_PAGE_SIZE 4096u

struct xenrig_frame {
    uint64_t gfn; /* its number in the domain's own view of its memory */
};

struct xenrig_memory {
    uint32_t size;

    /* A zeroed frame. -ENOMEM when the domain has none left. */
    int (*allocate)(const struct xenrig_platform* xen, struct xenrig_frame** out);
    /* A frame whose grant was ended while the peer still mapped it is used again only when the peer has let go. */
    void (*release)(const struct xenrig_platform* xen, struct xenrig_frame* frame);

    /* Own payload; [offset, offset + length) lies inside the frame. */
    void (*read)(const struct xenrig_platform* xen, const struct xenrig_frame* frame, size_t offset, void* out,
                 size_t length);
    void (*write)(const struct xenrig_platform* xen, const struct xenrig_frame* frame, size_t offset, const void* in,
                  size_t length);

    /* A window on 1 to 16 frames, in this order, that a peer can or will write. A migration ends it: after
     * resume(cancelled = 0) close it and open another. */
    int (*open_window)(const struct xenrig_platform* xen, struct xenrig_frame* const* frames, unsigned count,
                       struct xenrig_window** out);
    void (*close_window)(const struct xenrig_platform* xen, struct xenrig_window* window);
};

#ifdef __cplusplus
}
#endif

#endif
