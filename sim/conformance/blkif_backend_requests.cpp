// blkif.h's clauses on what a backend does with requests, good and bad ones.
#include <algorithm>

#include "sim/conformance/blkif_clauses.h"
#include "sim/conformance/moves.h"

namespace xenrig::conformance {

namespace {

using blk::RawFrontend;
using blk::sector_pattern;
using Page = std::vector<std::byte>;

constexpr unsigned kSizes[] = {1, 8, 9, 88};
constexpr std::size_t kSector = 512;

const Page& untouched_page() {
    static const Page page(kPageSize, std::byte{0xee});
    return page;
}

std::string sectors(unsigned n) { return "with " + std::to_string(n) + " sectors"; }

void pages_untouched(Stage& s, const RawFrontend::Transfer& t, const std::string& what) {
    for (const auto& p : t.pages)
        s.expect(s.frontend().bytes(p) == untouched_page(), "a request that is refused changes no page",
                 [&] { return what; });
}

void read_only_refuses_writes(Stage& s) {
    if (!s.connect_frontend()) return;
    s.expect(read_works(s), "a disk with mode r can be read");
    const auto t = s.frontend().write(3, sector_pattern(900));
    refused(s, t.request, "a write to a disk with mode r");
    if (offers(s, "feature-barrier")) {
        auto barrier = t.request;
        barrier.operation = BLKIF_OP_WRITE_BARRIER;
        refused(s, barrier, "a barrier with data to a disk with mode r");
    }
    if (offers(s, "feature-discard")) refused(s, blk::discard_request(3, 1), "a discard on a disk with mode r");
    if (offers(s, "feature-max-indirect-segments"))
        refused(s, blk::as_request(s.frontend().indirect(BLKIF_OP_WRITE, 0, 2).request),
                "an indirect write to a disk with mode r");
    s.expect(s.disk_untouched(), "a disk with mode r is not written");
}

blkif_request_t bare(std::uint8_t operation) {
    auto request = blk::blank_request();
    request.operation = operation;
    request.id = 77;
    return request;
}

void serves_offered_flush(Stage& s) {
    if (!s.connect_frontend()) return;
    if (!offers(s, "feature-flush-cache")) return s.skip("the backend offers no flushes");
    const auto response = send(s, bare(BLKIF_OP_FLUSH_DISKCACHE));
    s.expect(response && response->id == 77 && response->operation == BLKIF_OP_FLUSH_DISKCACHE &&
                 (response->status == BLKIF_RSP_OKAY || response->status == BLKIF_RSP_EOPNOTSUPP),
             "a flush that is offered is processed", [&] { return shown(response); });
    s.expect(!s.frontend().take().has_value(), "a flush is answered once");
    s.expect(read_works(s), "a read after a flush works");
}

void unmaps_before_response(Stage& s) {
    if (!s.connect_frontend()) return;
    RawFrontend& f = s.frontend();
    // The moment between the two is short: many tries.
    for (const bool writes : {false, true})
        for (const unsigned n : {1u, 8u, 1u, 9u, 2u, 88u, 1u, 8u}) {
            auto t = writes ? f.write(10, sector_pattern(900, n)) : f.read(10, n);
            f.put(t.request);
            f.push_and_notify();
            for (int patience = 0; patience < 400 && f.ring().load(blk::RawRing::Word::rsp_prod) == f.taken();
                 ++patience)
                s.step_aside();
            if (f.ring().load(blk::RawRing::Word::rsp_prod) == f.taken()) {
                // A backend that fell asleep over it breaks another clause.
                f.notify();
                s.settle();
            }
            if (!s.expect(is_okay(f.take()), "a transfer is answered OKAY", [n] { return sectors(n); })) return;
            for (auto& p : t.pages)
                s.expect(f.end(p), "no page is mapped any more when the response is there", [n] { return sectors(n); });
        }
}

void read_returns_data(Stage& s) {
    if (!s.connect_frontend()) return;
    for (const unsigned n : kSizes) {
        const auto t = s.frontend().read(100, n);
        const auto response = send(s, t.request);
        s.expect(is_okay(response), "a read is answered OKAY", [&] { return sectors(n) + " " + shown(response); });
        s.expect(s.frontend().data(t) == sector_pattern(100, n), "a read brings the sectors' data",
                 [n] { return sectors(n); });
        const std::size_t used = n % 8 * kSector;
        const auto last = s.frontend().bytes(t.pages.back());
        s.expect(used == 0 || std::equal(last.begin() + used, last.end(), untouched_page().begin()),
                 "a read changes no byte outside its segments", [n] { return sectors(n); });
    }
}

void write_reaches_disk(Stage& s) {
    if (!s.connect_frontend()) return;
    for (const unsigned n : kSizes) {
        const auto data = sector_pattern(5000, n);
        const auto t = s.frontend().write(100, data);
        const auto response = send(s, t.request);
        s.expect(is_okay(response), "a write is answered OKAY", [&] { return sectors(n) + " " + shown(response); });
        s.expect(s.on_disk(100, n) == data, "a write's data goes to its sectors", [n] { return sectors(n); });
        s.expect(s.disk_untouched(100, 88), "a write changes no other sector", [n] { return sectors(n); });
        const auto back = s.frontend().read(100, n);
        s.expect(is_okay(send(s, back.request)) && s.frontend().data(back) == data, "a read gives it back",
                 [n] { return sectors(n); });
    }
}

void flush_makes_durable(Stage& s) {
    if (!s.connect_frontend()) return;
    if (!offers(s, "feature-flush-cache")) return s.skip("the backend offers no flushes");
    for (unsigned i = 0; i < 4; ++i) {
        const auto t = s.frontend().write(100 + i, sector_pattern(5000 + i));
        if (!s.expect(is_okay(send(s, t.request)), "a write is answered OKAY")) return;
    }
    if (!s.expect(is_okay(send(s, bare(BLKIF_OP_FLUSH_DISKCACHE))), "a flush is answered OKAY")) return;
    s.power_cut();
    s.expect(s.on_disk(100, 4) == sector_pattern(5000, 4), "what was written before a flush outlives a power cut");
}

void refuses_unknown_operation(Stage& s) {
    if (!s.connect_frontend()) return;
    std::vector<std::uint8_t> unknown = {4, 7, 200};
    if (!offers(s, "feature-barrier")) unknown.push_back(BLKIF_OP_WRITE_BARRIER);
    if (!offers(s, "feature-discard")) unknown.push_back(BLKIF_OP_DISCARD);
    if (!offers(s, "feature-max-indirect-segments")) unknown.push_back(BLKIF_OP_INDIRECT);
    for (const std::uint8_t operation : unknown) {
        auto t = s.frontend().write(100, sector_pattern(900));
        t.request.operation = operation;
        refused(s, t.request, "operation " + std::to_string(operation));
    }
    s.expect(s.disk_untouched(), "an operation that is refused changes nothing");
}

void offers_what_it_serves(Stage& s) {
    if (!s.connect_frontend()) return;
    const std::pair<const char*, std::uint8_t> features[] = {{"feature-barrier", BLKIF_OP_WRITE_BARRIER},
                                                             {"feature-discard", BLKIF_OP_DISCARD},
                                                             {"feature-max-indirect-segments", BLKIF_OP_INDIRECT}};
    for (const auto& [feature, operation] : features) {
        const auto response = send(s, bare(operation));
        const bool known = response && response->status != BLKIF_RSP_EOPNOTSUPP;
        s.expect(known || !offers(s, feature), "an operation that is offered is known",
                 [&] { return std::string(feature) + " is offered: " + shown(response); });
    }
}

void refuses_segment_count(Stage& s) {
    if (!s.connect_frontend()) return;
    for (const bool writes : {false, true})
        for (const std::uint8_t n : {std::uint8_t{0}, std::uint8_t{12}, std::uint8_t{255}}) {
            auto t = writes ? s.frontend().write(100, sector_pattern(900, 88)) : s.frontend().read(100, 88);
            t.request.nr_segments = n;
            const std::string what =
                std::string(writes ? "a write" : "a read") + " of " + std::to_string(n) + " segments";
            refused(s, t.request, what);
            if (!writes) pages_untouched(s, t, what);
        }
    s.expect(s.disk_untouched(), "a write that is refused changes no sector");
}

/// A request and, in the same push, a good one.
void bad_grant(Stage& s, const RawFrontend::Transfer& bad, const char* what) {
    RawFrontend& f = s.frontend();
    const std::size_t maps = s.maps();
    const auto good = f.read(55, 1);
    f.put(bad.request);
    f.put(good.request);
    f.push_and_notify();
    s.settle();
    const auto responses = f.take_all();
    const auto of = [&](std::uint64_t id) {
        return std::ranges::count_if(responses, [id](const auto& r) { return r.id == id; });
    };
    s.expect(responses.size() == 2 && of(bad.request.id) == 1 && of(good.request.id) == 1,
             "a request with a bad grant is answered once, and so is the one behind it", [&] { return what; });
    for (const auto& r : responses)
        s.expect(r.id == bad.request.id ? r.status == BLKIF_RSP_ERROR : r.status == BLKIF_RSP_OKAY,
                 "a gref that grants nothing fails its request and nothing else",
                 [&] { return std::string(what) + ": " + shown(r); });
    s.expect(f.data(good) == sector_pattern(55), "a good request in the same push is served", [&] { return what; });
    s.expect(s.maps() == maps, "a request that failed leaves no page mapped", [&] { return what; });
}

void survives_bad_grant(Stage& s) {
    if (!s.connect_frontend()) return;
    RawFrontend& f = s.frontend();
    auto never_granted = f.read(100, 16);
    never_granted.request.seg[1].gref = 480;
    bad_grant(s, never_granted, "a gref that was never granted");
    auto read_only = f.read(100, 8);
    const auto page = f.page(Access::read_only);
    read_only.request.seg[0].gref = page.grant.ref().value;
    bad_grant(s, read_only, "a read into a page that is granted read-only");
    auto beyond_table = f.write(100, sector_pattern(900));
    beyond_table.request.seg[0].gref = 0xfffffff0;
    bad_grant(s, beyond_table, "a write from a gref beyond the table");
    s.expect(s.disk_untouched(), "a write with a bad grant changes no sector");
}

void segments_are_inclusive(Stage& s) {
    if (!s.connect_frontend()) return;
    RawFrontend& f = s.frontend();
    constexpr std::pair<std::uint8_t, std::uint8_t> kParts[] = {{0, 0}, {7, 7}, {2, 5}, {0, 7}};
    constexpr unsigned kTotal = 1 + 1 + 4 + 8;
    const auto cut = [&](RawFrontend::Transfer t) {
        for (unsigned i = 0; i < 4; ++i) std::tie(t.request.seg[i].first_sect, t.request.seg[i].last_sect) = kParts[i];
        return t;
    };
    const auto read = cut(f.read(100, 32));
    s.expect(is_okay(send(s, read.request)) && f.data(read) == sector_pattern(100, kTotal),
             "each segment of a read is last - first + 1 sectors");
    for (unsigned i = 0; i < 4; ++i) {
        auto page = f.bytes(read.pages[i]);
        std::fill(page.begin() + kParts[i].first * kSector, page.begin() + (kParts[i].second + 1) * kSector,
                  std::byte{0xee});
        s.expect(page == untouched_page(), "a read changes no byte outside its segments");
    }
    const auto write = cut(f.write(200, sector_pattern(5000, 32)));
    s.expect(is_okay(send(s, write.request)) && s.on_disk(200, kTotal) == f.data(write),
             "each segment of a write is last - first + 1 sectors");
    s.expect(s.disk_untouched(200, kTotal), "a write changes no other sector");
}

void refuses_segment_range(Stage& s) {
    if (!s.connect_frontend()) return;
    constexpr std::pair<std::uint8_t, std::uint8_t> kBad[] = {{5, 4}, {0, 8}, {8, 8}, {0, 255}};
    for (const bool writes : {false, true})
        for (const auto& [first, last] : kBad)
            for (const unsigned at : {0u, 1u}) {
                auto t = writes ? s.frontend().write(100, sector_pattern(900, 8 * (at + 1)))
                                : s.frontend().read(100, 8 * (at + 1));
                t.request.seg[at].first_sect = first;
                t.request.seg[at].last_sect = last;
                const std::string what = "a segment from " + std::to_string(first) + " to " + std::to_string(last);
                refused(s, t.request, what);
                if (!writes) pages_untouched(s, t, what);
            }
    s.expect(s.disk_untouched(), "a write that is refused changes no sector");
}

void echoes_request(Stage& s) {
    if (!s.connect_frontend()) return;
    RawFrontend& f = s.frontend();
    std::vector<RawFrontend::Transfer> sent;
    for (unsigned i = 0; i < blk::RawRing::kSize; ++i) {
        auto t = i % 3 == 0 ? f.write(100 + i, sector_pattern(900)) : f.read(100 + i, 1);
        if (i % 4 == 1) t.request.sector_number = Stage::kSectors;
        if (i % 8 == 2) t.request.operation = 200;
        t.request.id = i == 0 ? 0 : i == 1 ? ~0ull : i == 9 ? 10 : i * 0x0101010101010101ull;
        if (i == 10) t.request.id = 10;
        f.put(t.request);
        sent.push_back(std::move(t));
    }
    f.push_and_notify();
    s.settle();
    const auto responses = f.take_all();
    s.expect(responses.size() == sent.size(), "each request has one response",
             [&] { return number("the number of responses", static_cast<std::int64_t>(responses.size())); });
    for (const auto& r : responses) {
        const auto own = std::ranges::find_if(
            sent, [&](const auto& t) { return t.request.id == r.id && t.request.operation == r.operation; });
        if (!s.expect(own != sent.end(), "id and operation of a response are copied from a request",
                      [&] { return shown(r); }))
            return;
        sent.erase(own);
    }
}

void refuses_beyond_end(Stage& s) {
    if (!s.connect_frontend()) return;
    constexpr std::uint64_t kEnd = Stage::kSectors;
    for (const bool writes : {false, true})
        for (const std::uint64_t sector : {kEnd, kEnd - 1, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
            const auto t = writes ? s.frontend().write(sector, sector_pattern(900, 2)) : s.frontend().read(sector, 2);
            const std::string what = "two sectors from " + std::to_string(sector);
            refused(s, t.request, what);
            if (!writes) pages_untouched(s, t, what);
        }
    s.expect(s.disk_untouched(), "a write beyond the end changes no sector");
    s.expect(read_works(s, kEnd - 1), "the last sector can be read");
}

}  // namespace

const std::vector<Clause>& blkif_backend_request_clauses() {
    constexpr Role backend = Role::backend;
    static const std::vector<Clause> all = {
        {"blkif.read-only-disk-refuses-writes",
         65,
         backend,
         "mode: \"r\" lets the frontend read, \"w\" also write.",
         {read_only_refuses_writes},
         {.disks = {{.read_only = true}}}},
        {"blkif.backend-serves-offered-flush",
         130,
         backend,
         "feature-flush-cache says that flushes can be processed.",
         {serves_offered_flush}},
        {"blkif.backend-unmaps-before-response",
         160,
         backend,
         "Keeps no grant mapped for a frontend that does not support it.",
         {unmaps_before_response},
         {.seeds = 16}},
        {"blkif.read-returns-data",
         540,
         backend,
         "READ: the sectors' data comes into the frontend's pages.",
         {read_returns_data}},
        {"blkif.write-reaches-disk",
         541,
         backend,
         "WRITE: the frontend's data goes to the sectors.",
         {write_reaches_disk}},
        {"blkif.flush-makes-writes-durable",
         552,
         backend,
         "FLUSH_DISKCACHE: what the volatile cache holds is made stable.",
         {flush_makes_durable},
         {.seeds = 3}},
        {"blkif.backend-refuses-unknown-operation",
         639,
         backend,
         "An operation that it does not know is refused.",
         {refuses_unknown_operation},
         {.disks = {{}, {.discard_granularity = 0}}}},
        {"blkif.backend-offers-what-it-serves",
         604,
         backend,
         "Who does not know INDIRECT does not offer it.",
         {offers_what_it_serves},
         {.disks = {{}, {.discard_granularity = 0}}}},
        {"blkif.backend-refuses-segment-count",
         609,
         backend,
         "A request has at most 11 segments.",
         {refuses_segment_count}},
        {"blkif.backend-survives-bad-grant",
         629,
         backend,
         "A gref that grants nothing fails its request and nothing else.",
         {survives_bad_grant}},
        {"blkif.segments-are-inclusive",
         630,
         backend,
         "first_sect and last_sect both belong to the segment.",
         {segments_are_inclusive}},
        {"blkif.backend-refuses-segment-range",
         630,
         backend,
         "Both lie inside the page, in order.",
         {refuses_segment_range}},
        {"blkif.response-echoes-request",
         678,
         backend,
         "id and operation are copied from the request; each request has one response.",
         {echoes_request},
         {.seeds = 2}},
        {"blkif.backend-refuses-beyond-end",
         643,
         backend,
         "sector_number beyond the end is refused.",
         {refuses_beyond_end}},
    };
    return all;
}

}  // namespace xenrig::conformance
