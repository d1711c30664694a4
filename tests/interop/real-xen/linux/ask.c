/* A script of hypercalls from a Linux dom0, through libxencall: ask <SCRIPT >ANSWERS.
 *
 * The same parts as the bare kernel's answer it, so far as Linux, which owns shared_info, the grant table and the page
 * tables, leaves room for it: event channels, and what goes by number. xencall.sh picks those lines. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <xencall.h>

#include "../kernel/kernel.h"
#include "../kernel/operations.h"

static xencall_handle* calls;

/* Not Linux' own: what would be written there is lost. */
static struct shared_info nobodys;
struct shared_info* const shared_info = &nobodys;

word hypercall(unsigned number, word a, word b, word c, word d) {
    const int rc = xencall5(calls, number, (uint64_t)a, (uint64_t)b, (uint64_t)c, (uint64_t)d, 0);
    extern int* __errno_location(void);
    return rc < 0 ? -*__errno_location() : rc;
}
word event_channel_op(int operation, void* op) {
    return hypercall(__HYPERVISOR_event_channel_op, operation, (uintptr_t)op, 0, 0);
}
word grant_table_op(int operation, void* op) {
    return hypercall(__HYPERVISOR_grant_table_op, operation, (uintptr_t)op, 1, 0);
}

void write_console(const char* text, unsigned length) { fwrite(text, 1, length, stdout); }
unsigned long frame_of(const void* page) {
    (void)page;
    return 0;
}
int entry_operation(const char* name, const word* a, struct answer* answer) {
    (void)name, (void)a, (void)answer;
    return 0;
}
int fifo_operation(const char* name, const word* a, struct answer* answer) {
    (void)name, (void)a, (void)answer;
    return 0;
}

int main(void) {
    static char script[1 << 20];
    calls = xencall_open(NULL, 0);
    /* Hypercalls take addresses: what they name has to be in memory. */
    if (!calls || mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
        perror("libxencall");
        return EXIT_FAILURE;
    }
    const size_t length = fread(script, 1, sizeof script, stdin);
    run_script(script, length, SUBJECT, NULL);
    return xencall_close(calls) == 0 && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
