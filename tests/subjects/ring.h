/* Where the words and the messages of a block device's ring of one page lie (xen/io/ring.h, xen/io/blkif.h). */
#ifndef TESTS_SUBJECTS_RING_H
#define TESTS_SUBJECTS_RING_H

#include <xenrig/c/platform.h>

#include <xen/io/blkif.h>

enum {
    REQ_PROD = 0,
    REQ_EVENT = 4,
    RSP_PROD = 8,
    RSP_EVENT = 12,
    RING_HEADER = 64,
    RING_ENTRY = sizeof(union blkif_sring_entry),
    RING_SIZE = 32,
    SECTOR = 512,
    SECTORS_PER_PAGE = XENRIG_PAGE_SIZE / SECTOR
};

static inline size_t ring_slot(uint32_t index) { return RING_HEADER + RING_ENTRY * (index % RING_SIZE); }

#endif
