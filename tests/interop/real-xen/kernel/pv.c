/* A PV domain's start: start_info, and its own page tables by update_va_mapping. */
#include "kernel.h"
#ifdef XENRIG_DOM0
#include "domain.h"
#endif

/* Xen's list of the machine frames behind our memory. */
static const unsigned long* p2m;
static unsigned long shared_info_mfn;

unsigned long frame_of(const void* page) { return p2m[(uintptr_t)page / PAGE]; }

/* Makes a page of the kernel's own lead to another machine frame. */
static word map_over(const void* page, unsigned long mfn) {
    enum { PRESENT_WRITABLE_USER = 7 };
    const uint64_t entry = (uint64_t)mfn * PAGE | PRESENT_WRITABLE_USER;
#ifdef __x86_64__
    return hypercall(__HYPERVISOR_update_va_mapping, (uintptr_t)page, entry, UVMF_INVLPG, 0);
#else
    return hypercall(__HYPERVISOR_update_va_mapping, (uintptr_t)page, (uint32_t)entry, entry >> 32, UVMF_INVLPG);
#endif
}

word map_shared_info(void* page) { return map_over(page, shared_info_mfn); }
word map_grant_frame(void* page, unsigned long frame) { return map_over(page, frame); }
word map_status_frame(void* page, unsigned long frame) { return map_over(page, frame); }
void unmap_status_frame(void* page) {
    hypercall(__HYPERVISOR_update_va_mapping, (uintptr_t)page, 0, UVMF_INVLPG, UVMF_INVLPG);
}

void kernel(const struct start_info* info) {
    p2m = (const unsigned long*)info->mfn_list;
    shared_info_mfn = info->shared_info / PAGE;
    struct start start = {.magic = info->magic,
                          .privileged = (info->flags & SIF_PRIVILEGED) != 0,
                          .script = (const char*)info->mod_start,
                          .script_length = info->mod_len};
#ifdef XENRIG_DOM0
    if (build_and_run(&start)) return;
#else
    if (!start.privileged) {
        start.shared = (struct exchange*)info->mod_start;
        start.script = (const char*)(uintptr_t)start.shared->script;
        start.script_length = start.shared->script_length;
        share_console(start.shared, (void*)(uintptr_t)start.shared->text);
    }
#endif
    run(&start);
}
