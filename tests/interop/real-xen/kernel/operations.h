/* The operations of a script, by topic. Each function knows some names: it prints the answer and returns 1, or 0. */
#ifndef XENRIG_OPERATIONS_H
#define XENRIG_OPERATIONS_H

#include "exchange.h"

struct answer {
    word failed; /* the line's variable keeps what it had */
    word number; /* a port or a handle */
};

int event_operation(const char* name, const word* a, struct answer* answer);
int memory_operation(const char* name, const word* a, struct answer* answer);
int grant_operation(const char* name, const word* a, struct answer* answer);
int entry_operation(const char* name, const word* a, struct answer* answer);
int fifo_operation(const char* name, const word* a, struct answer* answer);

static inline int is(const char* a, const char* b) {
    while (*a && *a == *b) a++, b++;
    return *a == *b;
}

#endif
