// The frontend's end of a shared ring: puts requests, takes responses.
//
// A ring is one to sixteen shared pages with two free-running 32-bit producer counters; the two ends never share a lock
// (xen/io/ring.h). The backend may write any byte of it at any time. So our own counters are private and are never read
// back from the page, a response is copied out once, and only the copy is looked at.
//
// Lifetime: the window's lease must outlive the ring. Threads: one task at a time uses a ring.
#pragma once

#include <array>
#include <expected>
#include <optional>
#include <type_traits>

#include "xenrig/ring/layout.h"
#include "xenrig/shared/door.h"

namespace xenrig::ring {

template <class Request, class Response>
class FrontRing {
    static_assert(std::is_trivially_copyable_v<Request> && std::is_trivially_copyable_v<Response>);
    union Entry {
        Request req;
        Response rsp;
    };

public:
    FrontRing() = default;

    /// Makes an empty ring of these pages (XEN_FRONT_RING_INIT). Only the owner of the pages does this, before the peer
    /// is told of them. The counters begin at `start`: ring.h says 0, and a backend that follows the shared counters
    /// (BackRing::attach, as Linux's backends do) takes any number.
    static FrontRing create(shared::Window pages, Index start = 0) {
        shared::store<Index>(pages, kReqProd, start);
        shared::store<Index>(pages, kRspProd, start);
        shared::store<Index>(pages, kReqEvent, start + 1);
        shared::store<Index>(pages, kRspEvent, start + 1);
        constexpr std::array<std::byte, kEntries - kPvt> zeros{};
        shared::copy_in(pages, kPvt, zeros.data(), zeros.size());
        return FrontRing(std::move(pages), start, start);
    }

    /// Joins a ring that exists, its header untouched, with nothing in flight at index `at` (FRONT_RING_ATTACH).
    static FrontRing attach(shared::Window pages, Index at) { return FrontRing(std::move(pages), at, at); }

    /// The same ring seen through another window: after a migration the page is the old one, the right to it is new.
    void rebind(shared::Window pages) {
        check(pages.size() == pages_.size(), "a ring is rebound to its own pages");
        pages_ = std::move(pages);
    }

    explicit operator bool() const { return size_ != 0; }
    /// Entries, a power of two (RING_SIZE).
    Index size() const { return size_; }
    /// Slots that put() may still fill (RING_FREE_REQUESTS).
    Index free() const { return size_ - (req_prod_ - rsp_cons_); }
    bool full() const { return free() == 0; }
    /// Requests that were pushed and whose responses were not yet taken.
    Index in_flight() const { return req_pushed_ - rsp_cons_; }

    /// Writes a request into the next slot. The backend is not told before push(). The ring must not be full.
    /// Returns the index, of use in traces.
    Index put(const Request& request) {
        check(!full(), "a request is put only where a slot is free");
        shared::copy_in(pages_, slot(req_prod_), &request, sizeof request);
        return req_prod_++;
    }

    /// Publishes what put() staged, and nothing else (RING_PUSH_REQUESTS): for a backend that polls.
    ///
    /// Memory ordering: wmb() before req_prod, so a backend that sees the index sees the requests.
    void publish() {
        shared::wmb();
        shared::store<Index>(pages_, kReqProd, req_prod_);
        req_pushed_ = req_prod_;
    }

    /// Publishes what put() staged. True when the backend asked for an event at one of these requests; then send it
    /// (RING_PUSH_REQUESTS_AND_CHECK_NOTIFY).
    ///
    /// Memory ordering: publish(), then mb() between the store of req_prod and the load of req_event: only a full
    /// barrier keeps a store before a load. Without it both ends may miss each other: the backend, about to sleep, does
    /// not see our index, and we do not see its req_event.
    [[nodiscard]] bool push() {
        const Index old = req_pushed_;
        publish();
        shared::mb();
        const Index event = shared::load<Index>(pages_, kReqEvent, shared::Fetch::poll);
        return wants_event(old, req_prod_, event);
    }

    /// Copies the next response out of the ring.
    ///
    /// Empty when there is none. RingError::response_overflow when the backend claims more responses than there are
    /// requests in flight; after that the ring stays broken.
    ///
    /// Memory ordering: the load of rsp_prod is followed by rmb(), so the response is at least as new as the index. The
    /// index is loaded again only when all that it covered is taken.
    std::expected<std::optional<Response>, RingError> take() {
        shared::new_decision();
        if (broken_) return std::unexpected(RingError::response_overflow);
        if (rsp_cons_ == rsp_seen_) {
            rsp_seen_ = shared::load<Index>(pages_, kRspProd, shared::Fetch::poll);
            if (rsp_seen_ - rsp_cons_ > in_flight()) {
                broken_ = true;
                return std::unexpected(RingError::response_overflow);
            }
            if (rsp_cons_ == rsp_seen_) return std::nullopt;
            shared::rmb();
        }
        Response copy;
        shared::copy_out(pages_, slot(rsp_cons_), &copy, sizeof copy);
        ++rsp_cons_;
        return copy;
    }

    /// Asks for an event when `batch` more responses are there, then looks once more: true when the caller may sleep,
    /// false when a response came in between, or was there all along (RING_FINAL_CHECK_FOR_RESPONSES).
    ///
    /// Memory ordering: mb() between the store of rsp_event and the load of rsp_prod, the other half of push()'s.
    [[nodiscard]] bool sleep_unless_work(Index batch = 1) {
        if (has_responses()) return false;
        shared::store<Index>(pages_, kRspEvent, rsp_cons_ + batch);
        shared::mb();
        return !has_responses();
    }

private:
    FrontRing(shared::Window pages, Index req, Index rsp)
        : pages_(std::move(pages)),
          size_(ring_size(pages_.size(), sizeof(Entry))),
          req_prod_(req),
          req_pushed_(req),
          rsp_cons_(rsp),
          rsp_seen_(rsp) {}

    std::size_t slot(Index i) const { return kEntries + (i & (size_ - 1)) * sizeof(Entry); }

    bool has_responses() const {
        return rsp_seen_ != rsp_cons_ || shared::load<Index>(pages_, kRspProd, shared::Fetch::poll) != rsp_cons_;
    }

    shared::Window pages_;
    Index size_ = 0;
    Index req_prod_ = 0;    ///< ring.h's req_prod_pvt
    Index req_pushed_ = 0;  ///< what the shared req_prod was last set to
    Index rsp_cons_ = 0;
    Index rsp_seen_ = 0;  ///< a valid value of the shared rsp_prod
    bool broken_ = false;
};

}  // namespace xenrig::ring
