// The upcall: from evtchn_upcall_pending to the handlers.
#include <bit>
#include <mutex>

#include "event_words.h"
#include "xenrig/guest/event_channels.h"
#include "xenrig/shared/door.h"

namespace xenrig::guest {

bool EventChannels::VcpuUpcall::pending() {
    if (owner_.clock_.due(vcpu_)) return true;
    const std::byte* page = owner_.peek_.load(std::memory_order_acquire);
    if (!page || !owner_.link_.alive()) return false;
    return shared::raw::load<std::uint8_t>(page + upcall_pending_at(vcpu_)) != 0 &&
           shared::raw::load<std::uint8_t>(page + upcall_mask_at(vcpu_)) == 0;
}

void EventChannels::VcpuUpcall::deliver() {
    owner_.clock_.run_due(vcpu_);
    {
        const std::lock_guard held(owner_.lock_);
        owner_.select(vcpu_);
    }
    BoundPtr served;
    do {
        // Let go of without the lock: a handler that closed its own channel ends here, with all that it holds.
        const BoundPtr previous = std::move(served);
        {
            const std::lock_guard held(owner_.lock_);
            if (previous) {
                previous->running = false;
                owner_.handler_done_.wake_all();
            }
            served = owner_.next(vcpu_);
            if (served) served->running = true;
        }
        shared::new_decision();
        if (served) served->handler();
    } while (served);
}

void EventChannels::select(VcpuId vcpu) {
    if (!peek_.load(std::memory_order_relaxed)) return;
    // The exchange is a full barrier: pending is cleared before the selector is read.
    shared::exchange<std::uint8_t>(shared_info_, upcall_pending_at(vcpu), 0);
    scans_[vcpu.value].words |= take_word(layout_, shared_info_, selector_at(layout_, vcpu));
}

EventChannels::BoundPtr EventChannels::next(VcpuId vcpu) {
    if (!peek_.load(std::memory_order_relaxed)) return nullptr;
    Scan& scan = scans_[vcpu.value];
    // A word has as many bits as there are words.
    const unsigned bits = layout_.word_bits;
    for (;;) {
        if (scan.left == 0) {
            if (scan.words == 0) return nullptr;
            // The first selected word behind the last one; the word itself comes last.
            const unsigned from = (scan.word + 1) % bits;
            const Word words = rotated_right(layout_, scan.words, from);
            scan.word = (from + static_cast<unsigned>(std::countr_zero(words))) % bits;
            scan.words &= ~(Word{1} << scan.word);
            scan.left = bits;
        }
        const Word pending = poll_word(layout_, shared_info_, pending_at(layout_, scan.word));
        const Word masked = poll_word(layout_, shared_info_, mask_at(layout_, scan.word));
        const Word active = rotated_right(layout_, pending & ~masked & scan.mine[scan.word], scan.bit);
        const auto skip = static_cast<unsigned>(std::countr_zero(active));
        if (skip >= scan.left) {
            scan.left = 0;
            continue;
        }
        const Port port{scan.word * bits + (scan.bit + skip) % bits};
        scan.left -= skip + 1;
        scan.bit = (scan.bit + skip + 1) % bits;
        clear_bits(layout_, shared_info_, pending_at(layout_, scan.word), bit_of(layout_, port));
        // Gone only when the domain died in the middle of this scan.
        const auto found = ports_.find(port);
        return found == ports_.end() ? nullptr : found->second;
    }
}

}  // namespace xenrig::guest
