// ring.h's clauses for a backend: the scripted end is the frontend.
#include <cstring>

#include "sim/conformance/ring_clauses.h"
#include "xenrig/shared/door.h"

namespace xenrig::conformance {

namespace {

using blk::RawFrontend;
using blk::RawRing;
using Word = RawRing::Word;

std::string count(const char* what, std::uint64_t n) { return std::string(what) + " is " + std::to_string(n); }

/// A request that can be sent again and again, each time with another id.
blkif_request_t numbered(const RawFrontend::Transfer& t, std::uint64_t id) {
    blkif_request_t request = t.request;
    request.id = id;
    return request;
}

/// One more request of the usual kind, and all the time it needs; false when it has no answer.
bool answered(Stage& s, const RawFrontend::Transfer& t, std::uint64_t id) {
    RawFrontend& f = s.frontend();
    f.put(numbered(t, id));
    f.push_and_notify();
    s.settle();
    const auto response = f.take();
    return response && response->id == id && response->status == BLKIF_RSP_OKAY;
}

void counter_runs_freely(Stage& s) {
    if (!s.connect_frontend()) return;
    RawFrontend& f = s.frontend();
    const auto t = f.read(3, 1);
    constexpr std::uint32_t kRequests = 100;
    for (std::uint32_t i = 0; i < kRequests; ++i)
        if (!s.expect(answered(s, t, i), "each of 100 requests is answered", [i] { return count("the request", i); }))
            return;
    const std::uint32_t rsp_prod = f.ring().load(Word::rsp_prod);
    s.expect(rsp_prod == kRequests, "rsp_prod runs freely", [&] { return count("rsp_prod", rsp_prod); });
}

void slots(Stage& s) {
    if (!s.connect_frontend()) return;
    RawFrontend& f = s.frontend();
    const auto t = f.read(3, 1);
    for (std::uint32_t i = 0; i < RawRing::kSize + 1; ++i) {
        f.ring().put(i, numbered(t, 7000 + i));
        shared::wmb();
        f.ring().store(Word::req_prod, i + 1);
        const auto before = f.ring().bytes(0, kPageSize);
        f.notify();
        s.settle();
        const auto after = f.ring().bytes(0, kPageSize);
        const auto response = f.ring().response(i);
        if (!s.expect(response.id == 7000 + i, "response i lies at byte 64 + 112 * (i modulo 32)",
                      [&] { return count("the id there", response.id); }))
            return;
        for (std::size_t at = 0; at < kPageSize; ++at) {
            const bool may = (at >= RawRing::slot(i) && at < RawRing::slot(i) + RawRing::kSlot) ||
                             at / 4 == static_cast<std::size_t>(Word::rsp_prod) / 4 ||
                             at / 4 == static_cast<std::size_t>(Word::req_event) / 4;
            if (!s.expect(may || before[at] == after[at],
                          "a backend writes to the slots that it answers, rsp_prod and req_event alone",
                          [&] { return count("changed by the answer to another: byte", at); }))
                return;
        }
    }
}

void leaves_header(Stage& s) {
    RawFrontend& f = s.frontend();
    constexpr std::size_t kPvt = 16, kRest = RawRing::kFirst - kPvt;
    f.make_ring();
    f.ring().fill(kPvt, kRest, 0xa5);
    f.ring().store(Word::rsp_event, 20);
    s.start_subject();
    s.settle();
    f.publish();
    f.state(3);
    s.settle();
    f.state(4);
    const auto t = f.read(3, 1);
    for (unsigned i = 0; i < 10; ++i) {
        if (!s.expect(answered(s, t, i), "requests are answered whatever the header's other bytes are")) return;
    }
    s.expect(f.ring().load(Word::req_prod) == 10, "a backend leaves req_prod to the frontend");
    s.expect(f.ring().load(Word::rsp_event) == 20, "a backend leaves rsp_event to the frontend");
    s.expect(f.ring().bytes(kPvt, kRest) == std::vector<std::byte>(kRest, std::byte{0xa5}),
             "a backend leaves the header's other bytes to the frontend");
}

void serves_earlier_requests(Stage& s) {
    RawFrontend& f = s.frontend();
    s.start_subject();
    s.settle();
    f.make_ring();
    const auto t = f.read(3, 1);
    f.put(numbered(t, 1));
    f.put(numbered(t, 2));
    f.push();
    f.publish();
    f.state(3);
    s.settle();
    const auto responses = f.take_all();
    s.expect(responses.size() == 2, "requests that were there before the backend are answered",
             [&] { return count("the number of responses", responses.size()); });
}

void takes_every_request(Stage& s) {
    if (!s.connect_frontend()) return;
    RawFrontend& f = s.frontend();
    const auto t = f.read(3, 1);
    std::uint64_t id = 0;
    for (const unsigned batch : {1u, 2u, 5u, 32u}) {
        for (unsigned i = 0; i < batch; ++i) f.put(numbered(t, id++));
        f.push();
        f.notify();
        s.settle();
        const std::size_t responses = f.take_all().size();
        if (!s.expect(responses == batch, "all requests of one push are taken",
                      [&] { return count("the number of responses", responses); }))
            return;
    }
}

/// All slots hold writes that would change the disk, and the index claims more than there can be.
void claim(Stage& s, std::uint32_t served, std::uint32_t req_prod) {
    RawFrontend& f = s.frontend();
    const auto write = f.write(100, blk::sector_pattern(900));
    for (std::uint32_t i = 0; i < RawRing::kSize; ++i) f.ring().put(i, numbered(write, 50 + i));
    const auto untouched = [&](const char* when) {
        s.expect(s.disk_untouched(), "no request of an impossible claim reaches the disk", [&] { return when; });
        const std::uint32_t rsp_prod = f.ring().load(Word::rsp_prod);
        return s.expect(rsp_prod == served, "no response is published to a request of an impossible claim",
                        [&] { return std::string(when) + " rsp_prod is " + std::to_string(rsp_prod); });
    };
    shared::wmb();
    f.ring().store(Word::req_prod, req_prod);
    f.notify();
    s.settle();
    if (!untouched("after the claim")) return;
    f.ring().store(Word::req_prod, served + 1);
    f.notify();
    s.settle();
    if (!untouched("after the index was repaired")) return;
    f.state(5);
    s.settle();
    f.state(6);
    s.settle();
    s.expect(f.backend_state() == "6", "a backend whose ring is broken still closes",
             [&] { return "its state is " + f.backend_state(); });
}

void claims_a_ring_and_one(Stage& s) {
    if (s.connect_frontend()) claim(s, 0, RawRing::kSize + 1);
}

void takes_a_request_back(Stage& s) {
    if (!s.connect_frontend()) return;
    const auto t = s.frontend().read(3, 1);
    if (s.expect(answered(s, t, 1), "a usual request is answered")) claim(s, 1, 0);
}

void copies_request(Stage& s, const RawFrontend::Transfer& first, const RawFrontend::Transfer& other) {
    RawFrontend& f = s.frontend();
    std::vector<std::byte> bytes(sizeof other.request);
    std::memcpy(bytes.data(), &other.request, bytes.size());
    std::optional<blkif_response_t> response;
    {
        const auto rewriter = s.rewrite_after_read(f.ring(), 0, bytes);
        f.put(first.request);
        f.push_and_notify();
        s.settle();
        if (!s.expect(rewriter->reads() != 0, "a request is read from the ring")) return;
    }
    response = f.take();
    if (!s.expect(response && response->status == BLKIF_RSP_OKAY, "a request that changes meanwhile is answered"))
        return;
    const bool took_first = response->id == first.request.id;
    if (!s.expect(took_first || response->id == other.request.id, "the answer has the id of one version")) return;
    const auto& taken = took_first ? first : other;
    const auto& left = took_first ? other : first;
    const std::uint64_t at = taken.request.sector_number;
    if (taken.request.operation == BLKIF_OP_WRITE) {
        s.expect(s.on_disk(at) == f.data(taken), "what is written is one version's data at its sector");
        s.expect(s.disk_untouched(at, 1), "nothing else is written");
        return;
    }
    s.expect(f.data(taken) == blk::sector_pattern(at), "what is read is one version's sector in its page");
    s.expect(f.bytes(left.pages[0]) == std::vector<std::byte>(kPageSize, std::byte{0xee}),
             "the other version's page is untouched");
}

void copies_read(Stage& s) {
    if (s.connect_frontend()) copies_request(s, s.frontend().read(5, 1), s.frontend().read(9, 1));
}

void copies_write(Stage& s) {
    if (!s.connect_frontend()) return;
    const auto first = s.frontend().write(20, blk::sector_pattern(820));
    const auto other = s.frontend().write(30, blk::sector_pattern(830));
    copies_request(s, first, other);
}

/// A request that is refused at once: no disk stands between it and its response.
blkif_request_t answered_at_once(std::uint64_t id) {
    auto request = blk::blank_request();
    request.operation = BLKIF_OP_READ;
    request.nr_segments = 255;
    request.id = id;
    return request;
}

/// The second of two requests comes as the backend looks whether it may sleep.
void takes_requests_whole(Stage& s) {
    if (!s.connect_frontend()) return;
    RawFrontend& f = s.frontend();
    for (unsigned round = 0; round < 24; ++round) {
        f.put(answered_at_once(1000 + round));
        f.push_and_notify();
        for (unsigned i = 0; i <= round % 8; ++i) s.step_aside();
        f.put(answered_at_once(2000 + round));
        f.push();
        f.notify();
        s.settle();
        const auto responses = f.take_all();
        if (!s.expect(responses.size() == 2, "two requests are answered")) return;
        if (!s.expect(responses[0].id == 1000 + round && responses[1].id == 2000 + round,
                      "a request is taken as it is when req_prod covers it",
                      [&] { return count("the id of the answer", responses[1].id); }))
            return;
    }
}

void response_before_index(Stage& s) {
    if (!s.connect_frontend()) return;
    RawFrontend& f = s.frontend();
    constexpr std::uint32_t kRequests = 24;
    for (std::uint32_t i = 0; i < kRequests; ++i) {
        const auto request = answered_at_once(7000 + i);
        f.put(request);
        f.push();
        f.notify();
        for (int patience = 0; patience < 300 && f.ring().load(Word::rsp_prod) == i; ++patience)
            if (patience % 4 == 3) s.step_aside();
        if (f.ring().load(Word::rsp_prod) == i) s.settle();
        const auto response = f.take();
        if (!s.expect(response.has_value(), "a request is answered")) return;
        s.settle();
        const auto later = f.ring().response(i);
        if (!s.expect(
                response->id == later.id && response->operation == later.operation && response->status == later.status,
                "a response is there, whole, when rsp_prod covers it",
                [&] { return count("the id read", response->id) + ", and later " + std::to_string(later.id); }))
            return;
    }
}

void notifies_when_asked(Stage& s) {
    if (!s.connect_frontend()) return;
    RawFrontend& f = s.frontend();
    const auto t = f.read(3, 1);
    for (std::uint32_t d = 1; d <= 4; ++d) {
        const unsigned events = f.events();
        const std::uint32_t asked = f.taken() + d;
        f.ring().store(Word::rsp_event, asked);
        shared::mb();
        for (std::uint32_t i = 0; i < 4; ++i) f.put(numbered(t, i));
        f.push_and_notify();
        s.settle();
        if (!s.expect(f.take_all().size() == 4, "four requests are answered")) return;
        if (!s.expect(f.events() > events, "an event comes when rsp_prod reaches rsp_event",
                      [&] { return "no event for rsp_event " + std::to_string(d) + " ahead"; }))
            return;
    }
}

void asks_before_sleep(Stage& s) {
    if (!s.connect_frontend()) return;
    const auto t = s.frontend().read(3, 1);
    std::uint64_t id = 0;
    for (const unsigned before : {0u, 1u, 33u}) {
        for (unsigned i = 0; i <= before; ++i)
            if (!s.expect(answered(s, t, id++), "a backend at rest has asked for an event at the next request",
                          [&] { return count("without an answer: request", id - 1); }))
                return;
    }
}

void final_check(Stage& s) {
    if (!s.connect_frontend()) return;
    RawFrontend& f = s.frontend();
    const auto t = f.read(3, 1);
    // While a disk works, a backend has asked for the next event already.
    const auto request = [&](std::uint64_t id) { return s.stores_late() ? answered_at_once(id) : numbered(t, id); };
    for (unsigned round = 0; round < (s.stores_late() ? 24 : 8); ++round) {
        f.put(request(round));
        f.push_and_notify();
        const std::uint32_t first = f.requests();
        for (int patience = 0; patience < 300 && f.ring().load(Word::rsp_prod) != first; ++patience) s.step_aside();
        if (s.stores_late())
            for (unsigned i = 0; i < round % 6; ++i) s.step_aside();
        f.put(request(100 + round));
        f.push_and_notify();
        s.settle();
        const std::uint32_t left = f.requests() - f.ring().load(Word::rsp_prod);
        if (!s.expect(left == 0, "a request that comes as the backend goes to sleep is answered",
                      [&] { return count("when all is quiet, the number of requests without an answer", left); }))
            return;
        f.take_all();
    }
}

void meets_sleeping_frontend(Stage& s) {
    if (!s.connect_frontend()) return;
    RawFrontend& f = s.frontend();
    constexpr unsigned kRounds = 60;
    for (unsigned round = 0; round < kRounds; ++round) {
        f.put(answered_at_once(round));
        f.push();
        f.notify();
        const unsigned events = f.events();
        for (unsigned i = 0; i < 1 + round % 3; ++i) s.step_aside();
        f.ring().store(Word::rsp_event, f.taken() + 1);
        shared::mb();
        const bool seen = f.ring().load(Word::rsp_prod) != f.taken();
        s.settle();
        if (!s.expect(f.take().has_value(), "a request is answered")) return;
        if (!s.expect(seen || f.events() > events, "a frontend that asks for an event and then finds nothing gets one"))
            return;
    }
}

}  // namespace

const std::vector<Clause>& ring_backend_clauses() {
    using engine::Model;
    static const std::vector<Clause> clauses = {
        {"ring.backend-counter-runs-freely",
         36,
         Role::backend,
         "Indices run freely and wrap at 2^32.",
         {counter_runs_freely}},
        {"ring.backend-slots", 231, Role::backend, "Message i lies in entry i modulo the ring's size.", {slots}},
        {"ring.backend-leaves-header",
         84,
         Role::backend,
         "Only the frontend initialises the shared ring.",
         {leaves_header}},
        {"ring.backend-serves-earlier-requests",
         174,
         Role::backend,
         "A backend begins to take at the index where it attaches.",
         {serves_earlier_requests}},
        {"ring.backend-takes-every-request",
         201,
         Role::backend,
         "What is left to take are the requests up to req_prod.",
         {takes_every_request, takes_requests_whole},
         {.models = {Model::relaxed}, .late_seeds = 8}},
        {"ring.request-overflow-stops-backend",
         259,
         Role::backend,
         "More requests than the ring can hold show an ill-behaved frontend.",
         {claims_a_ring_and_one, takes_a_request_back}},
        {"ring.backend-copies-request",
         241,
         Role::backend,
         "A request is copied once, and only the copy is worked on.",
         {copies_read, copies_write}},
        {"ring.response-before-index",
         272,
         Role::backend,
         "The frontend sees responses before the index that covers them.",
         {response_before_index},
         {.seeds = 8, .models = {Model::relaxed}, .late_seeds = 8}},
        {"ring.backend-notifies-when-asked",
         287,
         Role::backend,
         "Who puts responses learns whether the frontend wants an event, and sends it then.",
         {notifies_when_asked}},
        {"ring.backend-final-check",
         293,
         Role::backend,
         "Before it sleeps, a backend asks for an event and looks once more.",
         {final_check},
         {.seeds = 6, .models = {Model::sc, Model::tso}, .late_seeds = 6}},
        {"ring.backend-asks-before-sleep",
         299,
         Role::backend,
         "The usual final check asks for an event at the very next message.",
         {asks_before_sleep}},
        {"ring.backend-meets-sleeping-frontend",
         322,
         Role::backend,
         "rsp_prod is visible before rsp_event is looked at.",
         {meets_sleeping_frontend},
         {.seeds = 6, .models = {Model::tso}, .late_seeds = 6}},
    };
    return clauses;
}

}  // namespace xenrig::conformance
