/* A PVH domain's start: hvm_start_info, and its physical memory by add_to_physmap. Only a domain that our dom0 built.
 */
#include "kernel.h"

#include <xen/arch-x86/hvm/start_info.h>

unsigned long frame_of(const void* page) { return (uintptr_t)page / PAGE; }

static word add_to_physmap(void* page, unsigned space, unsigned long index) {
    struct xen_add_to_physmap op = {.domid = DOMID_SELF, .space = space, .idx = index, .gpfn = frame_of(page)};
    return hypercall(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, (uintptr_t)&op, 0, 0);
}

word map_shared_info(void* page) { return add_to_physmap(page, XENMAPSPACE_shared_info, 0); }
word map_grant_frame(void* page, unsigned long frame) {
    (void)frame;
    return add_to_physmap(page, XENMAPSPACE_grant_table, 0);
}
word map_status_frame(void* page, unsigned long frame) {
    (void)frame;
    return add_to_physmap(page, XENMAPSPACE_grant_table, XENMAPIDX_grant_table_status);
}

/* Xen takes the layout of shared_info from the mode in which the guest asks for its hypercall page (cpuid.h: leaf 2).
 */
static void ask_for_hypercall_page(void) {
    extern char hypercall_page[];
    enum { LEAF = 0x40000002 };
    uint32_t pages, msr, c, d;
    __asm__ volatile("cpuid" : "=a"(pages), "=b"(msr), "=c"(c), "=d"(d) : "a"(LEAF));
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)(uintptr_t)hypercall_page), "d"(0) : "memory");
}

/* Xen takes it out of the physical memory by itself. */
void unmap_status_frame(void* page) { (void)page; }

void kernel(const struct hvm_start_info* info) {
    const struct hvm_modlist_entry* module = (const struct hvm_modlist_entry*)(uintptr_t)info->modlist_paddr;
    struct exchange* shared = (struct exchange*)(uintptr_t)module->paddr;
    ask_for_hypercall_page();
    share_console(shared, (void*)(uintptr_t)shared->text);
    const struct start start = {.magic = sizeof(void*) == 8 ? "pvh-64" : "pvh-32",
                                .script = (const char*)(uintptr_t)shared->script,
                                .script_length = shared->script_length,
                                .shared = shared};
    run(&start);
}
