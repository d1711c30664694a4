/* What two kernels share that answer one script: dom0 and the domain that it built, in that domain's memory.
 *
 * They take turns, line by line, so nothing here is written by both at once. */
#ifndef XENRIG_EXCHANGE_H
#define XENRIG_EXCHANGE_H

#include <stdint.h>

/* A script's numbers have 64 bits, whatever the kernel has. */
typedef int64_t word;

enum { VARIABLES = 1024 };
/* Who answers a line: the one whose script it is, or with `0:` in front of the operation, dom0. */
enum role { SUBJECT, BUILDER };

struct exchange {
    volatile uint32_t line; /* whose turn: the line that is to be answered now, from 1 */
    volatile uint32_t done; /* the subject has come to the end */
    uint32_t text_length, text_room;
    uint32_t script_length, unused;
    uint64_t script, text; /* pseudo-physical */
    word variables[VARIABLES];
};

/* Where everything lies in a domain that our dom0 built, as pseudo-physical addresses. */
enum {
    DOMAIN_BYTES = 8 << 20,
    AT_P2M = 0x1e0000,
    AT_START_INFO = 0x1f0000,
    AT_EXCHANGE = 0x200000,
    AT_SCRIPT = 0x210000,
    AT_TEXT = 0x400000,
    AT_PAGE_TABLES = 0x7e0000,
    /* In the kernel's image (kernel.ld). */
    AT_HYPERCALL_PAGE = 0x101000,
};

#endif
