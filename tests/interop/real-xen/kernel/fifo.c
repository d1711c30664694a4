/* fi fx: init_control and expand_array with pages of ours. fw fh: what they say, the word of a port and the head of a
 * queue. fm fd: a port's mask bit; the next event of a queue is taken (event_channel.h: the FIFO ABI). */
#include "memory.h"
#include "operations.h"

enum { WORDS = PAGE / sizeof(event_word_t) };

/* The pages of the event array in their order, and the first vCPU's control block. */
static volatile event_word_t* array[PAGES];
static unsigned array_pages;
static volatile struct evtchn_fifo_control_block* control;

static void init_control(const word* a, struct answer* answer) {
    char* page = pages[a[0] & (PAGES - 1)];
    struct evtchn_init_control op = {.control_gfn = frame_of(page), .offset = (uint32_t)a[1], .vcpu = (uint32_t)a[2]};
    answer->failed = event_channel_op(EVTCHNOP_init_control, &op);
    print(" rc=%d", answer->failed);
    if (answer->failed) return;
    print(" bits=%d", (word)op.link_bits);
    control = (volatile struct evtchn_fifo_control_block*)(page + a[1]);
    array_pages = 0;
}

static void expand_array(const word* a, struct answer* answer) {
    char* page = pages[a[0] & (PAGES - 1)];
    struct evtchn_expand_array op = {.array_gfn = frame_of(page)};
    answer->failed = event_channel_op(EVTCHNOP_expand_array, &op);
    print(" rc=%d", answer->failed);
    if (answer->failed == 0 && array_pages < PAGES) array[array_pages++] = (volatile event_word_t*)page;
}

/* A port's word; null where there is none yet. */
static volatile event_word_t* word_of(evtchn_port_t port) {
    return port / WORDS < array_pages ? &array[port / WORDS][port % WORDS] : 0;
}

static void mask_word(evtchn_port_t port, int masked) {
    volatile event_word_t* at = word_of(port);
    if (!at)
        print(" none");
    else if (masked)
        __sync_fetch_and_or(at, 1u << EVTCHN_FIFO_MASKED);
    else
        __sync_fetch_and_and(at, ~(1u << EVTCHN_FIFO_MASKED));
}

/* As the end of a queue that a guest has: the next event leaves it, and is pending no more. */
static void take_event(unsigned queue) {
    enum { LINK_MASK = (1 << EVTCHN_FIFO_LINK_BITS) - 1 };
    const evtchn_port_t port = control ? control->head[queue] : 0;
    if (port == 0 || !word_of(port) || !(control->ready >> queue & 1)) {
        print(" none");
        return;
    }
    const event_word_t taken =
        __sync_fetch_and_and(word_of(port), ~(LINK_MASK | 1u << EVTCHN_FIFO_LINKED | 1u << EVTCHN_FIFO_PENDING));
    control->head[queue] = taken & LINK_MASK;
    if ((taken & LINK_MASK) == 0) __sync_fetch_and_and(&control->ready, ~(1u << queue));
    print(" port=%d", (word)port);
}

int fifo_operation(const char* name, const word* a, struct answer* answer) {
    if (is(name, "fi")) {
        init_control(a, answer);
    } else if (is(name, "fx")) {
        expand_array(a, answer);
    } else if (is(name, "fw")) {
        if (word_of((uint32_t)a[0]))
            print(" %x", (word)*word_of((uint32_t)a[0]));
        else
            print(" none");
    } else if (is(name, "fh")) {
        if (control)
            print(" ready=%x head=%d", (word)control->ready, (word)control->head[a[0] & 15]);
        else
            print(" none");
    } else if (is(name, "fm")) {
        mask_word((uint32_t)a[0], a[1] != 0);
    } else if (is(name, "fd")) {
        take_event(a[0] & 15);
    } else {
        return 0;
    }
    return 1;
}
