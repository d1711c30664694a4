#include "xenbus.h"

#include <stdio.h>
#include <string.h>

static const char* path_to(char* out, const char* directory, const char* name) {
    snprintf(out, 2 * PATH_MAX_BYTES, "%s/%s", directory, name);
    return out;
}

static int parse(const char* text, uint64_t* out) {
    uint64_t value = 0;
    if (*text == '\0') return -XENRIG_EINVAL;
    for (; *text != '\0'; ++text) {
        if (*text < '0' || *text > '9') return -XENRIG_EINVAL;
        value = value * 10 + (uint64_t)(*text - '0');
    }
    *out = value;
    return 0;
}

int device_read(struct device* d, int other, const char* name, char* out) {
    char path[2 * PATH_MAX_BYTES];
    return d->xen->store->read(d->xen, 0, path_to(path, other ? d->other : d->path, name), out, VALUE_MAX_BYTES);
}

int device_number(struct device* d, int other, const char* name, uint64_t missing, uint64_t* out) {
    char text[VALUE_MAX_BYTES];
    const int length = device_read(d, other, name, text);
    *out = missing;
    if (length == -XENRIG_ENOENT) return 0;
    return length < 0 ? length : parse(text, out);
}

int device_other_state(struct device* d) {
    uint64_t state;
    return device_number(d, 1, "state", XenbusStateUnknown, &state) < 0 ? XenbusStateUnknown : (int)state;
}

int device_begin(struct device* d, const char* name) {
    char id[32], path[2 * PATH_MAX_BYTES];
    uint64_t domain;
    int error = d->xen->store->read(d->xen, 0, path_to(path, d->path, name), d->other, sizeof d->other);
    if (error < 0) return error;
    snprintf(id, sizeof id, "%s-id", name);
    error = device_number(d, 0, id, 0, &domain);
    d->other_domain = (uint16_t)domain;
    return error;
}

struct node node_of(const char* name, uint64_t value) {
    struct node n = {.name = name};
    snprintf(n.value, sizeof n.value, "%llu", (unsigned long long)value);
    return n;
}

static int write_all(struct device* d, xenrig_tx tx, int state, const struct node* nodes, unsigned count) {
    const struct xenrig_store* store = d->xen->store;
    char path[2 * PATH_MAX_BYTES], text[VALUE_MAX_BYTES];
    /* A directory that is gone is not made again. */
    int error = store->read(d->xen, tx, path_to(path, d->path, "state"), text, sizeof text);
    for (unsigned i = 0; i < count && error >= 0; ++i)
        error = store->write(d->xen, tx, path_to(path, d->path, nodes[i].name), nodes[i].value);
    if (error < 0) return error;
    return store->write(d->xen, tx, path_to(path, d->path, "state"), node_of("", (uint64_t)state).value);
}

int device_move(struct device* d, int state, const struct node* nodes, unsigned count) {
    const struct xenrig_store* store = d->xen->store;
    for (;;) {
        xenrig_tx tx;
        int error = store->start(d->xen, &tx);
        if (error < 0) return error;
        error = write_all(d, tx, state, nodes, count);
        if (error < 0) {
            store->end(d->xen, tx, 0);
            return error;
        }
        error = store->end(d->xen, tx, 1);
        if (error == -XENRIG_EAGAIN) continue;
        if (error == 0) d->state = state;
        return error;
    }
}

void device_error(struct device* d, int error, const char* message) {
    char path[2 * PATH_MAX_BYTES], text[VALUE_MAX_BYTES];
    snprintf(path, sizeof path, "error/%s/error", d->path);
    snprintf(text, sizeof text, "%d %s", -error, message);
    d->xen->store->write(d->xen, 0, path, text);
}
