/* The kernel's pages that scripts work on. */
#ifndef XENRIG_SCRIPT_MEMORY_H
#define XENRIG_SCRIPT_MEMORY_H

#include "kernel.h"

/* Pages to grant, and pages that mappings are put over. After an unmap nothing is behind a window's address. */
extern char pages[PAGES][PAGE], windows[PAGES][PAGE];
enum window { UNMAPPED, READ_ONLY, WRITABLE };
extern enum window window_state[PAGES];

/* Pages and windows go by their number; what is no such number is an address or a frame. */
static inline int is_index(word v) { return v >= 0 && v < PAGES; }

#endif
