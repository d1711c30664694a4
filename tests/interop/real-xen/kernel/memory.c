/* mask bits clr: event bits in shared_info. pw prd mw mr: bytes of pages and windows. pf: fills a page.
 * w2 w4 w8 r2 r4 r8: words of pages, for the structs of hc. */
#include "memory.h"

#include "operations.h"

char pages[PAGES][PAGE] __attribute__((aligned(PAGE))), windows[PAGES][PAGE] __attribute__((aligned(PAGE)));
enum window window_state[PAGES];

/* shared_info has as many words as a word has bits. */
enum { WORD_BITS = 8 * sizeof(long), PORTS = WORD_BITS * WORD_BITS };

static void clear_pending(void) {
    for (int i = 0; i < WORD_BITS; i++) shared_info->evtchn_pending[i] = 0;
    shared_info->vcpu_info[0].evtchn_pending_sel = 0;
    shared_info->vcpu_info[0].evtchn_upcall_pending = 0;
}

static void print_bits(evtchn_port_t port) {
    const unsigned index = port / WORD_BITS, bit = port % WORD_BITS;
    print(" pend=%d mask=%d sel=%x up=%d", (word)(shared_info->evtchn_pending[index] >> bit & 1),
          (word)(shared_info->evtchn_mask[index] >> bit & 1), (word)shared_info->vcpu_info[0].evtchn_pending_sel,
          (word)shared_info->vcpu_info[0].evtchn_upcall_pending);
}

/* The lowest bytes of a value, as many as fit before the page's end. */
static void write_word(char* page, unsigned offset, word value, unsigned bytes) {
    for (unsigned i = 0; i < bytes && offset + i < PAGE; i++) page[offset + i] = (char)(value >> (8 * i));
}

static uint64_t read_word(const char* page, unsigned offset, unsigned bytes) {
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes && offset + i < PAGE; i++)
        value |= (uint64_t)(unsigned char)page[offset + i] << (8 * i);
    return value;
}

/* How many bytes the operation `kind` and a digit is about; 0 for another one. */
static unsigned word_bytes(const char* name, char kind) {
    const unsigned bytes = (unsigned)(name[1] - '0');
    return name[0] == kind && (bytes == 2 || bytes == 4 || bytes == 8) && name[2] == 0 ? bytes : 0;
}

int memory_operation(const char* name, const word* a, struct answer* answer) {
    (void)answer;
    const unsigned index = a[0] & (PAGES - 1), offset = a[1] & (PAGE - 1);
    if (is(name, "mask")) {
        unsigned long* mask = &shared_info->evtchn_mask[a[0] / WORD_BITS & (WORD_BITS - 1)];
        if (a[1] != 0)
            __sync_fetch_and_or(mask, 1ul << (a[0] & (WORD_BITS - 1)));
        else
            __sync_fetch_and_and(mask, ~(1ul << (a[0] & (WORD_BITS - 1))));
    } else if (is(name, "bits")) {
        print_bits((evtchn_port_t)a[0] & (PORTS - 1));
    } else if (is(name, "clr")) {
        clear_pending();
    } else if (is(name, "pw")) {
        pages[index][offset] = (char)a[2];
    } else if (is(name, "pf")) {
        for (unsigned i = 0; i < PAGE; i++) pages[index][i] = (char)a[1];
    } else if (is(name, "prd")) {
        print(" %d", (word)(unsigned char)pages[index][offset]);
    } else if (is(name, "mw")) {
        if (window_state[index] == WRITABLE)
            windows[index][offset] = (char)a[2];
        else
            print(" unmapped");
    } else if (is(name, "mr")) {
        print(" %d", window_state[index] == UNMAPPED ? -1l : (word)(unsigned char)windows[index][offset]);
    } else if (word_bytes(name, 'w')) {
        write_word(pages[index], offset, a[2], word_bytes(name, 'w'));
    } else if (word_bytes(name, 'r')) {
        print(" %x", (word)read_word(pages[index], offset, word_bytes(name, 'r')));
    } else {
        return 0;
    }
    return 1;
}
