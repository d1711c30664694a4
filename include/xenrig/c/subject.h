/* What a subject's library exports: one symbol, `xenrig_subject`, that names the drivers in it.
 *
 *     XENRIG_EXPORT const struct xenrig_subject xenrig_subject = {
 *         .size = sizeof(struct xenrig_subject), .abi = XENRIG_C_ABI, .name = "my blkfront", .blkfront = &my_blkfront};
 *
 * `xenrig conformance --subject ./libmine.so` then holds it against each clause of the protocol's headers, and
 * `xenrig run SCENARIO --subject ./libmine.so` puts it in the place of Xenrig's own driver. A role that is NULL is
 * played by Xenrig's own driver. docs/howto-subject.md begins from an empty folder.
 */
#ifndef XENRIG_C_SUBJECT_H
#define XENRIG_C_SUBJECT_H

#include "xenrig/c/blk.h"

#ifdef __cplusplus
extern "C" {
#endif

struct xenrig_subject {
    uint32_t size;
    uint32_t abi;
    const char* name; /* for reports */
    const struct xenrig_blkfront* blkfront;
    const struct xenrig_blkback* blkback;
};

#ifdef __cplusplus
}
#endif

#endif
