// blkif.h's clauses on what a backend makes of a frontend's transport parameters: larger rings, several queues,
// layouts, and sectors of other sizes.
#include <bit>

#include "sim/conformance/blkif_clauses.h"
#include "sim/conformance/moves.h"

namespace xenrig::conformance {

namespace {

using blk::RawFrontend;
using blk::sector_pattern;
using Word = blk::RawRing::Word;

unsigned max_order(Stage& s) { return static_cast<unsigned>(offered(s, "max-ring-page-order")); }

/// The subject has written what it offers, and waits.
void look_at_offers(Stage& s) {
    s.start_subject();
    s.settle();
}

bool connected(Stage& s, const std::string& what) {
    s.frontend().state(3);
    s.settle();
    return s.expect(s.frontend().backend_state() == "4", "a backend connects with what it offers",
                    [&] { return what + ": its state is " + s.frontend().backend_state(); });
}

/// Fills the ring of a frontend twice, each time by one push. Xen lets a page be mapped 127 times at once.
void uses_whole_ring(Stage& s, RawFrontend& f, const std::string& what) {
    constexpr unsigned kPages = 8;
    std::vector<RawFrontend::Transfer> reads;
    reads.reserve(kPages);
    for (unsigned i = 0; i < kPages; ++i) reads.push_back(f.read(3 + i, 1));
    for (unsigned turn = 0; turn < 2; ++turn) {
        for (std::uint32_t i = 0; i < f.ring().size(); ++i) {
            auto request = reads[i % kPages].request;
            request.id = i;
            f.put(request);
        }
        f.push_and_notify();
        s.settle();
        const auto responses = f.take_all();
        if (!s.expect(responses.size() == f.ring().size(), "every request of a full ring is answered", [&] {
                return what + ": " + number("their number", static_cast<std::int64_t>(responses.size()));
            }))
            return;
        for (const auto& r : responses)
            if (!s.expect(r.id < f.ring().size() && r.status == BLKIF_RSP_OKAY, "a response lies in its entry",
                          [&] { return what + ": " + shown(r); }))
                return;
        for (unsigned i = 0; i < kPages; ++i)
            s.expect(f.data(reads[i]) == sector_pattern(3 + i), "a read on a full ring brings its data",
                     [&] { return what; });
    }
}

void serves_large_ring(Stage& s, const char* node, unsigned pages) {
    look_at_offers(s);
    if (max_order(s) == 0) return s.skip("the backend offers one page");
    pages = pages == 0 ? 1u << max_order(s) : pages;
    if (pages > 1u << max_order(s)) return s.skip("the backend offers fewer pages");
    RawFrontend& f = s.frontend();
    f.shape({.pages = pages, .i386 = false, .size_node = node, .below = ""});
    f.make_ring();
    f.publish();
    const std::string what = std::string(node) + " for " + std::to_string(pages) + " pages";
    if (connected(s, what)) uses_whole_ring(s, f, what);
}

void two_pages_by_order(Stage& s) { serves_large_ring(s, "ring-page-order", 2); }
void four_pages_by_number(Stage& s) { serves_large_ring(s, "num-ring-pages", 4); }
void all_pages_by_order(Stage& s) { serves_large_ring(s, "ring-page-order", 0); }

void publishes_both_limits(Stage& s) {
    look_at_offers(s);
    const auto order = s.frontend().backend_node("max-ring-page-order"),
               pages = s.frontend().backend_node("max-ring-pages");
    if (!order && !pages) return s.skip("the backend offers one page");
    s.expect(order && pages && offered(s, "max-ring-pages") == 1u << max_order(s),
             "the size of a ring is offered alike in both schemes", [&] {
                 return "max-ring-page-order is '" + order.value_or("") + "', max-ring-pages '" + pages.value_or("") +
                        "'";
             });
}

/// A backend that offers nothing of the kind need not know the node.
template <const char* offer, const char* node, const char* value>
void refuses(Stage& s) {
    look_at_offers(s);
    if (!s.frontend().backend_node(offer)) return s.skip(std::string("the backend has no ") + offer);
    publish_and_wait(s, [&] { s.frontend().write(node, value); });
    closed_for(s, std::string(node) + " '" + value + "'");
}

constexpr char kMaxOrder[] = "max-ring-page-order", kMaxPages[] = "max-ring-pages",
               kMaxQueues[] = "multi-queue-max-queues";
constexpr char kOrder[] = "ring-page-order", kPages[] = "num-ring-pages", kQueues[] = "multi-queue-num-queues",
               k5[] = "5", kMinus1[] = "-1", k2To32[] = "4294967296", kMany[] = "many", k3[] = "3", k0[] = "0",
               k64[] = "64", kFar[] = "1000";

/// One more than is offered, with every page of it there.
void refuses_one_order_more(Stage& s) {
    look_at_offers(s);
    RawFrontend& f = s.frontend();
    if (max_order(s) == 0) return s.skip("the backend offers one page");
    const unsigned order = max_order(s) + 1;
    if (order > 4) return refuses<kMaxOrder, kOrder, k5>(s);
    f.shape({.pages = 1u << order, .i386 = false, .size_node = "ring-page-order", .below = ""});
    publish_and_wait(s, [] {});
    closed_for(s, number("ring-page-order", order));
}

void refuses_missing_page(Stage& s) {
    look_at_offers(s);
    if (max_order(s) == 0) return s.skip("the backend offers one page");
    RawFrontend& f = s.frontend();
    f.shape({.pages = 2, .i386 = false, .size_node = "ring-page-order", .below = ""});
    f.make_ring();
    f.publish();
    f.remove("ring-ref1");
    f.state(3);
    s.settle();
    closed_for(s, "a ring of two pages without ring-ref1");
}

/// A second queue of the scripted frontend, and both published below their names.
struct TwoQueues {
    RawFrontend second;
    explicit TwoQueues(Stage& s) : second(s.frontend().platform(), DomId{0}, Stage::kDevice) {}

