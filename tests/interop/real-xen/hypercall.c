/* Hypercalls through the page that Xen fills in (arch-x86/xen-x86_64.h: rdi, rsi, rdx, r10; the answer in rax). */
#include "kernel.h"

extern char hypercall_page[];

long hypercall(unsigned number, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
    enum { ENTRY_BYTES = 32 };
    register uint64_t fourth __asm__("r10") = d;
    long answer;
    __asm__ volatile("call *%[entry]"
                     : "=a"(answer), "+D"(a), "+S"(b), "+d"(c), "+r"(fourth)
                     : [entry] "r"(hypercall_page + number * ENTRY_BYTES)
                     : "memory", "rcx", "r11", "r8", "r9");
    return answer;
}

long event_channel_op(int operation, void *op) {
    return hypercall(__HYPERVISOR_event_channel_op, operation, (uintptr_t)op, 0, 0);
}

long grant_table_op(int operation, void *op) {
    return hypercall(__HYPERVISOR_grant_table_op, operation, (uintptr_t)op, 1, 0);
}

long map_over(void *page, unsigned long mfn) {
    enum { PRESENT_WRITABLE_USER = 7 };
    return hypercall(__HYPERVISOR_update_va_mapping, (uintptr_t)page, mfn * PAGE | PRESENT_WRITABLE_USER, UVMF_INVLPG,
                     0);
}
