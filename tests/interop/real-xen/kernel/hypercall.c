/* Hypercalls through the page that Xen fills in with an entry of 32 bytes for each (arch-x86/xen-x86_64.h: rdi, rsi,
 * rdx, r10; xen-x86_32.h: ebx, ecx, edx, esi; the answer in rax or eax). */
#include "kernel.h"

extern char hypercall_page[];
enum { ENTRY_BYTES = 32 };

#ifdef __x86_64__
word hypercall(unsigned number, word a, word b, word c, word d) {
    register word fourth __asm__("r10") = d;
    word answer;
    __asm__ volatile("call *%[entry]"
                     : "=a"(answer), "+D"(a), "+S"(b), "+d"(c), "+r"(fourth)
                     : [entry] "r"(hypercall_page + number * ENTRY_BYTES)
                     : "memory", "rcx", "r11", "r8", "r9");
    return answer;
}
#else
word hypercall(unsigned number, word a, word b, word c, word d) {
    long first = (long)a, second = (long)b, third = (long)c, fourth = (long)d, answer;
    __asm__ volatile("call *%[entry]"
                     : "=a"(answer), "+b"(first), "+c"(second), "+d"(third), "+S"(fourth)
                     : [entry] "D"(hypercall_page + number * ENTRY_BYTES)
                     : "memory");
    return answer;
}
#endif

word event_channel_op(int operation, void* op) {
    return hypercall(__HYPERVISOR_event_channel_op, operation, (uintptr_t)op, 0, 0);
}

word grant_table_op(int operation, void* op) {
    return hypercall(__HYPERVISOR_grant_table_op, operation, (uintptr_t)op, 1, 0);
}

void write_console(const char* text, unsigned length) {
    hypercall(__HYPERVISOR_console_io, CONSOLEIO_write, length, (uintptr_t)text, 0);
}
