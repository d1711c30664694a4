/* What both ends of a device do with the store: read numbers, and change the state together with what belongs to it.
 *
 * Source: xen/io/xenbus.h for the states; xen/io/blkif.h for who writes what and when.
 */
#ifndef TESTS_SUBJECTS_XENBUS_H
#define TESTS_SUBJECTS_XENBUS_H

#include <xenrig/c/platform.h>

#include <xen/io/xenbus.h>

enum { PATH_MAX_BYTES = 256, VALUE_MAX_BYTES = 128 };

struct device {
    const struct xenrig_platform* xen;
    char path[PATH_MAX_BYTES];  /* own directory, relative to the domain's home */
    char other[PATH_MAX_BYTES]; /* the other end's, absolute */
    uint16_t other_domain;
    int state; /* what we last wrote: XenbusState... */
};

/* A node to be written. */
struct node {
    const char* name;
    char value[24];
};

/* Reads who the other end is: nodes NAME and NAME-id of the own directory ("backend" or "frontend"). */
int device_begin(struct device* d, const char* name);

/* The own or the other end's node: its length, or an error. */
int device_read(struct device* d, int other, const char* name, char* out);
/* `missing` when the node is not there; -EINVAL when it is no decimal number. */
int device_number(struct device* d, int other, const char* name, uint64_t missing, uint64_t* out);
/* XenbusStateUnknown when there is none. */
int device_other_state(struct device* d);

struct node node_of(const char* name, uint64_t value);

/* In one transaction: the nodes, then the state. -ENOENT when the directory is gone. */
int device_move(struct device* d, int state, const struct node* nodes, unsigned count);

/* For the person who runs the toolstack. */
void device_error(struct device* d, int error, const char* message);

#endif
