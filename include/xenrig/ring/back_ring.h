// The backend's end of a shared ring: takes requests, puts responses.
//
// A ring is one to sixteen shared pages with two free-running 32-bit producer counters; the two ends never share a lock
// (xen/io/ring.h). The frontend may write any byte of it at any time. So our own counters are private and are never
// read back from the page, a request is copied out once, and only the copy is looked at.
//
// A response goes into a slot whose request was taken, in the order of the responses: they need not come in the order
// of the requests.
//
// Lifetime: the window's lease must outlive the ring. Threads: one task at a time uses a ring.
#pragma once

#include <expected>
#include <optional>
#include <type_traits>

#include "xenrig/ring/layout.h"
#include "xenrig/shared/door.h"

namespace xenrig::ring {

template <class Request, class Response>
class BackRing {
    static_assert(std::is_trivially_copyable_v<Request> && std::is_trivially_copyable_v<Response>);
    union Entry {
        Request req;
        Response rsp;
    };

public:
    BackRing() = default;

    /// Joins the frontend's ring at index `at`, the header untouched (BACK_RING_ATTACH; at 0 it is BACK_RING_INIT).
    static BackRing attach_at(shared::Window pages, Index at) { return BackRing(std::move(pages), at); }

    /// Joins the frontend's ring where the shared counters stand: at rsp_prod, so what is published and unanswered
    /// is taken first. RingError::request_overflow when the counters make no sense.
    static std::expected<BackRing, RingError> attach(shared::Window pages) {
        shared::new_decision();
        const Index rsp_prod = shared::load<Index>(pages, kRspProd, shared::Fetch::poll);
        const Index req_prod = shared::load<Index>(pages, kReqProd, shared::Fetch::poll);
        BackRing ring(std::move(pages), rsp_prod);
        if (req_prod - rsp_prod > ring.size_) return std::unexpected(RingError::request_overflow);
        return ring;
    }

    explicit operator bool() const { return size_ != 0; }
    /// Entries, a power of two (RING_SIZE).
    Index size() const { return size_; }
    /// Requests that were taken and are not yet answered.
    Index unanswered() const { return req_cons_ - rsp_prod_; }

    /// Copies the next request out of the ring.
    ///
    /// Empty when there is none. RingError::request_overflow when the frontend claims more requests than there are
    /// slots without an unanswered one, or takes requests back (RING_REQUEST_PROD_OVERFLOW and
    /// RING_REQUEST_CONS_OVERFLOW); after that the ring stays broken.
    ///
    /// Memory ordering: the load of req_prod is followed by rmb(), so the request is at least as new as the index. The
    /// index is loaded again only when all that it covered is taken.
    std::expected<std::optional<Request>, RingError> take() {
        shared::new_decision();
        if (broken_) return std::unexpected(RingError::request_overflow);
        if (req_cons_ == req_seen_) {
            req_seen_ = shared::load<Index>(pages_, kReqProd, shared::Fetch::poll);
            if (req_seen_ - req_cons_ > size_ - unanswered()) {
                broken_ = true;
                return std::unexpected(RingError::request_overflow);
            }
            if (req_cons_ == req_seen_) return std::nullopt;
            shared::rmb();
        }
        Request copy;
        shared::copy_out(pages_, slot(req_cons_), &copy, sizeof copy);
        ++req_cons_;
        return copy;
    }

    /// Writes a response into the next slot. The frontend is not told before push(). One for each request taken, never
    /// more. Returns the index, of use in traces.
    Index put(const Response& response) {
        check(unanswered() != 0, "a response answers a request that was taken");
        shared::copy_in(pages_, slot(rsp_prod_), &response, sizeof response);
        return rsp_prod_++;
    }

    /// Publishes what put() staged, and nothing else (RING_PUSH_RESPONSES): for a frontend that polls.
    ///
    /// Memory ordering: wmb() before rsp_prod, so a frontend that sees the index sees the responses.
    void publish() {
        shared::wmb();
        shared::store<Index>(pages_, kRspProd, rsp_prod_);
        rsp_pushed_ = rsp_prod_;
    }

    /// Publishes what put() staged. True when the frontend asked for an event at one of these responses; then send it
    /// (RING_PUSH_RESPONSES_AND_CHECK_NOTIFY).
    ///
    /// Memory ordering: wmb() before rsp_prod (contents before index), mb() after it (index before the look at
    /// rsp_event). Without the second, the frontend may go to sleep on an index that it has not seen while we look at
    /// the rsp_event that it has not written.
    [[nodiscard]] bool push() {
        const Index old = rsp_pushed_;
        publish();
        shared::mb();
        const Index event = shared::load<Index>(pages_, kRspEvent, shared::Fetch::poll);
        return wants_event(old, rsp_prod_, event);
    }

    /// Asks for an event when `batch` more requests are there, then looks once more: true when the caller may sleep,
    /// false when a request came in between, or was there all along (RING_FINAL_CHECK_FOR_REQUESTS). An index that
    /// makes no sense is work: take() reports it.
    ///
    /// Memory ordering: mb() between the store of req_event and the load of req_prod, the other half of the frontend's
    /// push().
    [[nodiscard]] bool sleep_unless_work(Index batch = 1) {
        if (has_requests()) return false;
        shared::store<Index>(pages_, kReqEvent, req_cons_ + batch);
        shared::mb();
        return !has_requests();
    }

private:
    BackRing(shared::Window pages, Index at)
        : pages_(std::move(pages)),
          size_(ring_size(pages_.size(), sizeof(Entry))),
          rsp_prod_(at),
          rsp_pushed_(at),
          req_cons_(at),
          req_seen_(at) {}

    std::size_t slot(Index i) const { return kEntries + (i & (size_ - 1)) * sizeof(Entry); }

    bool has_requests() const {
        return req_seen_ != req_cons_ || shared::load<Index>(pages_, kReqProd, shared::Fetch::poll) != req_cons_;
    }

    shared::Window pages_;
    Index size_ = 0;
    Index rsp_prod_ = 0;    ///< ring.h's rsp_prod_pvt
    Index rsp_pushed_ = 0;  ///< what the shared rsp_prod was last set to
    Index req_cons_ = 0;
    Index req_seen_ = 0;  ///< a valid value of the shared req_prod
    bool broken_ = false;
};

}  // namespace xenrig::ring
