/* ge gx gf: entries of the grant table in version 1. gv: the version. g2 gt g3 gs: entries and status words of version
 * 2. A table in the other layout is written all the same: what Xen makes of it is what is asked. */
#include "memory.h"
#include "operations.h"

static struct grant_entry_v1* entry_v1(word ref) { return (struct grant_entry_v1*)grant_page + (ref & (GRANTS - 1)); }
static union grant_entry_v2* entry_v2(word ref) {
    enum { ENTRIES = PAGE / sizeof(union grant_entry_v2) };
    return (union grant_entry_v2*)grant_page + (ref & (ENTRIES - 1));
}

static unsigned long frame_named(word page) { return is_index(page) ? frame_of(pages[page]) : (unsigned long)page; }

/* An entry is whole before it grants anything. */
static void begin(uint16_t* flags) {
    *(volatile uint16_t*)flags = 0;
    __sync_synchronize();
}
static void finish(uint16_t* flags, word value) {
    __sync_synchronize();
    *(volatile uint16_t*)flags = (uint16_t)value;
}

static void write_v1(word ref, word domain, word page, word flags) {
    struct grant_entry_v1* entry = entry_v1(ref);
    begin(&entry->flags);
    entry->domid = (domid_t)domain;
    entry->frame = (uint32_t)frame_named(page);
    finish(&entry->flags, flags);
}

/* A whole page, or when `part` (GTF_sub_page is in its flags) some of it. */
static void write_v2(word ref, const word* a, int part) {
    union grant_entry_v2* entry = entry_v2(ref);
    begin(&entry->hdr.flags);
    entry->hdr.domid = (domid_t)a[1];
    if (part) {
        entry->sub_page.page_off = (uint16_t)a[4];
        entry->sub_page.length = (uint16_t)a[5];
        entry->sub_page.frame = frame_named(a[2]);
    } else {
        entry->full_page.frame = frame_named(a[2]);
    }
    finish(&entry->hdr.flags, a[3]);
}

/* What another domain granted us, granted on. */
static void write_transitive(word ref, word domain, word behind, word behind_ref, word flags) {
    union grant_entry_v2* entry = entry_v2(ref);
    begin(&entry->hdr.flags);
    entry->hdr.domid = (domid_t)domain;
    entry->transitive.trans_domid = (domid_t)behind;
    entry->transitive.gref = (grant_ref_t)behind_ref;
    finish(&entry->hdr.flags, flags);
}

static word find_status_frame(unsigned long* frame) {
    uint64_t list = 0;
    struct gnttab_get_status_frames op = {.nr_frames = 1, .dom = DOMID_SELF};
    set_xen_guest_handle(op.frame_list, &list);
    const word rc = grant_table_op(GNTTABOP_get_status_frames, &op);
    *frame = (unsigned long)list;
    return rc != 0 ? rc : op.status;
}

/* Is there a status frame behind its page? */
static int status_mapped;

static uint16_t status_word(word ref) {
    enum { ENTRIES = PAGE / sizeof(union grant_entry_v2) };
    return status_mapped ? ((volatile uint16_t*)status_page)[ref & (ENTRIES - 1)] : 0;
}

static void set_version(word version) {
    /* Frames that are mapped can't be given up. */
    if (status_mapped) unmap_status_frame(status_page);
    status_mapped = 0;
    struct gnttab_set_version op = {.version = (uint32_t)version};
    const word rc = grant_table_op(GNTTABOP_set_version, &op);
    print(" rc=%d version=%d", rc, (word)op.version);
    if (rc != 0 || version != 2) return;
    unsigned long frame = 0;
    const word status = find_status_frame(&frame);
    print(" frames=%d", status);
    const word mapped = map_status_frame(status_page, frame);
    print(" map=%d", mapped);
    status_mapped = mapped == 0;
}

int entry_operation(const char* name, const word* a, struct answer* answer) {
    (void)answer;
    if (is(name, "ge")) {
        write_v1(a[0], a[1], a[2], a[3]);
    } else if (is(name, "gx")) {
        print(" flags=%x", (word)__sync_and_and_fetch(&entry_v1(a[0])->flags, ~GTF_type_mask));
    } else if (is(name, "gf")) {
        print(" flags=%x dom=%d", (word)entry_v1(a[0])->flags, (word)entry_v1(a[0])->domid);
    } else if (is(name, "gv")) {
        set_version(a[0]);
    } else if (is(name, "g2")) {
        write_v2(a[0], a, 0);
    } else if (is(name, "g3")) {
        write_v2(a[0], a, 1);
    } else if (is(name, "gt")) {
        write_transitive(a[0], a[1], a[2], a[3], a[4]);
    } else if (is(name, "gs")) {
        print(" flags=%x dom=%d status=%x", (word)entry_v2(a[0])->hdr.flags, (word)entry_v2(a[0])->hdr.domid,
              (word)status_word(a[0]));
    } else {
        return 0;
    }
    return 1;
}
