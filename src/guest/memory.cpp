#include "xenrig/guest/memory.h"

#include <array>
#include <mutex>

#include "text.h"
#include "xenrig/abi/check.h"
#include "xenrig/shared/door.h"

namespace xenrig::guest {

namespace {

std::string frame_name(DomId domain, Gfn gfn) { return "d" + dec(domain.value) + " gfn " + hex(gfn.value); }

}  // namespace

/// An access to payload: the window on the frame, kept on the frame's place while it lasts.
class GuestMemory::Underway {
public:
    Underway(GuestMemory& memory, Gfn frame, std::size_t offset, std::size_t length) : memory_(memory) {
        Slot* slot = memory.slot(frame);
        check(slot && slot->payload, "own payload lies in a frame that was allocated");
        check(offset <= kPageSize && length <= kPageSize - offset, "an access to payload lies inside its frame");
        Access access{frame, shared::Window(memory.link_.page_or_grave(frame), slot->payload)};
        if (shared::watcher)
            listed_ = memory.underway_.insert(memory.underway_.end(), std::move(access));
        else
            alone_ = std::move(access);
    }
    ~Underway() {
        if (shared::watcher) memory_.underway_.erase(listed_);
    }
    Underway(const Underway&) = delete;
    Underway& operator=(const Underway&) = delete;

    const shared::Window& window() const { return shared::watcher ? listed_->window : alone_.window; }
    /// Has the domain anything there? Not after its death.
    bool present() const { return memory_.link_.alive(); }

private:
    GuestMemory& memory_;
    std::list<Access>::iterator listed_;
    Access alone_;
};

GuestMemory::GuestMemory(DomainLink& link, GfnRange ram) : link_(link), ram_(ram), slots_(ram.count) {
    for (std::uint64_t i = 0; i < ram.count; ++i) free_.push_back(Gfn{ram.first.value + i});
}

GuestMemory::Slot* GuestMemory::slot(Gfn gfn) {
    const bool inside = gfn >= ram_.first && gfn.value - ram_.first.value < ram_.count;
    return inside ? &slots_[gfn.value - ram_.first.value] : nullptr;
}

Result<FramePtr> GuestMemory::allocate() {
    Gfn gfn;
    {
        const std::lock_guard held(lock_);
        if (free_.empty()) return fail(Errno::nomem, "the domain has no free frame left");
        gfn = free_.front();
        free_.pop_front();
        Slot& s = *slot(gfn);
        s.used = true;
        s.payload = link_.make_lease(frame_name(link_.domid(), gfn), true, false);
        ++used_;
    }
    auto frame = std::make_shared<Frame>(*this, gfn);
    static constexpr std::array<std::byte, kPageSize> kZeroes{};
    write(gfn, 0, kZeroes);
    return frame;
}

void GuestMemory::release(Gfn frame) {
    const std::lock_guard held(lock_);
    Slot& s = *slot(frame);
    check(s.used, "a frame is given back once");
    end(s.payload, shared::LeaseEnd::freed);
    end(s.window, shared::LeaseEnd::freed);
    for (const auto& span : s.spans) end(span.lock(), shared::LeaseEnd::freed);
    s = Slot{};
    free_.push_back(frame);
    --used_;
}

void GuestMemory::end(const shared::LeasePtr& lease, shared::LeaseEnd why) {
    if (lease && lease->end == shared::LeaseEnd::none) lease->end = why;
}

shared::LeasePtr GuestMemory::window_lease(Gfn gfn) {
    Slot* s = slot(gfn);
    check(!s || s->used, "a window looks at a frame that was allocated");
    shared::LeasePtr& lease = s ? s->window : others_[gfn];
    if (!lease) {
        lease = link_.make_lease(frame_name(link_.domid(), gfn));
        epoch_leases_.push_back(lease);
    }
    return lease;
}

shared::Window GuestMemory::window(std::span<const Gfn> frames) {
    check(!frames.empty(), "a window looks at something");
    const std::lock_guard held(lock_);
    shared::LeasePtr lease;
    if (frames.size() == 1) {
        lease = window_lease(frames.front());
    } else {
        lease =
            link_.make_lease(frame_name(link_.domid(), frames.front()) + " and " + dec(frames.size() - 1) + " more");
        epoch_leases_.push_back(lease);
        for (const Gfn gfn : frames)
            if (Slot* s = slot(gfn)) s->spans.push_back(lease);
    }
    shared::Window window(link_.page_or_grave(frames.front()), lease);
    for (const Gfn gfn : frames.subspan(1)) window.append(link_.page_or_grave(gfn));
    return window;
}

Result<shared::Window> GuestMemory::kernel_window(Gfn gfn, std::string name) {
    std::byte* page = link_.page(gfn);
    if (!page) return fail(Errno::nxio, "nothing is mapped at gfn " + hex(gfn.value) + " for " + name);
    auto lease = link_.make_lease("d" + dec(link_.domid().value) + " " + name, true, false);
    const std::lock_guard held(lock_);
    epoch_leases_.push_back(lease);
    return shared::Window(page, std::move(lease));
}

void GuestMemory::read(Gfn frame, std::size_t offset, std::span<std::byte> out) {
    const Underway access(*this, frame, offset, out.size());
    if (access.present()) shared::copy_out(access.window(), offset, out.data(), out.size());
}

void GuestMemory::write(Gfn frame, std::size_t offset, std::span<const std::byte> in) {
    const Underway access(*this, frame, offset, in.size());
    if (!access.present()) return;
    // No choice point between the two: what a migration copies and what its log knows never differ.
    shared::copy_in_now(access.window(), offset, in.data(), in.size());
    link_.mark_dirty(frame);
}

std::size_t GuestMemory::frames_in_use() const {
    const std::lock_guard held(lock_);
    return used_;
}

void GuestMemory::end_epoch(shared::LeaseEnd why) {
    for (const auto& lease : epoch_leases_) end(lease.lock(), why);
    epoch_leases_.clear();
    others_.clear();
    for (Slot& s : slots_) {
        s.window.reset();
        s.spans.clear();
        if (why == shared::LeaseEnd::domain_dead) end(s.payload, why);
    }
}

void GuestMemory::moved() {
    for (Access& access : underway_) access.window = shared::Window(link_.page(access.gfn), access.window.lease_ptr());
}

void GuestMemory::mark_shared_dirty() {
    for (std::uint64_t i = 0; i < slots_.size(); ++i)
        if (slots_[i].window || !slots_[i].spans.empty()) link_.mark_dirty(Gfn{ram_.first.value + i});
    for (const auto& [gfn, lease] : others_) link_.mark_dirty(gfn);
}

}  // namespace xenrig::guest
