/* Libraries that can't be a subject, or crash as one; WRONG says how. */
#include <stdlib.h>
#include <string.h>
#include <xenrig/c/subject.h>

enum wrong { ABI, SIZE, NO_ROLE, NO_CALL, CRASH, FALL, SPIN };

static void* create(const struct xenrig_platform* xen, const char* path) {
    (void)xen;
    return strdup(path);
}

static int start(void* self) {
    (void)self;
    if (WRONG == CRASH) abort();
    for (volatile int forever = 1; WRONG == SPIN && forever;) continue;
    return 0;
}

static int wait_connected(void* self, struct xenrig_disk_info* out) {
    memset(out, 0, sizeof *out);
    /* A disk that is used at once, through a pointer that nobody set. */
    if (WRONG == FALL) *(volatile char* volatile*)self = NULL;
    if (WRONG == FALL) **(volatile char* volatile*)self = 1;
    return -XENRIG_ENODEV;
}

static int transfer(void* self, const struct xenrig_transfer* t) {
    (void)self;
    (void)t;
    return -XENRIG_ENODEV;
}

static void stop(void* self) { (void)self; }

static const struct xenrig_blkfront blkfront = {.size = WRONG == SIZE ? 8 : sizeof(struct xenrig_blkfront),
                                                .create = create,
                                                .start = start,
                                                .stop = stop,
                                                .destroy = free,
                                                .wait_connected = wait_connected,
                                                .transfer = transfer,
                                                .flush = WRONG == NO_CALL ? NULL : start};

XENRIG_EXPORT const struct xenrig_subject xenrig_subject = {.size = sizeof(struct xenrig_subject),
                                                            .abi = WRONG == ABI ? 999 : XENRIG_C_ABI,
                                                            .name = "bad_library.c",
                                                            .blkfront = WRONG == NO_ROLE ? NULL : &blkfront};
