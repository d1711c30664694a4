/* A PV domain's page tables, start_info and first vCPU: its memory one to one from address 0. */
#define __XEN_TOOLS__
#include "domain.h"

#include <xen/domctl.h>
#include <xen/foreign/x86_32.h>

enum { PRESENT = 1, PRESENT_WRITABLE_USER = 7, TABLE_ENTRIES = 512, FIRST_TABLE = AT_PAGE_TABLES / PAGE };
enum { LEVEL1_TABLES = DOMAIN_PAGES / TABLE_ENTRIES };

static uint64_t* table(unsigned page) { return (uint64_t*)(domain_memory + page * PAGE); }
static uint64_t entry(const struct domain* d, unsigned page, unsigned flags) {
    return (uint64_t)d->mfns[page] * PAGE | flags;
}

/* Returns the highest table's page. Page tables may not be writable to whom they are of. */
static unsigned build_tables(const struct domain* d) {
    unsigned next = FIRST_TABLE;
    const unsigned level1 = next;
    next += LEVEL1_TABLES;
    for (unsigned i = 0; i < DOMAIN_PAGES; i++)
        table(level1)[i] = entry(d, i, i >= FIRST_TABLE ? PRESENT : PRESENT_WRITABLE_USER);
    const unsigned level2 = next++;
    for (unsigned i = 0; i < LEVEL1_TABLES; i++) table(level2)[i] = entry(d, level1 + i, PRESENT_WRITABLE_USER);
    const unsigned level3 = next++;
    if (d->bits == 32) {
        /* A PAE guest's third GiB has a level 2 of its own, in which Xen has its part. */
        table(level3)[0] = entry(d, level2, PRESENT);
        table(level3)[3] = entry(d, next, PRESENT);
        return level3;
    }
    table(level3)[0] = entry(d, level2, PRESENT_WRITABLE_USER);
    const unsigned level4 = next;
    table(level4)[0] = entry(d, level3, PRESENT_WRITABLE_USER);
    return level4;
}

static void write_p2m(const struct domain* d) {
    for (unsigned i = 0; i < DOMAIN_PAGES; i++) {
        if (d->bits == 64)
            ((uint64_t*)(domain_memory + AT_P2M))[i] = d->mfns[i];
        else
            ((uint32_t*)(domain_memory + AT_P2M))[i] = (uint32_t)d->mfns[i];
    }
}

static word prepare64(const struct domain* d, unsigned tables) {
    struct start_info* info = (struct start_info*)(domain_memory + AT_START_INFO);
    *info = (struct start_info){.magic = "xen-3.0-x86_64",
                                .nr_pages = DOMAIN_PAGES,
                                .shared_info = shared_info_frame() * PAGE,
                                .pt_base = tables * PAGE,
                                .mfn_list = AT_P2M,
                                .mod_start = AT_EXCHANGE};
    static struct vcpu_guest_context context;
    context.flags = VGCF_in_kernel | VGCF_online;
    context.user_regs.rip = d->entry;
    context.user_regs.rsi = AT_START_INFO;
    context.user_regs.rflags = 1 << 9;
    context.user_regs.cs = FLAT_KERNEL_CS;
    context.user_regs.ss = context.kernel_ss = FLAT_KERNEL_SS;
    context.ctrlreg[3] = xen_pfn_to_cr3(d->mfns[tables]);
    struct xen_domctl op = {0};
    set_xen_guest_handle(op.u.vcpucontext.ctxt, &context);
    return domctl(XEN_DOMCTL_setvcpucontext, &op);
}

static word prepare32(const struct domain* d, unsigned tables) {
    enum { KERNEL_CODE = 0xe019, KERNEL_DATA = 0xe021 };
    struct start_info_x86_32* info = (struct start_info_x86_32*)(domain_memory + AT_START_INFO);
    *info = (struct start_info_x86_32){.magic = "xen-3.0-x86_32p",
                                       .nr_pages = DOMAIN_PAGES,
                                       .shared_info = (uint32_t)shared_info_frame() * PAGE,
                                       .pt_base = tables * PAGE,
                                       .mfn_list = AT_P2M,
                                       .mod_start = AT_EXCHANGE};
    static struct vcpu_guest_context_x86_32 context;
    context.flags = VGCF_in_kernel | VGCF_online;
    context.user_regs.eip = d->entry;
    context.user_regs.esi = AT_START_INFO;
    context.user_regs.eflags = 1 << 9;
    context.user_regs.cs = KERNEL_CODE;
    context.user_regs.ds = context.user_regs.es = context.user_regs.ss = context.kernel_ss = KERNEL_DATA;
    /* Such a guest's cr3 has the frame's upper bits at its lower end (arch-x86/xen-x86_32.h). */
    const uint32_t mfn = (uint32_t)d->mfns[tables];
    context.ctrlreg[3] = mfn << 12 | mfn >> 20;
    struct xen_domctl op = {0};
    *(void**)&op.u.vcpucontext.ctxt = &context;
    return domctl(XEN_DOMCTL_setvcpucontext, &op);
}

word prepare_pv(const struct domain* d) {
    write_p2m(d);
    const unsigned tables = build_tables(d);
    /* Nobody may map a page table writable while it is one. */
    for (unsigned page = FIRST_TABLE; page < DOMAIN_PAGES; page++) {
        const word rc = hypercall(__HYPERVISOR_update_va_mapping, (uintptr_t)table(page), 0, UVMF_INVLPG, 0);
        if (rc != 0) return rc;
    }
    return d->bits == 64 ? prepare64(d, tables) : prepare32(d, tables);
}
