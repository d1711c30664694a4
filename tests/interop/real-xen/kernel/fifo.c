/* fi fx: init_control and expand_array with pages of ours. fw fh: what they say, the word of a port and the head of a
 * queue (event_channel.h: the FIFO ABI). */
#include "memory.h"
#include "operations.h"

enum { WORDS = PAGE / sizeof(event_word_t) };

/* The pages of the event array in their order, and the first vCPU's control block. */
static const event_word_t* array[PAGES];
static unsigned array_pages;
static const struct evtchn_fifo_control_block* control;

static void init_control(const word* a, struct answer* answer) {
    char* page = pages[a[0] & (PAGES - 1)];
    struct evtchn_init_control op = {.control_gfn = frame_of(page), .offset = (uint32_t)a[1], .vcpu = (uint32_t)a[2]};
    answer->failed = event_channel_op(EVTCHNOP_init_control, &op);
    print(" rc=%d", answer->failed);
    if (answer->failed) return;
    print(" bits=%d", (word)op.link_bits);
    control = (const struct evtchn_fifo_control_block*)(page + a[1]);
    array_pages = 0;
}

static void expand_array(const word* a, struct answer* answer) {
    char* page = pages[a[0] & (PAGES - 1)];
    struct evtchn_expand_array op = {.array_gfn = frame_of(page)};
    answer->failed = event_channel_op(EVTCHNOP_expand_array, &op);
    print(" rc=%d", answer->failed);
    if (answer->failed == 0 && array_pages < PAGES) array[array_pages++] = (const event_word_t*)page;
}

int fifo_operation(const char* name, const word* a, struct answer* answer) {
    if (is(name, "fi")) {
        init_control(a, answer);
    } else if (is(name, "fx")) {
        expand_array(a, answer);
    } else if (is(name, "fw")) {
        const unsigned page = (uint32_t)a[0] / WORDS;
        if (page < array_pages)
            print(" %x", (word)((const volatile event_word_t*)array[page])[(uint32_t)a[0] % WORDS]);
        else
            print(" none");
    } else if (is(name, "fh")) {
        if (control)
            print(" ready=%x head=%d", (word) * (const volatile uint32_t*)&control->ready,
                  (word)((const volatile event_word_t*)control->head)[a[0] & 15]);
        else
            print(" none");
    } else {
        return 0;
    }
    return 1;
}
