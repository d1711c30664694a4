/* What the C interface of a subject is made of: its version, its errors, and places in source files.
 *
 * A subject is somebody's driver in a shared library (subject.h). It needs none of Xenrig's own symbols: everything it
 * calls comes in tables of functions (platform.h), each of which begins with its size, so that a later Xenrig can add
 * to their ends. All of it is C11; the macros of door.h need GCC or Clang.
 *
 * Tasks of a domain that dies are unwound by the host's exceptions: build a subject with unwind tables (-fexceptions,
 * or x86-64's default), free in `destroy` what a task could not, and don't catch what you don't know.
 */
#ifndef XENRIG_C_ABI_H
#define XENRIG_C_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Rises when an old subject can't be loaded any more. */
#define XENRIG_C_ABI 1u

/* Functions that return int return 0 or more when all is well, and minus one of Xen's error numbers (xen/errno.h) when
 * it is not. These are the ones that a driver looks at. */
enum xenrig_errno {
    XENRIG_ENOENT = 2,
    XENRIG_EIO = 5,
    XENRIG_EAGAIN = 11,
    XENRIG_ENOMEM = 12,
    XENRIG_EACCES = 13,
    XENRIG_EBUSY = 16,
    XENRIG_ENODEV = 19,
    XENRIG_EINVAL = 22,
    XENRIG_ENOSPC = 28,
    XENRIG_EROFS = 30,
    XENRIG_ERANGE = 34,
    XENRIG_EOPNOTSUPP = 95
};

/* A place in the subject's source, for reports: "two loads of the same bytes, at mydrv.c:120 and mydrv.c:131". Lives as
 * long as the library. */
struct xenrig_place {
    const char* file;
    const char* function;
    unsigned line;
    unsigned column;
};

/* The place where it stands; only inside functions. */
#define XENRIG_HERE                                                                  \
    (__extension__({                                                                 \
        static const struct xenrig_place xenrig_here_ = {__FILE__, "", __LINE__, 0}; \
        &xenrig_here_;                                                               \
    }))

#define XENRIG_EXPORT __attribute__((visibility("default")))

#ifdef __cplusplus
}
#endif

#endif
