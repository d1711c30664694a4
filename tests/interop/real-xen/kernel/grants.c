/* gm gu gc gq gv tr: hypercalls on grants. hc: any hypercall. */
#include "memory.h"
#include "operations.h"

static uintptr_t address(word window) { return is_index(window) ? (uintptr_t)windows[window] : (uintptr_t)window; }

static void map(const word* a, struct answer* answer) {
    struct gnttab_map_grant_ref op = {
        .host_addr = address(a[0]), .flags = a[1], .ref = a[2], .dom = a[3], .handle = -1};
    const word rc = grant_table_op(GNTTABOP_map_grant_ref, &op);
    const int16_t status = rc != 0 ? (int16_t)(rc * 1000) : op.status;
    answer->number = op.handle;
    print(" st=%d", (word)status);
    if (status != GNTST_okay) return;
    print(" handle=%d", (word)op.handle);
    if (is_index(a[0])) window_state[a[0]] = a[1] & GNTMAP_readonly ? READ_ONLY : WRITABLE;
}

static void unmap(const word* a) {
    struct gnttab_unmap_grant_ref op = {.host_addr = address(a[0]), .handle = a[1]};
    const word rc = grant_table_op(GNTTABOP_unmap_grant_ref, &op);
    const word status = rc != 0 ? rc * 1000 : op.status;
    if (status == GNTST_okay && is_index(a[0])) window_state[a[0]] = UNMAPPED;
    print(" st=%d", status);
}

static void copy(const word* a) {
    struct gnttab_copy op = {.source = {.u.ref = a[0], .domid = a[1], .offset = a[2]},
                             .dest = {.u.ref = a[3], .domid = a[4], .offset = a[5]},
                             .len = a[6],
                             .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref};
    const word rc = grant_table_op(GNTTABOP_copy, &op);
    print(" rc=%d st=%d", rc, (word)op.status);
}

static void query_size(const word* a) {
    struct gnttab_query_size op = {.dom = a[0]};
    const word rc = grant_table_op(GNTTABOP_query_size, &op);
    print(" rc=%d st=%d", rc, (word)op.status);
    if (rc == 0 && op.status == GNTST_okay) print(" nr=%d max=%d", (word)op.nr_frames, (word)op.max_nr_frames);
}

/* The page goes away from us, if it can be given: to a domain whose entry accepts it. */
static void transfer(const word* a) {
    struct gnttab_transfer op = {.mfn = frame_of(pages[a[0] & (PAGES - 1)]), .domid = a[1], .ref = a[2]};
    const word rc = grant_table_op(GNTTABOP_transfer, &op);
    print(" rc=%d st=%d", rc, (word)op.status);
}

int grant_operation(const char* name, const word* a, struct answer* answer) {
    if (is(name, "gm")) {
        map(a, answer);
    } else if (is(name, "gu")) {
        unmap(a);
    } else if (is(name, "gc")) {
        copy(a);
    } else if (is(name, "gq")) {
        query_size(a);
    } else if (is(name, "tr")) {
        transfer(a);
    } else if (is(name, "hc")) {
        print(" rc=%d", hypercall(a[0] & 63, a[1], a[2], a[3], a[4]));
    } else {
        return 0;
    }
    return 1;
}
