// blkif.h's clauses on a frontend's use of what its backend offers for transport: grants that stay mapped, larger
// rings, several queues, sectors of other sizes.
#include <algorithm>
#include <set>

#include "sim/conformance/blkif_clauses.h"
#include "sim/conformance/moves.h"
#include "xenrig/shared/door.h"

namespace xenrig::conformance {

namespace {

using blk::RawBackend;
using blk::sector_pattern;
using Word = blk::RawRing::Word;

std::uint64_t number_of(Stage& s, const char* node, std::uint64_t absent) {
    const auto text = s.backend().frontend_node(node);
    return text && is_decimal(*text, 10) ? std::stoull(*text) : absent;
}

/// The grefs of one read or write, which is served.
std::vector<std::uint32_t> grefs_of(Stage& s, const UserCallPtr& call) {
    std::vector<std::uint32_t> all;
    for (const auto& r : serve(s, call))
        for (unsigned i = 0; i < r.nr_segments; ++i) all.push_back(r.seg[i].gref);
    return all;
}

bool is_persistent(Stage& s) {
    if (!s.connect_backend({{"feature-persistent", "1"}})) return false;
    const bool says_so = number_of(s, "feature-persistent", 0) != 0;
    if (!says_so) s.skip("the frontend has no persistent grants");
    return says_so;
}

bool maps(Stage& s, std::uint32_t gref, Access access) {
    const GrantRef ref{gref};
    return s.backend().platform().grants().map(s.guest(), std::span(&ref, 1), access).has_value();
}

void reuses_grants(Stage& s) {
    if (!is_persistent(s)) return;
    const auto eight = s.read(100, 64);
    const auto first = grefs_of(s, eight);
    if (!s.expect(eight->well() && first.size() == 8, "a read of eight pages works")) return;
    std::set<std::uint32_t> later;
    for (unsigned i = 0; i < 10; ++i) {
        const auto call = i % 2 ? s.write(i, sector_pattern(900 + i)) : s.read(200 + i, 1);
        for (const std::uint32_t gref : grefs_of(s, call)) later.insert(gref);
        s.expect(call->well(), "a transfer through a page that was used before works");
        s.expect(i % 2 || call->data == sector_pattern(200 + i), "a read through such a page brings its data");
    }
    s.expect(std::ranges::all_of(later, [&](auto gref) { return std::ranges::count(first, gref) != 0; }),
             "the same grants are used for all transactions");
    for (const std::uint32_t gref : first)
        s.expect(maps(s, gref, Access::read_write), "a grant that stays is writable, whatever it was used for last");
}

void last_in_first_out(Stage& s) {
    if (!is_persistent(s)) return;
    grefs_of(s, s.read(100, 64));
    std::set<std::uint32_t> later;
    for (unsigned i = 0; i < 6; ++i)
        for (const std::uint32_t gref : grefs_of(s, s.read(200 + i, 1))) later.insert(gref);
    s.expect(later.size() == 1, "the page that was used last is used next", [&] {
        return number("the number of pages for one read after another", static_cast<std::int64_t>(later.size()));
    });
}

void ends_persistent_grants(Stage& s) {
    if (!is_persistent(s)) return;
    const auto grefs = grefs_of(s, s.read(100, 64));
    s.backend().state(5);
    s.settle();
    s.backend().leave();
    s.backend().state(6);
    s.settle();
    if (!s.expect(s.backend().frontend_state() == "6", "the frontend closes")) return;
    for (const std::uint32_t gref : grefs)
        s.expect(!maps(s, gref, Access::read_only), "a Closed frontend's persistent grants have ended");
}

/// What a frontend publishes to a backend that offers rings of 2^order pages.
void large_ring(Stage& s, const Nodes& features, unsigned order) {
    if (!s.connect_backend(features)) return;
    RawBackend& b = s.backend();
    const auto own = number_of(s, "ring-page-order", 0);
    s.expect(own <= order, "a ring is no larger than was offered",
             [&] { return number("ring-page-order", static_cast<std::int64_t>(own)); });
    if (own == 0) return;
    const auto pages = b.frontend_node("num-ring-pages");
    s.expect(!pages || *pages == std::to_string(1u << own), "the size of a ring is published alike in both schemes",
             [&] { return "num-ring-pages is " + *pages; });
    s.expect(!b.frontend_node("ring-ref"), "a ring of several pages has no ring-ref");
    // More than a page holds, all on the ring at once.
    const unsigned size = b.ring().size();
    std::vector<UserCallPtr> calls;
    calls.reserve(size);
    for (unsigned i = 0; i < size; ++i) calls.push_back(s.read(i, 1));
    s.settle();
    s.expect(b.ring().load(Word::req_prod) == size, "a ring of several pages takes as many requests as fit",
             [&] { return number("req_prod", b.ring().load(Word::req_prod)); });
    for (unsigned turn = 0; turn < 2; ++turn) {
        b.serve_all();
        s.settle();
        for (unsigned i = 0; i < calls.size(); ++i)
            if (!s.expect(calls[i]->well() && calls[i]->data == sector_pattern(i), "each of them completes",
                          [i] { return number("the read", i); }))
                return;
        calls = {s.read(0, 1), s.read(1, 1)};
        s.settle();
    }
}

void offered_order_1(Stage& s) { large_ring(s, {{"max-ring-page-order", "1"}, {"max-ring-pages", "2"}}, 1); }
void offered_order_4(Stage& s) { large_ring(s, {{"max-ring-page-order", "4"}, {"max-ring-pages", "16"}}, 4); }
void offered_order_0(Stage& s) { large_ring(s, {{"max-ring-page-order", "0"}}, 0); }
void offered_garbled_order(Stage& s) { large_ring(s, {{"max-ring-page-order", "large"}}, 0); }

/// The usual way with as many queues as the frontend wants; false, and a skip, when it wants one.
bool two_queues(Stage& s, RawBackend& second) {
    s.start_subject();
    s.settle();
    RawBackend& b = s.backend();
    b.write("multi-queue-max-queues", "2");
    b.state(2);
    s.settle();
    const auto queues = number_of(s, "multi-queue-num-queues", 1);
    if (!s.expect(queues >= 1 && queues <= 2, "there are no more queues than were offered",
                  [&] { return number("multi-queue-num-queues", static_cast<std::int64_t>(queues)); }))
        return false;
    if (queues == 1) {
        s.skip("the frontend uses one queue");
        return false;
    }
    unsigned n = 0;
    for (RawBackend* end : {&b, &second}) {
        const auto joined = end->join("queue-" + std::to_string(n++) + "/");
        if (!s.expect(joined.has_value(), "each queue has a ring and a port below its own directory",
                      [&] { return joined.error().to_string(); }))
            return false;
        end->ask_for_event();
    }
    b.write_properties();
    b.state(4);
    s.settle();
    return s.expect(b.frontend_state() == "4", "a frontend with two queues connects",
                    [&] { return "its state is " + b.frontend_state(); });
}

void queues_within_offer(Stage& s) {
    RawBackend second(s.backend().platform(), s.guest(), Stage::kDevice);
    if (!two_queues(s, second)) return;
    for (const char* node : {"ring-ref", "event-channel", "ring-ref0"})
        s.expect(!s.backend().frontend_node(node), "the usual nodes are not written where there are several queues",
                 [&] { return node; });
    std::vector<UserCallPtr> calls;
    calls.reserve(8);
    for (unsigned i = 0; i < 8; ++i) calls.push_back(s.read(10 + i, 1));
    unsigned on_first = 0, on_second = 0;
    for (unsigned turn = 0; turn < 4; ++turn) {
        s.settle();
        on_first += s.backend().serve_all();
        on_second += second.serve_all();
    }
    s.settle();
    s.expect(on_first + on_second == 8, "each read is one request on one of the queues");
    for (unsigned i = 0; i < 8; ++i)
        s.expect(calls[i]->well() && calls[i]->data == sector_pattern(10 + i), "each of them completes");
}

/// More reads than a queue holds, and nothing is answered on the first.
void queues_are_independent(Stage& s) {
    RawBackend second(s.backend().platform(), s.guest(), Stage::kDevice);
    if (!two_queues(s, second)) return;
    std::vector<UserCallPtr> calls;
    calls.reserve(40);
    for (unsigned i = 0; i < 40; ++i) calls.push_back(s.read(10 + i, 1));
    unsigned served = 0;
    for (unsigned turn = 0; turn < 4; ++turn) {
        s.settle();
        served += second.serve_all();
    }
    s.settle();
    const auto done = [&] { return std::ranges::count_if(calls, [](const UserCallPtr& c) { return c->well(); }); };
    s.expect(served != 0, "a queue that is full keeps no request from another");
    s.expect(static_cast<unsigned>(done()) == served, "what is answered on one queue completes whatever another does",
             [&] { return std::to_string(done()) + " of " + std::to_string(served); });
    for (unsigned turn = 0; turn < 4; ++turn) {
        s.backend().serve_all();
        second.serve_all();
        s.settle();
    }
    s.expect(static_cast<unsigned>(done()) == calls.size(), "and the rest when the other queue is served");
}

/// More reads than a queue holds; the answers to those on the second lie there, and the index claims too many.
void broken_queue(Stage& s) {
    RawBackend second(s.backend().platform(), s.guest(), Stage::kDevice);
    if (!two_queues(s, second)) return;
    std::vector<UserCallPtr> calls;
    calls.reserve(40);
    for (unsigned i = 0; i < 40; ++i) calls.push_back(s.read(10 + i, 1));
    s.settle();
    const auto requests = second.take_all();
    s.expect(!requests.empty(), "a queue that is full keeps no request from another");
    for (const auto& r : requests) second.serve(r);
    shared::wmb();
    second.ring().store(Word::rsp_prod, second.ring().size() + 1);
    second.notify();
    s.settle();
    s.expect(std::ranges::none_of(calls, [](const UserCallPtr& c) { return c->well(); }),
             "no request is done by an impossible claim on one queue");
    s.backend().state(5);
    s.settle();
    s.backend().state(6);
    s.settle();
    s.expect(s.backend().frontend_state() == "6", "a frontend one of whose rings is broken still closes",
             [&] { return "its state is " + s.backend().frontend_state(); });
}

void one_queue(Stage& s, const char* offer) {
    if (!s.connect_backend({{"multi-queue-max-queues", offer}})) return;
    s.expect(number_of(s, "multi-queue-num-queues", 1) == 1, "there are no more queues than were offered",
             [&] { return std::string("of ") + offer; });
    s.expect(user_read_works(s), "a read works");
}

void offered_one_queue(Stage& s) { one_queue(s, "1"); }
void offered_no_queue(Stage& s) { one_queue(s, "0"); }
void offered_garbled_queues(Stage& s) { one_queue(s, "two"); }

/// A frontend that takes sectors of 4096 bytes counts 512 all the same.
void counts_512(Stage& s) {
    auto properties = usual_properties();
    properties["sector-size"] = properties["physical-sector-size"] = "4096";
    if (!s.offer_backend({}, properties)) return;
    if (s.backend().frontend_state() != "4") return s.skip("the frontend takes no sectors of 4096 bytes");
    const auto connected = s.wait_connected();
    s.settle();
    s.expect(connected->disk.bytes == Stage::kSectors * 512, "`sectors` counts 512 bytes each, whatever sector-size is",
             [&] { return number("the size it tells", static_cast<std::int64_t>(connected->disk.bytes)); });
    s.expect(connected->disk.sector_bytes == 4096, "users learn the size of a sector");
    const auto read = s.read(16, 16);
    const auto requests = serve(s, read);
    s.expect(requests.size() == 1 && requests[0].sector_number == 16 && blk::sectors_of(requests[0]) == 16,
             "sector_number and segments count 512 bytes each");
    s.expect(read->well() && read->data == sector_pattern(16, 16), "a read works");
    const auto part = s.write(16, sector_pattern(900));
    s.expect(serve(s, part).empty() && part->failed(), "no request moves part of a sector");
}

}  // namespace

const std::vector<Clause>& blkif_frontend_transport_clauses() {
    constexpr Role frontend = Role::frontend;
    static const std::vector<Clause> all = {
        {"blkif.frontend-reuses-persistent-grants",
         321,
         frontend,
         "feature-persistent: the same grants for all transactions, writable.",
         {reuses_grants}},
        {"blkif.frontend-persistent-grants-in-lifo",
         332,
         frontend,
         "Persistent grants are kept in a last-in-first-out list.",
         {last_in_first_out}},
        {"blkif.frontend-ends-persistent-grants",
         317,
         frontend,
         "feature-persistent: the grants end when the device closes.",
         {ends_persistent_grants}},
        {"blkif.frontend-ring-within-offer",
         296,
         frontend,
         "ring-page-order: not more than the backend offers.",
         {offered_order_0, offered_garbled_order, offered_order_1, offered_order_4}},
        {"blkif.frontend-queues-within-offer",
         422,
         frontend,
         "multi-queue-num-queues: above zero, and not more than was offered.",
         {offered_one_queue, offered_no_queue, offered_garbled_queues, queues_within_offer}},
        {"blkif.frontend-queues-are-independent",
         418,
         frontend,
         "Several queues: each goes on by itself.",
         {queues_are_independent}},
        {"blkif.broken-queue-stops-frontend",
         418,
         frontend,
         "Several queues: a ring that claims too much stops the device.",
         {broken_queue}},
        {"blkif.frontend-counts-512", 624, frontend, "Sectors of requests count 512 bytes.", {counts_512}},
    };
    return all;
}

}  // namespace xenrig::conformance
