// Event channels: their hypercalls, and with the FIFO ABI the words in pages of the kernel's own.
#include <cstdio>
#include <cstring>

#include "sim/hypercalls/operations.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypercalls {

namespace {
constexpr std::uint32_t kWordsOfPage = kPageSize / sizeof(event_word_t);
}  // namespace

template <class Op>
Op Operations::ask_event(unsigned operation, Op op, Answered& out) {
    const std::int64_t rc = kernel_.call_on(__HYPERVISOR_event_channel_op, operation, op);
    out.say("rc", rc);
    out.asked_xen = true;
    out.well = out.keeps = rc == 0;
    return op;
}

bool Operations::event(std::string_view name, const Arguments& a, Answered& out) {
    const auto ask = [&](unsigned operation, auto op) { return ask_event(operation, op, out); };
    const auto port_of = [&](evtchn_port_t port) {
        if (!out.well) return;
        out.number = port;
        out.say("port", port);
    };
    if (name == "au")
        port_of(
            ask(EVTCHNOP_alloc_unbound, evtchn_alloc_unbound_t{.dom = u16(a[0]), .remote_dom = u16(a[1]), .port = 0})
                .port);
    else if (name == "bi")
        port_of(ask(EVTCHNOP_bind_interdomain,
                    evtchn_bind_interdomain_t{.remote_dom = u16(a[0]), .remote_port = u32(a[1]), .local_port = 0})
                    .local_port);
    else if (name == "bv")
        port_of(ask(EVTCHNOP_bind_virq, evtchn_bind_virq_t{.virq = u32(a[0]), .vcpu = u32(a[1]), .port = 0}).port);
    else if (name == "ip")
        port_of(ask(EVTCHNOP_bind_ipi, evtchn_bind_ipi_t{.vcpu = u32(a[0]), .port = 0}).port);
    else if (name == "cl")
        ask(EVTCHNOP_close, evtchn_close_t{u32(a[0])});
    else if (name == "se")
        ask(EVTCHNOP_send, evtchn_send_t{u32(a[0])});
    else if (name == "um")
        ask(EVTCHNOP_unmask, evtchn_unmask_t{u32(a[0])});
    else if (name == "bc")
        ask(EVTCHNOP_bind_vcpu, evtchn_bind_vcpu_t{u32(a[0]), u32(a[1])});
    else if (name == "pr")
        ask(EVTCHNOP_set_priority, evtchn_set_priority_t{u32(a[0]), u32(a[1])});
    else if (name == "rs")
        ask(EVTCHNOP_reset, evtchn_reset_t{u16(a[0])});
    else if (name == "st")
        status(a, out);
    else
        return false;
    return true;
}

void Operations::status(const Arguments& a, Answered& out) {
    evtchn_status_t op{};
    op.dom = u16(a[0]);
    op.port = u32(a[1]);
    op = ask_event(EVTCHNOP_status, op, out);
    if (!out.well) return;
    out.say("status", op.status);
    out.say("vcpu", op.vcpu);
    if (op.status == EVTCHNSTAT_unbound) out.say("dom", op.u.unbound.dom);
    if (op.status == EVTCHNSTAT_interdomain) {
        out.say("dom", op.u.interdomain.dom);
        out.say("port", op.u.interdomain.port);
    }
    if (op.status == EVTCHNSTAT_virq) out.say("virq", op.u.virq);
}

bool Operations::fifo(std::string_view name, const Arguments& a, Answered& out) {
    const auto word_at = [](const std::byte* at) {
        event_word_t word;
        std::memcpy(&word, at, sizeof word);
        return word;
    };
    const std::uint64_t frame = kernel_.frame_of(kernel_.page_address(a[0]));
    if (name == "fi") {
        evtchn_init_control_t op{};
        op.control_gfn = frame;
        op.offset = u32(a[1]);
        op.vcpu = u32(a[2]);
        op = ask_event(EVTCHNOP_init_control, op, out);
        if (!out.well) return true;
        out.say("bits", op.link_bits);
        control_ = kernel_.page_frame(a[0]) + op.offset;
        array_.clear();
    } else if (name == "fx") {
        ask_event(EVTCHNOP_expand_array, evtchn_expand_array_t{frame}, out);
        if (out.well && array_.size() < 16) array_.push_back(kernel_.page_frame(a[0]));
    } else if (name == "fw") {
        const std::uint32_t port = u32(a[0]);
        if (port / kWordsOfPage >= array_.size()) {
            out.line = " none";
            return true;
        }
        char digits[16];
        std::snprintf(digits, sizeof digits, " %x",
                      word_at(array_[port / kWordsOfPage] + port % kWordsOfPage * sizeof(event_word_t)));
        out.line = digits;
    } else if (name == "fh") {
        if (!control_) {
            out.line = " none";
            return true;
        }
        const std::size_t queue = static_cast<std::size_t>(a[0] & 15);
        out.say_hex("ready", word_at(control_ + offsetof(evtchn_fifo_control_block_t, ready)));
        out.say("head", word_at(control_ + offsetof(evtchn_fifo_control_block_t, head) + queue * sizeof(event_word_t)));
    } else if (name == "fm" || name == "fd") {
        name == "fm" ? mask_word(a, out) : take_event(a, out);
    } else {
        return false;
    }
    return true;
}

event_word_t* Operations::word_of(std::uint32_t port) {
    const std::size_t page = port / kWordsOfPage;
    return page < array_.size() ? reinterpret_cast<event_word_t*>(array_[page]) + port % kWordsOfPage : nullptr;
}

void Operations::mask_word(const Arguments& a, Answered& out) {
    constexpr event_word_t kMasked = 1u << EVTCHN_FIFO_MASKED;
    event_word_t* const word = word_of(u32(a[0]));
    if (!word) return void(out.line = " none");
    *word = a[1] != 0 ? *word | kMasked : *word & ~kMasked;
}

/// As the end of a queue that a guest has: the next event leaves it, and is pending no more.
void Operations::take_event(const Arguments& a, Answered& out) {
    out.line = " none";
    if (!control_) return;
    const std::size_t queue = static_cast<std::size_t>(a[0] & 15);
    auto* const block = reinterpret_cast<evtchn_fifo_control_block_t*>(control_);
    const event_word_t port = block->head[queue];
    event_word_t* const word = word_of(port);
    if ((block->ready >> queue & 1) == 0 || port == 0 || !word) return;
    constexpr event_word_t kLinkMask = (1u << EVTCHN_FIFO_LINK_BITS) - 1;
    const event_word_t link = *word & kLinkMask;
    *word &= ~(kLinkMask | 1u << EVTCHN_FIFO_LINKED | 1u << EVTCHN_FIFO_PENDING);
    block->head[queue] = link;
    if (link == 0) block->ready &= ~(1u << queue);
    out.line.clear();
    out.say("port", port);
}

}  // namespace xenrig::hypercalls
