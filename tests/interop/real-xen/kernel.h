/* A bare 64-bit PV kernel: what its parts know of each other.
 *
 * It has no interrupts, no memory allocator and no library: Xen starts it on one stack with its whole memory mapped from
 * address 0 (start.S), it maps shared_info and its first grant frame over pages of its own, answers a script, and shuts
 * down. sim/hypercalls is the same kernel in the simulator; a change of the language is a change of both. */
#ifndef XENRIG_BARE_KERNEL_H
#define XENRIG_BARE_KERNEL_H

#define __XEN_INTERFACE_VERSION__ __XEN_LATEST_INTERFACE_VERSION__
#include <stdint.h>

#include <xen/xen.h>

#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/sched.h>

enum { PAGE = 4096, PAGES = 16, GRANTS = PAGE / sizeof(struct grant_entry_v1) };

/* hypercall.c */
long hypercall(unsigned number, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
long event_channel_op(int operation, void *op);
long grant_table_op(int operation, void *op);
/* Makes a page of the kernel's own lead to another machine frame. */
long map_over(void *page, unsigned long mfn);

/* console.c: %d and %x take a long, %s a string; a line goes out at its end. */
void print(const char *format, ...);

/* kernel.c: what the kernel mapped at its start. */
extern struct shared_info *const shared_info;
extern struct grant_entry_v1 *const grants;
unsigned long frame_of(const void *page);

/* script.c */
void run_script(const char *text, unsigned long length);

#endif
