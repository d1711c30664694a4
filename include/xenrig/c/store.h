/* xenstore: blocking calls from a task, watches that fire in a task.
 *
 * Paths are absolute, or relative to the domain's own home (/local/domain/<domid>). Errors are the daemon's
 * (docs/misc/xenstore.txt). A watch is level-triggered: it may fire without cause, late, or once for several changes,
 * so its handler pokes somebody who looks at the store and decides afresh. Watches survive a migration. After
 * include/xenrig/platform/store.h.
 */
#ifndef XENRIG_C_STORE_H
#define XENRIG_C_STORE_H

#include "xenrig/c/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

struct xenrig_platform;
struct xenrig_watch;

/* A transaction's number; 0 is none. */
typedef uint32_t xenrig_tx;

/* One entry of a node's permissions; the first names the owner, and its access is everybody else's. */
struct xenrig_perm {
    uint16_t domain;
    uint8_t read, write;
};

/* `path` is the node that changed, in the form in which the watch was set. */
typedef void (*xenrig_watch_handler)(void* context, const char* path);

struct xenrig_store {
    uint32_t size;

    /* The value and a NUL after it; its length is returned. -ERANGE when it doesn't fit into `room` bytes. */
    int (*read)(const struct xenrig_platform* xen, xenrig_tx tx, const char* path, char* out, size_t room);
    int (*write)(const struct xenrig_platform* xen, xenrig_tx tx, const char* path, const char* value);
    int (*mkdir)(const struct xenrig_platform* xen, xenrig_tx tx, const char* path);
    int (*rm)(const struct xenrig_platform* xen, xenrig_tx tx, const char* path);
    /* Names, each with a NUL after it, one behind the other; their number is returned. */
    int (*directory)(const struct xenrig_platform* xen, xenrig_tx tx, const char* path, char* out, size_t room);
    /* The number of entries is returned. -ERANGE when there are more than `room`. */
    int (*get_perms)(const struct xenrig_platform* xen, xenrig_tx tx, const char* path, struct xenrig_perm* out,
                     unsigned room);
    int (*set_perms)(const struct xenrig_platform* xen, xenrig_tx tx, const char* path, const struct xenrig_perm* perms,
                     unsigned count);

    int (*start)(const struct xenrig_platform* xen, xenrig_tx* out);
    /* -EAGAIN: somebody else changed what was looked at; start again from the beginning. */
    int (*end)(const struct xenrig_platform* xen, xenrig_tx tx, int commit);

    /* Fires once at registration, as xenstored makes it. */
    int (*watch)(const struct xenrig_platform* xen, const char* path, xenrig_watch_handler handler, void* context,
                 struct xenrig_watch** out);
    /* On return the handler is not running (unless it is the caller) and will not run. */
    void (*unwatch)(const struct xenrig_platform* xen, struct xenrig_watch* watch);
};

#ifdef __cplusplus
}
#endif

#endif