    bool offered_to(Stage& s) {
        look_at_offers(s);
        if (offered(s, "multi-queue-max-queues") >= 2) return true;
        s.skip("the backend offers one queue");
        return false;
    }
    void publish(Stage& s, unsigned pages) {
        s.frontend().write("multi-queue-num-queues", "2");
        unsigned n = 0;
        for (RawFrontend* f : {&s.frontend(), &second}) {
            f->shape({.pages = pages,
                      .i386 = false,
                      .size_node = "ring-page-order",
                      .below = "queue-" + std::to_string(n++) + "/"});
            f->make_ring();
            f->publish();
        }
    }
};

bool reads_on(Stage& s, RawFrontend& queue, std::uint64_t sector) {
    const auto t = queue.read(sector, 1);
    return is_okay(send(s, queue, t.request)) && queue.data(t) == sector_pattern(sector);
}

void serves_queues(Stage& s, unsigned pages) {
    TwoQueues queues(s);
    if (!queues.offered_to(s)) return;
    if (pages > 1u << max_order(s)) return s.skip("the backend offers one page");
    queues.publish(s, pages);
    if (!connected(s, "two queues")) return;
    for (unsigned i = 0; i < 3; ++i) {
        s.expect(reads_on(s, s.frontend(), 10 + i), "the first queue is served");
        s.expect(reads_on(s, queues.second, 20 + i), "the second queue is served");
    }
    uses_whole_ring(s, queues.second, "the second queue");
}

void serves_queues_of_one_page(Stage& s) { serves_queues(s, 1); }
void serves_queues_of_two_pages(Stage& s) { serves_queues(s, 2); }

/// The first queue has requests that nobody was told of, and answers that nobody takes.
void queues_are_independent(Stage& s) {
    TwoQueues queues(s);
    if (!queues.offered_to(s)) return;
    queues.publish(s, 1);
    if (!connected(s, "two queues")) return;
    RawFrontend& f = s.frontend();
    const auto t = f.read(3, 1);
    for (std::uint32_t i = 0; i < f.ring().size(); ++i) f.put(t.request);
    f.push_and_notify();
    for (unsigned i = 0; i < 70; ++i)
        if (!s.expect(reads_on(s, queues.second, i), "a queue is served whatever another's state is")) return;
    s.expect(f.take_all().size() == f.ring().size(), "and the other, when its turn comes");
}

void broken_queue(Stage& s) {
    TwoQueues queues(s);
    if (!queues.offered_to(s)) return;
    queues.publish(s, 1);
    if (!connected(s, "two queues")) return;
    s.frontend().state(4);
    blk::RawRing& ring = queues.second.ring();
    const auto write = queues.second.write(100, sector_pattern(900));
    for (std::uint32_t i = 0; i < ring.size(); ++i) ring.put(i, write.request);
    ring.store(Word::req_prod, ring.size() + 1);
    queues.second.notify();
    s.settle();
    s.expect(s.disk_untouched(), "no request of an impossible claim on one queue reaches the disk");
    s.expect(ring.load(Word::rsp_prod) == 0, "no response is published to a request of an impossible claim");
    s.frontend().state(5);
    s.settle();
    s.frontend().state(6);
    s.settle();
    s.expect(s.frontend().backend_state() == "6" && s.maps() == 0,
             "a backend one of whose rings is broken still closes",
             [&] { return "its state is " + s.frontend().backend_state(); });
}

void queue_without(Stage& s, const char* node) {
    TwoQueues queues(s);
    if (!queues.offered_to(s)) return;
    queues.publish(s, 1);
    s.frontend().remove(node);
    s.frontend().state(3);
    s.settle();
    closed_for(s, std::string("two queues without ") + node);
}

void queue_without_ring(Stage& s) { queue_without(s, "queue-1/ring-ref"); }
void queue_without_port(Stage& s) { queue_without(s, "queue-1/event-channel"); }
void no_second_queue(Stage& s) { queue_without(s, "queue-1"); }

void serves_i386(Stage& s) {
    RawFrontend& f = s.frontend();
    f.shape({.pages = 1, .i386 = true, .size_node = "ring-page-order", .below = ""});
    publish_and_wait(s, [] {});
    if (f.backend_state() != "4") {
        closed_for(s, "x86_32-abi");
        return s.skip("the backend does not know i386's layout");
    }
    for (unsigned turn = 0; turn < 40; ++turn)
        if (!s.expect(read_works(s, turn), "a read in i386's layout works")) return;
    const auto t = f.write(100, sector_pattern(5000, 88));
    s.expect(is_okay(send(s, t.request)) && s.on_disk(100, 88) == sector_pattern(5000, 88),
             "a write of eleven segments in i386's layout works");
    s.expect(s.disk_untouched(100, 88), "and writes nothing else");
    if (offers(s, "feature-max-indirect-segments")) {
        const auto many = f.indirect(BLKIF_OP_READ, 800, 12);
        s.expect(is_okay(send(s, blk::as_request(many.request))) && f.bytes(many.pages[11]) == sector_pattern(888, 8),
                 "an indirect request in i386's layout works");
    }
    if (offers(s, "feature-discard")) {
        s.expect(is_okay(send(s, blk::discard_request(1000, 8))), "a discard in i386's layout works");
        s.expect(s.on_disk(1008, 8) == sector_pattern(1008, 8), "and covers its range");
    }
}

/// Sectors of 4096 bytes, and requests in units of 512 all the same.
void counts_512(Stage& s) {
    if (!s.connect_frontend()) return;
    const auto size = offered(s, "sector-size");
    s.expect(offered(s, "sectors") == Stage::kSectors, "`sectors` counts 512 bytes each, whatever sector-size is",
             [&] { return number("sectors", static_cast<std::int64_t>(offered(s, "sectors"))); });
    const auto t = s.frontend().read(16, 8);
    s.expect(is_okay(send(s, t.request)) && s.frontend().data(t) == sector_pattern(16, 8),
             "sector_number and segments count 512 bytes each");
    if (size == 512) return;
    for (const auto& [sector, sectors] : {std::pair{16u, 1u}, {17u, 8u}, {16u, 9u}}) {
        const auto part = s.frontend().write(sector, sector_pattern(900, sectors));
        const auto r = send(s, part.request);
        s.expect(r && r->status == BLKIF_RSP_ERROR, "part of a sector is refused",
                 [&] { return std::to_string(sectors) + " from " + std::to_string(sector) + ": " + shown(r); });
    }
    s.expect(s.disk_untouched(), "a write that is refused changes no sector");
}

void takes_empty_disk(Stage& s) {
    s.start_subject();
    s.settle();
    publish_and_wait(s, [] {});
    if (s.frontend().backend_state() != "4") return closed_for(s, "a disk without sectors");
    s.expect(s.frontend().backend_node("sectors") == "0", "an empty disk has 0 sectors");
    const auto t = s.frontend().read(0, 1);
    const auto r = send(s, t.request);
    s.expect(r && r->status == BLKIF_RSP_ERROR, "a read from an empty disk is refused", [&] { return shown(r); });
}

}  // namespace

const std::vector<Clause>& blkif_backend_transport_clauses() {
    constexpr Role backend = Role::backend;
    static const std::vector<Clause> all = {
        {"blkif.backend-serves-large-ring",
         178,
         backend,
         "max-ring-page-order: a ring may have so many pages.",
         {two_pages_by_order, four_pages_by_number, all_pages_by_order}},
        {"blkif.backend-refuses-large-ring",
         296,
         backend,
         "ring-page-order and num-ring-pages: not more than was offered, and a power of two.",
         {refuses_one_order_more, refuses<kMaxOrder, kOrder, kMinus1>, refuses<kMaxOrder, kOrder, k2To32>,
          refuses<kMaxOrder, kOrder, kMany>, refuses<kMaxPages, kPages, k3>, refuses<kMaxPages, kPages, k0>,
          refuses<kMaxPages, kPages, k64>}},
        {"blkif.backend-refuses-missing-page",
         280,
         backend,
         "ring-ref%u: a grant for each page.",
         {refuses_missing_page}},
        {"blkif.backend-publishes-both-ring-limits",
         381,
         backend,
         "Both kinds of multi-page ring are published alike.",
         {publishes_both_limits}},
        {"blkif.backend-counts-512",
         624,
         backend,
         "Sectors of requests count 512 bytes.",
         {counts_512},
         {.disks = {{.sector_bytes = 4096, .physical_sector_bytes = 4096}}}},
        {"blkif.backend-takes-empty-disk",
         254,
         backend,
         "sectors is the size of the disk, 0 too.",
         {takes_empty_disk},
         {.disks = {{.empty = true}}}},
        {"blkif.backend-serves-i386", 289, backend, "protocol: the layout of a 32-bit frontend.", {serves_i386}},
        {"blkif.backend-serves-queues",
         418,
         backend,
         "Several queues: each has a ring and a port of its own.",
         {serves_queues_of_one_page, serves_queues_of_two_pages}},
        {"blkif.backend-queues-are-independent",
         418,
         backend,
         "Several queues: each is served for itself.",
         {queues_are_independent}},
        {"blkif.broken-queue-stops-backend",
         418,
         backend,
         "Several queues: a ring that claims too much stops the device.",
         {broken_queue}},
        {"blkif.backend-refuses-queue-count",
         422,
         backend,
         "multi-queue-num-queues: above zero, and not more than was offered.",
         {refuses<kMaxQueues, kQueues, k0>, refuses<kMaxQueues, kQueues, kFar>, refuses<kMaxQueues, kQueues, kMany>}},
        {"blkif.backend-refuses-missing-queue",
         431,
         backend,
         "Several queues: each has its nodes.",
         {queue_without_ring, queue_without_port, no_second_queue}},
    };
    return all;
}

}  // namespace xenrig::conformance
