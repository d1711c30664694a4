/* A bare kernel for scripts of hypercalls: what its parts know of each other.
 *
 * It has no interrupts, no memory allocator and no library. One source makes it for every way in which Xen starts a
 * domain: PV of 64 and 32 bits (pv.c), PVH of 64 and 32 bits (pvh.c). An address is the pseudo-physical one. It maps
 * shared_info and its first grant frame over pages of its own, answers a script, and shuts down; or it is dom0 and
 * builds a domain that does (domain.c). sim/hypercalls is the same in the simulator: a change of the language is a
 * change of both. */
#ifndef XENRIG_BARE_KERNEL_H
#define XENRIG_BARE_KERNEL_H

#define __XEN_INTERFACE_VERSION__ __XEN_LATEST_INTERFACE_VERSION__
#include <stdint.h>

#include <xen/xen.h>

#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/sched.h>

#include "exchange.h"

enum { PAGE = 4096, PAGES = 16, GRANTS = PAGE / sizeof(struct grant_entry_v1) };

/* hypercall.c */
word hypercall(unsigned number, word a, word b, word c, word d);
word event_channel_op(int operation, void* op);
word grant_table_op(int operation, void* op);

/* console.c: %d and %x take a word, %s a string; a line goes out at its end. */
void print(const char* format, ...);
/* From now on lines go into the text that the domain shares with dom0; here it lies at `text`. */
void share_console(struct exchange* with, void* text);
/* hypercall.c: to the machine's console, as dom0 may. */
void write_console(const char* text, unsigned length);

/* pv.c or pvh.c: places of our own that lead to what the hypervisor has, 0 or an error. */
word map_shared_info(void* page);
word map_grant_frame(void* page, unsigned long frame);
word map_status_frame(void* page, unsigned long frame);
void unmap_status_frame(void* page);
/* The frame behind a page of ours, as a hypercall takes it: a machine frame of PV, a gfn of PVH. */
unsigned long frame_of(const void* page);

/* kernel.c: from what pv.c or pvh.c found to the end. `script` is run; `shared` is where it is done together with
 * another domain, null for a domain alone. */
struct start {
    const char* magic;
    int privileged;
    const char* script;
    unsigned long script_length;
    struct exchange* shared;
};
void run(const struct start* start);
/* Says who we are and maps shared_info and the grant table. */
void open_tables(const struct start* start);
void shut_down(unsigned reason);

extern struct shared_info* const shared_info;
/* The entries of the first grant frame, in either version's layout, and the status words of version 2. */
extern char grant_page[PAGE], status_page[PAGE];

/* script.c: answers the lines that are `role`'s own; a shared script is walked in step with the other domain. */
void run_script(const char* text, unsigned long length, enum role role, struct exchange* shared);

#endif
