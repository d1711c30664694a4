/* ge gx gf: entries of the grant table. gm gu gc gq: hypercalls on grants. hc: any hypercall. */
#include "memory.h"
#include "operations.h"

static uintptr_t address(long window) { return is_index(window) ? (uintptr_t)windows[window] : (uintptr_t)window; }

static void map(const long *a, struct answer *answer) {
    struct gnttab_map_grant_ref op = {.host_addr = address(a[0]), .flags = a[1], .ref = a[2], .dom = a[3], .handle = -1};
    const long rc = grant_table_op(GNTTABOP_map_grant_ref, &op);
    const int16_t status = rc != 0 ? (int16_t)(rc * 1000) : op.status;
    answer->number = op.handle;
    print(" st=%d", (long)status);
    if (status != GNTST_okay) return;
    print(" handle=%d", (long)op.handle);
    if (is_index(a[0])) window_state[a[0]] = a[1] & GNTMAP_readonly ? READ_ONLY : WRITABLE;
}

static void unmap(const long *a) {
    struct gnttab_unmap_grant_ref op = {.host_addr = address(a[0]), .handle = a[1]};
    const long rc = grant_table_op(GNTTABOP_unmap_grant_ref, &op);
    const long status = rc != 0 ? rc * 1000 : op.status;
    if (status == GNTST_okay && is_index(a[0])) window_state[a[0]] = UNMAPPED;
    print(" st=%d", status);
}

static void copy(const long *a) {
    struct gnttab_copy op = {.source = {.u.ref = a[0], .domid = a[1], .offset = a[2]},
                             .dest = {.u.ref = a[3], .domid = a[4], .offset = a[5]},
                             .len = a[6],
                             .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref};
    const long rc = grant_table_op(GNTTABOP_copy, &op);
    print(" rc=%d st=%d", rc, (long)op.status);
}

static void query_size(const long *a) {
    struct gnttab_query_size op = {.dom = a[0]};
    const long rc = grant_table_op(GNTTABOP_query_size, &op);
    print(" rc=%d st=%d", rc, (long)op.status);
    if (rc == 0 && op.status == GNTST_okay) print(" nr=%d max=%d", (long)op.nr_frames, (long)op.max_nr_frames);
}

static void write_entry(struct grant_entry_v1 *entry, const long *a) {
    entry->flags = 0;
    entry->domid = a[1];
    entry->frame = is_index(a[2]) ? frame_of(pages[a[2]]) : (unsigned long)a[2];
    /* The entry is whole before it grants anything. */
    __sync_synchronize();
    entry->flags = a[3];
}

int grant_operation(const char *name, const long *a, struct answer *answer) {
    struct grant_entry_v1 *entry = &grants[a[0] & (GRANTS - 1)];
    if (is(name, "ge")) {
        write_entry(entry, a);
    } else if (is(name, "gx")) {
        __sync_fetch_and_and(&entry->flags, ~GTF_type_mask);
        print(" flags=%x", (long)entry->flags);
    } else if (is(name, "gf")) {
        print(" flags=%x dom=%d", (long)entry->flags, (long)entry->domid);
    } else if (is(name, "gm")) {
        map(a, answer);
    } else if (is(name, "gu")) {
        unmap(a);
    } else if (is(name, "gc")) {
        copy(a);
    } else if (is(name, "gq")) {
        query_size(a);
    } else if (is(name, "hc")) {
        print(" rc=%d", hypercall(a[0] & 63, a[1], a[2], a[3], a[4]));
    } else {
        return 0;
    }
    return 1;
}
