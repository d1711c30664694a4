// ring.h's clauses for a frontend: the scripted end is the backend.
#include <algorithm>
#include <cstring>
#include <set>

#include "sim/conformance/ring_clauses.h"
#include "xenrig/shared/door.h"

namespace xenrig::conformance {

namespace {

using blk::RawBackend;
using blk::RawRing;
using Word = RawRing::Word;

std::string count(const char* what, std::uint64_t n) { return std::string(what) + " is " + std::to_string(n); }

/// One more read of the usual kind, and all the time it needs; false when its user heard nothing good.
bool read_completes(Stage& s, std::uint64_t sector) {
    const auto call = s.read(sector, 1);
    s.settle();
    s.backend().serve_all();
    s.settle();
    return call->well() && call->data == blk::sector_pattern(sector);
}

void counter_runs_freely(Stage& s) {
    if (!s.connect_backend()) return;
    constexpr std::uint32_t kRequests = 100;
    for (std::uint32_t i = 0; i < kRequests; ++i)
        if (!s.expect(read_completes(s, i), "each of 100 reads completes", [i] { return count("the read", i); }))
            return;
    const std::uint32_t req_prod = s.backend().ring().load(Word::req_prod);
    s.expect(req_prod == kRequests, "req_prod runs freely", [&] { return count("req_prod", req_prod); });
}

void slots(Stage& s) {
    if (!s.connect_backend()) return;
    RawRing& ring = s.backend().ring();
    for (std::uint32_t i = 0; i < RawRing::kSize + 1; ++i) {
        const bool writes = i % 2 != 0;
        const auto call = writes ? s.write(3 * i, blk::sector_pattern(1)) : s.read(3 * i, 1);
        s.settle();
        const auto request = s.backend().ring().request(i);
        if (!s.expect(request.operation == (writes ? BLKIF_OP_WRITE : BLKIF_OP_READ) && request.sector_number == 3 * i,
                      "request i lies at byte 64 + 112 * (i modulo 32)",
                      [&] { return count("the sector there", request.sector_number); }))
            return;
        auto response = blk::blank_response();
        response.id = request.id;
        response.operation = request.operation;
        ring.put(i, response);
        shared::wmb();
        ring.store(Word::rsp_prod, i + 1);
        s.backend().notify();
        ring.store(Word::req_event, i + 2);
        s.settle();
        if (!s.expect(call->well(), "a response at the place of index i is taken for the next one")) return;
    }
}

void stays_within_ring(Stage& s) {
    if (!s.connect_backend()) return;
    RawBackend& b = s.backend();
    constexpr unsigned kReads = 40;
    std::vector<UserCallPtr> calls;
    calls.reserve(kReads);
    for (unsigned i = 0; i < kReads; ++i) calls.push_back(s.read(i, 1));
    s.settle();
    const auto outstanding = [&] { return b.ring().load(Word::req_prod) - b.answered(); };
    if (!s.expect(outstanding() <= RawRing::kSize, "no more requests are on the ring than it has entries",
                  [&] { return count("their number", outstanding()); }))
        return;
    std::set<std::uint64_t> sectors;
    for (std::uint32_t i = 0; i < outstanding(); ++i) sectors.insert(b.ring().request(i).sector_number);
    if (!s.expect(sectors.size() == outstanding(), "no request without an answer is overwritten")) return;
    for (unsigned i = 0; i < kReads; ++i) {
        const std::uint32_t before = b.ring().load(Word::req_prod);
        b.ask_for_event();
        const auto request = b.take();
        if (!s.expect(request.has_value(), "each answer lets one more request in",
                      [i] { return count("without a request after it: answer", i); }))
            return;
        b.serve(*request);
        b.push_and_notify();
        s.settle();
        const std::uint32_t after = b.ring().load(Word::req_prod);
        if (!s.expect(after == std::min(before + 1, kReads), "each answer lets one more request in",
                      [&] { return count("req_prod", after); }))
            return;
    }
    s.expect(std::ranges::all_of(calls, [](const UserCallPtr& c) { return c->well(); }),
             "all that waited for room completes");
}

void initialises_ring(Stage& s) {
    s.start_subject();
    s.settle();
    RawBackend& b = s.backend();
    b.state(2);
    s.settle();
    const auto joined = b.join();
    if (!s.expect(joined.has_value(), "the ring is published", [&] { return joined.error().to_string(); })) return;
    RawRing& ring = b.ring();
    s.expect(ring.load(Word::req_prod) == 0 && ring.load(Word::rsp_prod) == 0, "a new ring has both producers at 0");
    s.expect(ring.load(Word::req_event) == 1 && ring.load(Word::rsp_event) == 1, "a new ring has both events at 1",
             [&] {
                 return count("req_event", ring.load(Word::req_event)) + ", " +
                        count("rsp_event", ring.load(Word::rsp_event));
             });
    constexpr std::size_t kPvt = 16, kRest = RawRing::kFirst - kPvt;
    s.expect(ring.bytes(kPvt, kRest) == std::vector<std::byte>(kRest), "a new ring has zeros in its header's rest");
}

void takes_every_response(Stage& s) {
    if (!s.connect_backend()) return;
    RawBackend& b = s.backend();
    for (const unsigned batch : {1u, 2u, 5u, 32u}) {
        std::vector<UserCallPtr> calls;
        calls.reserve(batch);
        for (unsigned i = 0; i < batch; ++i) calls.push_back(s.read(i, 1));
        s.settle();
        const auto requests = b.take_all();
        if (!s.expect(requests.size() == batch, "a ring takes as many requests as it has entries")) return;
        for (const auto& r : requests) b.serve(r);
        b.push();
        b.notify();
        b.ask_for_event();
        s.settle();
        const auto well = std::ranges::count_if(calls, [](const UserCallPtr& c) { return c->well(); });
        if (!s.expect(static_cast<unsigned>(well) == batch, "all responses of one push are taken",
                      [&] { return count("the number of users who heard", static_cast<std::uint64_t>(well)); }))
            return;
    }
}

/// The second of two responses comes as the frontend looks whether it may sleep.
void takes_responses_whole(Stage& s) {
    if (!s.connect_backend()) return;
    RawBackend& b = s.backend();
    for (unsigned round = 0; round < 24; ++round) {
        const std::uint64_t sector = 10 * round;
        const auto first = s.read(sector, 1), second = s.read(sector + 1, 1);
        b.ask_for_event();
        s.settle();
        const auto requests = b.take_all();
        if (!s.expect(requests.size() == 2, "two reads are two requests")) return;
        b.serve(requests[0]);
        b.push_and_notify();
        for (unsigned i = 0; i <= round % 8; ++i) s.step_aside();
        b.serve(requests[1]);
        b.push();
        b.notify();
        s.settle();
        const bool well = first->well() && second->well() && first->data == blk::sector_pattern(sector) &&
                          second->data == blk::sector_pattern(sector + 1);
        if (!s.expect(well, "a response is taken as it is when rsp_prod covers it")) return;
    }
}

/// Two requests are in flight, answers to both lie on the ring, and the index claims more than there can be.
void claim(Stage& s, std::uint32_t beyond_consumed) {
    if (!s.connect_backend()) return;
    RawBackend& b = s.backend();
    const auto first = s.read(3, 1), second = s.read(4, 1);
    s.settle();
    const auto requests = b.take_all();
    if (!s.expect(requests.size() == 2, "two reads are two requests")) return;
    for (const auto& r : requests) b.serve(r);
    shared::wmb();
    b.ring().store(Word::rsp_prod, beyond_consumed);
    b.notify();
    s.settle();
    const auto nobody_served = [&](const char* when) {
        return s.expect(!first->well() && !second->well(), "no request is done by an impossible claim",
                        [&] { return std::string(when) + " a read has completed"; });
    };
    if (!nobody_served("after the claim")) return;
    b.ring().store(Word::rsp_prod, 2);
    b.notify();
    s.settle();
    if (!nobody_served("after the index was repaired")) return;
    b.state(5);
    s.settle();
    b.state(6);
    s.settle();
    s.expect(b.frontend_state() == "6", "a frontend whose ring is broken still closes",
             [&] { return "its state is " + b.frontend_state(); });
}

void claims_a_ring_and_one(Stage& s) { claim(s, RawRing::kSize + 1); }
void claims_one_too_many(Stage& s) { claim(s, 3); }

void copies_response(Stage& s) {
    if (!s.connect_backend()) return;
    RawBackend& b = s.backend();
    const auto call = s.read(3, 1);
    s.settle();
    const auto request = b.take();
    if (!s.expect(request.has_value(), "a read is a request")) return;
    b.serve(*request);
    auto other = blk::blank_response();
    other.id = request->id;
    other.operation = request->operation;
    other.status = BLKIF_RSP_ERROR;
    // An id that is nobody's beside a status of success: whoever mixes the versions believes the worst of both.
    auto bytes = std::vector<std::byte>(RawRing::kSlot, std::byte{0x77});
    std::memcpy(bytes.data(), &other, sizeof other);
    bytes[0] ^= std::byte{0xff};
    const auto rewriter = s.rewrite_after_read(b.ring(), 0, bytes);
    b.push_and_notify();
    s.settle();
    if (!s.expect(rewriter->reads() != 0, "a response is read from the ring")) return;
    s.expect(call->well() && call->data == blk::sector_pattern(3), "a response counts as it was when it was read first",
             [&] { return call->over ? "the read failed" : "the read has not completed"; });
}

/// As far as a read of one segment says anything.
bool same(const blkif_request_t& a, const blkif_request_t& b) {
    return a.operation == b.operation && a.nr_segments == b.nr_segments && a.id == b.id &&
           a.sector_number == b.sector_number && a.seg[0].gref == b.seg[0].gref &&
           a.seg[0].first_sect == b.seg[0].first_sect && a.seg[0].last_sect == b.seg[0].last_sect;
}

void request_before_index(Stage& s) {
    if (!s.connect_backend()) return;
    RawBackend& b = s.backend();
    constexpr std::uint32_t kReads = 10;
    for (std::uint32_t i = 0; i < kReads; ++i) {
        const auto call = s.read(1000 + i, 1);
        b.ask_for_event();
        for (int patience = 0; patience < 400 && b.ring().load(Word::req_prod) == i; ++patience)
            if (patience % 4 == 3) s.step_aside();
        if (b.ring().load(Word::req_prod) == i) s.settle();
        const auto request = b.take();
        if (!s.expect(request.has_value(), "a read becomes a request")) return;
        s.settle();
        const auto later = b.ring().request(i);
        if (!s.expect(same(*request, later), "a request is there, whole, when req_prod covers it", [&] {
                return count("the sector read", request->sector_number) + ", and later " +
                       std::to_string(later.sector_number);
            }))
            return;
        b.serve(*request);
        b.push_and_notify();
        s.settle();
        // Whether the answer is taken as it is, is another clause's, and a device that is gone asks no more.
        if (!call->over) return;
    }
}

void notifies_when_asked(Stage& s) {
    if (!s.connect_backend()) return;
    RawBackend& b = s.backend();
    for (std::uint32_t d = 1; d <= 4; ++d) {
        const unsigned events = b.events();
        b.ask_for_event(d);
        std::vector<UserCallPtr> calls;
        calls.reserve(d);
        for (std::uint32_t i = 0; i < d; ++i) calls.push_back(s.read(i, 1));
        s.settle();
        const std::uint32_t made = b.ring().load(Word::req_prod) - b.taken();
        if (!s.expect(made == d, "each read is a request", [&] { return count("their number", made); })) return;
        if (!s.expect(b.events() > events, "an event comes when req_prod reaches req_event",
                      [&] { return "no event for req_event " + std::to_string(d) + " ahead"; }))
            return;
        for (const auto& r : b.take_all()) b.serve(r);
        b.push_and_notify();
        s.settle();
    }
}

void asks_before_sleep(Stage& s) {
    if (!s.connect_backend()) return;
    for (const unsigned before : {0u, 33u})
        for (unsigned i = 0; i <= before; ++i)
            if (!s.expect(read_completes(s, i), "a frontend at rest has asked for an event at the next response",
                          [&] { return count("without completion: read", i); }))
                return;
}

void final_check(Stage& s) {
    if (!s.connect_backend()) return;
    RawBackend& b = s.backend();
    // The moment between the frontend's last look and its sleep is short: it may be when the first user hears of the
    // end, or at another distance in each round.
    constexpr unsigned kHeard = 8, kRounds = 32;
    for (unsigned round = 0; round < kRounds; ++round) {
        const auto first = s.read(1, 1), second = s.read(2, 1);
        b.ask_for_event();
        s.settle();
        const auto requests = b.take_all();
        if (!s.expect(requests.size() == 2, "two reads are two requests")) return;
        b.serve(requests[0]);
        b.push_and_notify();
        if (round < kHeard)
            for (int patience = 0; patience < 300 && !first->over && !second->over; ++patience) s.step_aside();
        else
            for (unsigned i = kHeard; i < round; ++i) s.step_aside();
        b.serve(requests[1]);
        b.push_and_notify();
        s.settle();
        if (!s.expect(first->well() && second->well(), "a response that comes as the frontend goes to sleep is taken",
                      [&] { return first->over && second->over ? "a read failed" : "all is quiet and a read waits"; }))
            return;
    }
}

void meets_sleeping_backend(Stage& s) {
    if (!s.connect_backend()) return;
    RawBackend& b = s.backend();
    for (unsigned round = 0; round < (s.stores_late() ? 24 : 12); ++round) {
        const auto call = s.read(1, 1);
        const unsigned events = b.events();
        // Where stores are late, the frontend runs until one of them waits.
        for (unsigned i = 0; i < (s.stores_late() ? 1 + round % 4 : round * 4); ++i) s.step_aside();
        b.ask_for_event();
        const bool seen = b.ring().load(Word::req_prod) != b.taken();
        s.settle();
        const auto request = b.take();
        if (!s.expect(request.has_value(), "a read is a request")) return;
        if (!s.expect(seen || b.events() > events, "a backend that asks for an event and then finds nothing gets one"))
            return;
        b.serve(*request);
        b.push_and_notify();
        s.settle();
    }
}

}  // namespace

const std::vector<Clause>& ring_frontend_clauses() {
    using engine::Model;
    static const std::vector<Clause> clauses = {
        {"ring.frontend-counter-runs-freely",
         36,
         Role::frontend,
         "Indices run freely and wrap at 2^32.",
         {counter_runs_freely}},
        {"ring.frontend-slots", 231, Role::frontend, "Message i lies in entry i modulo the ring's size.", {slots}},
        {"ring.frontend-stays-within-ring", 191, Role::frontend, "A full ring takes no request.", {stays_within_ring}},
        {"ring.frontend-initialises-ring",
         153,
         Role::frontend,
         "A new ring has both producers at 0, both events at 1, and zeros in its header's rest.",
         {initialises_ring}},
        {"ring.frontend-takes-every-response",
         197,
         Role::frontend,
         "What is left to take are the responses up to rsp_prod.",
         {takes_every_response, takes_responses_whole},
         {.models = {Model::relaxed}, .late_seeds = 8}},
        {"ring.response-overflow-stops-frontend",
         263,
         Role::frontend,
         "More responses than the ring can hold show an ill-behaved backend.",
         {claims_a_ring_and_one, claims_one_too_many}},
        {"ring.frontend-copies-response",
         241,
         Role::frontend,
         "A response is copied once, and only the copy is worked on.",
         {copies_response}},
        {"ring.request-before-index",
         267,
         Role::frontend,
         "The backend sees requests before the index that covers them.",
         {request_before_index},
         {.seeds = 6, .models = {Model::relaxed}, .late_seeds = 6}},
        {"ring.frontend-notifies-when-asked",
         287,
         Role::frontend,
         "Who puts requests learns whether the backend wants an event, and sends it then.",
         {notifies_when_asked}},
        {"ring.frontend-final-check",
         293,
         Role::frontend,
         "Before it sleeps, a frontend asks for an event and looks once more.",
         {final_check},
         {.seeds = 6, .models = {Model::sc, Model::tso}, .late_seeds = 6}},
        {"ring.frontend-asks-before-sleep",
         299,
         Role::frontend,
         "The usual final check asks for an event at the very next message.",
         {asks_before_sleep}},
        {"ring.frontend-meets-sleeping-backend",
         312,
         Role::frontend,
         "req_prod is visible before req_event is looked at.",
         {meets_sleeping_backend},
         {.seeds = 4, .models = {Model::tso}, .late_seeds = 8}},
    };
    return clauses;
}

}  // namespace xenrig::conformance
