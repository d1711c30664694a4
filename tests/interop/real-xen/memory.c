/* mask bits clr: event bits in shared_info. pw prd mw mr: bytes of pages and windows. */
#include "memory.h"

#include "operations.h"

char pages[PAGES][PAGE] __attribute__((aligned(PAGE))), windows[PAGES][PAGE] __attribute__((aligned(PAGE)));
enum window window_state[PAGES];

static void clear_pending(void) {
    for (int i = 0; i < 64; i++) shared_info->evtchn_pending[i] = 0;
    shared_info->vcpu_info[0].evtchn_pending_sel = 0;
    shared_info->vcpu_info[0].evtchn_upcall_pending = 0;
}

static void print_bits(evtchn_port_t port) {
    const unsigned word = port / 64, bit = port % 64;
    print(" pend=%d mask=%d sel=%x up=%d", (long)(shared_info->evtchn_pending[word] >> bit & 1),
          (long)(shared_info->evtchn_mask[word] >> bit & 1), (long)shared_info->vcpu_info[0].evtchn_pending_sel,
          (long)shared_info->vcpu_info[0].evtchn_upcall_pending);
}

int memory_operation(const char *name, const long *a, struct answer *answer) {
    (void)answer;
    const unsigned index = a[0] & (PAGES - 1), offset = a[1] & (PAGE - 1);
    if (is(name, "mask")) {
        unsigned long *word = &shared_info->evtchn_mask[a[0] / 64 & 63];
        if (a[1] != 0)
            __sync_fetch_and_or(word, 1ul << (a[0] & 63));
        else
            __sync_fetch_and_and(word, ~(1ul << (a[0] & 63)));
    } else if (is(name, "bits")) {
        print_bits(a[0] & 4095);
    } else if (is(name, "clr")) {
        clear_pending();
    } else if (is(name, "pw")) {
        pages[index][offset] = (char)a[2];
    } else if (is(name, "prd")) {
        print(" %d", (long)(unsigned char)pages[index][offset]);
    } else if (is(name, "mw")) {
        if (window_state[index] == WRITABLE)
            windows[index][offset] = (char)a[2];
        else
            print(" unmapped");
    } else if (is(name, "mr")) {
        print(" %d", window_state[index] == UNMAPPED ? -1l : (long)(unsigned char)windows[index][offset]);
    } else {
        return 0;
    }
    return 1;
}
