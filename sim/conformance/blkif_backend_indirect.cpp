// blkif.h's clauses on a backend's indirect requests, whose segments lie in pages of their own.
#include <cstring>

#include "sim/conformance/blkif_clauses.h"
#include "sim/conformance/moves.h"

namespace xenrig::conformance {

namespace {

using blk::as_request;
using blk::RawFrontend;
using blk::sector_pattern;
using Indirect = RawFrontend::Indirect;

constexpr unsigned kPerPage = 8;

unsigned limit(Stage& s) { return static_cast<unsigned>(offered(s, "feature-max-indirect-segments")); }

bool ready(Stage& s) {
    if (!s.connect_frontend()) return false;
    if (limit(s) == 0) s.skip("the backend offers no indirect segments");
    return limit(s) != 0;
}

std::string pages_of(unsigned n) { return "of " + std::to_string(n) + " segments"; }

/// Every page holds other sectors' patterns.
void fill(Stage& s, const Indirect& t) {
    for (std::size_t i = 0; i < t.pages.size(); ++i)
        s.frontend().fill(t.pages[i], sector_pattern(5000 + i * kPerPage, kPerPage));
}

/// One, more than a plain request has, and as many as are offered or as the disk has pages.
void moves_data(Stage& s, std::uint8_t operation) {
    if (!ready(s)) return;
    const unsigned most = std::min(limit(s), static_cast<unsigned>(Stage::kSectors / kPerPage));
    for (const unsigned n : {1u, 12u, most}) {
        if (n > most) continue;
        const std::uint64_t sector = n == most ? 0 : 64;
        auto t = s.frontend().indirect(operation, sector, n);
        if (operation == BLKIF_OP_WRITE) fill(s, t);
        const auto r = send(s, as_request(t.request));
        if (!s.expect(is_okay(r) && r->id == t.request.id, "an indirect request within the limit is done",
                      [&] { return pages_of(n) + ", " + shown(r); }))
            return;
        if (operation == BLKIF_OP_WRITE) {
            s.expect(s.on_disk(sector, n * kPerPage) == sector_pattern(5000, n * kPerPage),
                     "an indirect write's pages go to its sectors", [n] { return pages_of(n); });
            if (n == 12) s.expect(s.disk_untouched(64, 96), "an indirect write changes no other sector");
        } else {
            for (unsigned i = 0; i < n; ++i)
                s.expect(s.frontend().bytes(t.pages[i]) == sector_pattern(sector + i * kPerPage, kPerPage),
                         "an indirect read brings each page its sectors", [n] { return pages_of(n); });
        }
        s.expect(s.maps() == 1, "no page of an indirect request stays mapped", [n] { return pages_of(n); });
    }
}

void reads(Stage& s) { moves_data(s, BLKIF_OP_READ); }
void writes(Stage& s) { moves_data(s, BLKIF_OP_WRITE); }

/// A write that would change the disk, after `change`.
void bad(Stage& s, const std::string& what, const std::function<void(Indirect&)>& change) {
    auto t = s.frontend().indirect(BLKIF_OP_WRITE, 0, 12);
    fill(s, t);
    change(t);
    refused(s, as_request(t.request), what);
    s.expect(s.disk_untouched(), "an indirect write that is refused changes no sector", [&] { return what; });
    s.expect(s.maps() == 1, "an indirect request that is refused leaves no page mapped", [&] { return what; });
}

void refuses_count(Stage& s) {
    if (!ready(s)) return;
    for (const unsigned n : {0u, limit(s) + 1, 0xffffu})
        bad(s, "an indirect write " + pages_of(n),
            [n](Indirect& t) { t.request.nr_segments = static_cast<std::uint16_t>(n); });
}

void refuses_operation(Stage& s) {
    if (!ready(s)) return;
    constexpr std::uint8_t kOthers[] = {BLKIF_OP_WRITE_BARRIER, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_OP_RESERVED_1,
                                        BLKIF_OP_DISCARD,       BLKIF_OP_INDIRECT,        200};
    for (const std::uint8_t inside : kOthers)
        bad(s, "an indirect request with operation " + std::to_string(inside) + " inside",
            [inside](Indirect& t) { t.request.indirect_op = inside; });
}

void change_segment(Stage& s, const Indirect& t, unsigned index, blkif_request_segment segment) {
    if (segment.gref == 0) segment.gref = t.pages[index].grant.ref().value;
    s.frontend().fill(t.tables[0], std::as_bytes(std::span(&segment, 1)), index * sizeof segment);
}

void refuses_range(Stage& s) {
    if (!ready(s)) return;
    for (const auto& [first, last] : {std::pair<std::uint8_t, std::uint8_t>{5, 4}, {0, 8}, {8, 8}, {0, 255}})
        for (const unsigned at : {0u, 11u})
            bad(s, "a listed segment from " + std::to_string(first) + " to " + std::to_string(last),
                [&](Indirect& t) { change_segment(s, t, at, {.gref = 0, .first_sect = first, .last_sect = last}); });
}

void refuses_beyond_end(Stage& s) {
    if (!ready(s)) return;
    constexpr std::uint64_t kEnd = Stage::kSectors, kLast = ~std::uint64_t{0};
    for (const std::uint64_t sector : {kEnd - 95, kEnd, kLast, kLast - 94, std::uint64_t{1} << 63})
        bad(s, "an indirect write of 96 sectors from " + std::to_string(sector),
            [sector](Indirect& t) { t.request.sector_number = sector; });
}

void survives_bad_page(Stage& s) {
    if (!ready(s)) return;
    bad(s, "a list in a page that is granted to nobody", [](Indirect& t) { t.request.indirect_grefs[0] = 480; });
    bad(s, "a list in a page beyond the grant table", [](Indirect& t) { t.request.indirect_grefs[0] = 0xfffffff0; });
    for (const unsigned at : {0u, 11u})
        bad(s, "a listed segment that is granted to nobody",
            [&](Indirect& t) { change_segment(s, t, at, {.gref = 480, .first_sect = 0, .last_sect = 7}); });
}

/// After the backend has read the list, each of its segments is another.
void copies_list(Stage& s) {
    if (!ready(s)) return;
    RawFrontend& f = s.frontend();
    auto t = f.indirect(BLKIF_OP_WRITE, 64, 12);
    fill(s, t);
    std::vector<blkif_request_segment> others(12);
    for (auto& segment : others) segment = {.gref = t.pages[3].grant.ref().value, .first_sect = 0, .last_sect = 255};
    const auto bytes = std::as_bytes(std::span(others));
    std::optional<blkif_response_t> r;
    {
        const auto rewriter = s.rewrite_after_read(f.platform().memory().window(t.tables[0].frame->gfn()), 0,
                                                   {bytes.begin(), bytes.end()});
        r = send(s, as_request(t.request));
        if (!s.expect(rewriter->reads() != 0, "a list of segments is read")) return;
    }
    s.expect(is_okay(r) && s.on_disk(64, 96) == sector_pattern(5000, 96),
             "a list of segments counts as it was when it was read first", [&] { return shown(r); });
    s.expect(s.disk_untouched(64, 96), "a list that changes meanwhile changes nothing else");
}

}  // namespace

const std::vector<Clause>& blkif_backend_indirect_clauses() {
    constexpr Role backend = Role::backend;
    static const std::vector<Clause> all = {
        {"blkif.backend-reads-indirect",
         585,
         backend,
         "INDIRECT: the segments of a read are listed in further pages.",
         {reads}},
        {"blkif.backend-writes-indirect",
         585,
         backend,
         "INDIRECT: the segments of a write are listed in further pages.",
         {writes}},
        {"blkif.backend-refuses-indirect-count",
         590,
         backend,
         "An indirect request has no more segments than the backend offers.",
         {refuses_count}},
        {"blkif.backend-refuses-indirect-operation",
         665,
         backend,
         "Inside an indirect request stands READ or WRITE.",
         {refuses_operation}},
        {"blkif.backend-refuses-indirect-range",
         595,
         backend,
         "A segment that is listed keeps the rules of every segment.",
         {refuses_range}},
        {"blkif.backend-refuses-indirect-beyond-end",
         668,
         backend,
         "An indirect request beyond the end is refused.",
         {refuses_beyond_end}},
        {"blkif.backend-survives-bad-indirect-page",
         593,
         backend,
         "indirect_grefs are pages that list segments; what grants nothing fails the request alone.",
         {survives_bad_page}},
        {"blkif.backend-copies-indirect-list",
         595,
         backend,
         "A list of segments is copied once, and only the copy is worked on.",
         {copies_list}},
    };
    return all;
}

}  // namespace xenrig::conformance
