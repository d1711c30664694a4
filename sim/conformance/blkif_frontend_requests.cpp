// blkif.h's clauses on the requests that a frontend makes, and on what it believes of responses.
#include <algorithm>
#include <set>

#include "sim/conformance/blkif_clauses.h"
#include "sim/conformance/moves.h"

namespace xenrig::conformance {

namespace {

using blk::RawBackend;
using blk::sector_pattern;

constexpr unsigned kSizes[] = {1, 8, 9, 88};

std::string sectors(unsigned n) { return "with " + std::to_string(n) + " sectors"; }

void survives_unsupported_flush(Stage& s) {
    if (!s.connect_backend()) return;
    const auto flush = s.flush();
    s.settle();
    const auto request = s.backend().take();
    if (!request) {
        s.expect(flush->over && !flush->well(), "a flush that is not sent is no success");
    } else {
        s.backend().answer(*request, BLKIF_RSP_EOPNOTSUPP);
        s.backend().push_and_notify();
        s.backend().ask_for_event();
        s.settle();
        s.expect(flush->failed(), "a flush that is answered EOPNOTSUPP is no success",
                 [&] { return flush->over ? "its user hears of success" : "its user hears nothing"; });
    }
    s.expect(user_read_works(s), "reads go on after a flush that was not supported");
}

void writes_no_read_only_disk(Stage& s) {
    if (!s.connect_backend({}, usual_properties(Stage::kSectors, 4))) return;
    const auto write = s.write(3, sector_pattern(900));
    const auto requests = serve(s, write);
    s.expect(write->failed(), "a write to a disk that is read-only fails");
    s.expect(requests.empty(), "no write to a disk that is read-only is on the ring");
    s.expect(user_read_works(s), "a disk that is read-only can be read");
}

void stays_on_disk(Stage& s) {
    if (!s.connect_backend({}, usual_properties(16))) return;
    const auto connected = s.wait_connected();
    s.settle();
    s.expect(connected->disk.bytes == 8192, "the disk has sectors times sector-size bytes",
             [&] { return number("the size it tells", static_cast<std::int64_t>(connected->disk.bytes)); });
    const auto beyond = s.read(15, 2);
    for (const auto& r : serve(s, beyond))
        s.expect(r.sector_number + blk::sectors_of(r) <= 16, "no request goes beyond the disk's end");
    s.expect(beyond->failed(), "a read beyond the disk's end fails");
    s.expect(user_read_works(s, 15), "the last sector can be read");
}

void read_returns_data(Stage& s) {
    if (!s.connect_backend()) return;
    for (const unsigned n : kSizes)
        s.expect(user_read_works(s, 100, n), "a user gets what the backend put into the pages, in the segments' order",
                 [n] { return sectors(n); });
}

void write_hands_over_data(Stage& s) {
    if (!s.connect_backend()) return;
    RawBackend& b = s.backend();
    for (const unsigned n : kSizes) {
        const auto data = sector_pattern(700, n);
        const auto write = s.write(100, data);
        s.settle();
        const auto request = b.take();
        if (!s.expect(request && blk::sectors_of(*request) == n, "a write of up to 88 sectors is one request")) return;
        const auto first = b.from_pages(*request);
        s.expect(first && *first == data, "the pages hold what is to be written when the request is on the ring",
                 [n] { return sectors(n); });
        s.settle();
        const auto last = b.from_pages(*request);
        s.expect(last && *last == data, "the pages hold what is to be written until the response",
                 [n] { return sectors(n); });
        b.answer(*request, BLKIF_RSP_OKAY);
        b.push_and_notify();
        b.ask_for_event();
        s.settle();
        s.expect(write->well(), "a write that was answered OKAY is done");
    }
}

void flush_follows_writes(Stage& s) {
    if (!s.connect_backend()) return;
    const auto write = s.write(3, sector_pattern(900));
    serve(s, write);
    if (!s.expect(write->well(), "a write works")) return;
    const auto flush = s.flush();
    s.settle();
    s.expect(!flush->over, "a user hears of a flush after its response");
    const auto requests = s.backend().take_all();
    if (!s.expect(
            requests.size() == 1 && requests[0].operation == BLKIF_OP_FLUSH_DISKCACHE && requests[0].nr_segments == 0,
            "a user's flush is one flush without segments"))
        return;
    s.backend().serve(requests[0]);
    s.backend().push_and_notify();
    s.settle();
    s.expect(flush->well(), "a flush that was answered OKAY is done");
}

void splits_transfers(Stage& s) {
    if (!s.connect_backend()) return;
    for (const bool writes : {false, true})
        for (const unsigned pages : {12u, 40u}) {
            const unsigned n = pages * 8;
            const auto data = sector_pattern(writes ? 5000 : 100, n);
            const auto call = writes ? s.write(100, data) : s.read(100, n);
            std::multiset<std::uint64_t> covered;
            for (const auto& r : serve(s, call)) {
                s.expect(r.nr_segments <= 11, "a request has at most 11 segments",
                         [&] { return number("the number of segments", r.nr_segments); });
                for (unsigned i = 0; i < blk::sectors_of(r); ++i) covered.insert(r.sector_number + i);
            }
            const std::set<std::uint64_t> once(covered.begin(), covered.end());
            s.expect(once.size() == n && covered.size() == n && *once.begin() == 100 && *once.rbegin() == 99 + n,
                     "the requests of a transfer cover each of its sectors once", [n] { return sectors(n); });
            s.expect(call->well() && call->data == data, "a transfer of many requests completes as one",
                     [n] { return sectors(n); });
        }
}

void grants_for_the_request(Stage& s) {
    if (!s.connect_backend()) return;
    RawBackend& b = s.backend();
    for (const bool writes : {false, true}) {
        const auto call = writes ? s.write(3, sector_pattern(900)) : s.read(3, 1);
        s.settle();
        const auto request = b.take();
        if (!s.expect(request.has_value(), "a transfer is a request")) return;
        const GrantRef ref{request->seg[0].gref};
        const auto grants = [&](Access access) {
            return b.platform().grants().map(b.frontend(), std::span(&ref, 1), access).has_value();
        };
        s.expect(
            grants(writes ? Access::read_only : Access::read_write),
            writes ? "a page that is written from can be mapped" : "a page that is read into can be mapped writable");
        b.serve(*request);
        b.push_and_notify();
        b.ask_for_event();
        s.settle();
        s.expect(call->well(), "a transfer completes");
        s.expect(!grants(Access::read_only), "a page is granted no longer than to the response");
    }
}

void segments_make_sense(Stage& s) {
    if (!s.connect_backend()) return;
    for (unsigned first = 0; first < 8; ++first)
        for (const unsigned n : {1u, 2u, 7u, 8u, 9u, 80u}) {
            const auto call = s.read(100, n, first);
            for (const auto& r : serve(s, call))
                for (unsigned i = 0; i < r.nr_segments; ++i)
                    s.expect(r.seg[i].first_sect <= r.seg[i].last_sect && r.seg[i].last_sect < 8,
                             "a segment's sectors lie in order inside its page", [&] {
                                 return number("first_sect", r.seg[i].first_sect) + ", " +
                                        number("last_sect", r.seg[i].last_sect);
                             });
            s.expect(call->well() && call->data == sector_pattern(100, n), "a read from the middle of a page works",
                     [&] { return sectors(n) + " from place " + std::to_string(first); });
        }
}

void matches_by_id(Stage& s) {
    if (!s.connect_backend()) return;
    const std::vector<UserCallPtr> calls = {s.read(10, 1), s.read(20, 1), s.read(30, 1)};
    s.settle();
    auto requests = s.backend().take_all();
    if (!s.expect(requests.size() == 3, "three reads are three requests")) return;
    std::ranges::reverse(requests);
    for (const auto& r : requests) {
        const bool known = r.sector_number == 10 || r.sector_number == 20 || r.sector_number == 30;
        if (!s.expect(known, "a request is for the sector that its user asked for")) return;
        s.backend().serve(r);
        s.backend().push_and_notify();
        s.backend().ask_for_event();
        s.settle();
        const UserCallPtr& own = calls[r.sector_number / 10 - 1];
        if (!s.expect(own->over, "a response completes the request whose id it has, and no other")) return;
    }
    for (unsigned i = 0; i < 3; ++i)
        s.expect(calls[i]->well() && calls[i]->data == sector_pattern(10 * (i + 1)),
                 "a response belongs to the request whose id it has");
}

/// Answers the first of two reads, then something that answers nothing; the second read must not gain by it.
void answers_nothing(Stage& s, bool same_id_again) {
    if (!s.connect_backend()) return;
    RawBackend& b = s.backend();
    const auto first = s.read(10, 1), second = s.read(20, 1);
    s.settle();
    const auto requests = b.take_all();
    if (!s.expect(requests.size() == 2, "two reads are two requests")) return;
    const unsigned answered = requests[0].sector_number == 10 ? 0 : 1;
    b.serve(requests[answered]);
    auto stray = requests[answered];
    if (!same_id_again) stray.id = 0x1234567887654321;
    b.answer(stray, BLKIF_RSP_OKAY);
    b.push_and_notify();
    b.ask_for_event();
    s.settle();
    if (!s.expect(!second->well(), "no request completes by a response that is not its own")) return;
    const std::string state = b.frontend_state();
    if (state != "4")
        return (void)s.expect(state == "5" || state == "6", "a frontend that can't go on closes",
                              [&] { return "its state is " + state; });
    s.expect(first->well(), "a request completes by its own response");
    b.serve(requests[1 - answered]);
    b.push_and_notify();
    s.settle();
    s.expect(second->well() && second->data == sector_pattern(20), "a frontend that goes on goes on well");
}

void unknown_id(Stage& s) { answers_nothing(s, false); }
void one_id_twice(Stage& s) { answers_nothing(s, true); }

void reports_errors(Stage& s) {
    if (!s.connect_backend()) return;
    for (const int status : {BLKIF_RSP_ERROR, -77, 5}) {
        const auto call = s.read(10, 1);
        s.settle();
        const auto request = s.backend().take();
        if (!s.expect(request.has_value(), "a read is a request")) return;
        s.backend().answer(*request, static_cast<std::int16_t>(status));
        s.backend().push_and_notify();
        s.backend().ask_for_event();
        s.settle();
        s.expect(call->failed(), "OKAY, and nothing else, means that it was done", [&] {
            return number("the status", status) + (call->over ? " and success is told" : " and nothing is told");
        });
    }
    s.expect(user_read_works(s), "a read that is answered OKAY works");
}

}  // namespace

const std::vector<Clause>& blkif_frontend_request_clauses() {
    constexpr Role frontend = Role::frontend;
    static const std::vector<Clause> all = {
        {"blkif.frontend-survives-unsupported-flush",
         135,
         frontend,
         "A flush may be answered EOPNOTSUPP at any time.",
         {survives_unsupported_flush}},
        {"blkif.frontend-writes-no-read-only-disk",
         230,
         frontend,
         "A disk that info calls read-only gets no writes.",
         {writes_no_read_only_disk}},
        {"blkif.frontend-stays-on-disk", 254, frontend, "No request goes beyond the disk's end.", {stays_on_disk}},
        {"blkif.frontend-read-returns-data",
         540,
         frontend,
         "What the backend put into the pages is what was read.",
         {read_returns_data}},
        {"blkif.frontend-write-hands-over-data",
         541,
         frontend,
         "The pages hold what is to be written.",
         {write_hands_over_data}},
        {"blkif.frontend-flush-follows-writes",
         552,
         frontend,
         "A flush comes after the writes that were answered before.",
         {flush_follows_writes}},
        {"blkif.frontend-splits-transfers", 609, frontend, "A request has at most 11 segments.", {splits_transfers}},
        {"blkif.frontend-grants-for-the-request",
         629,
         frontend,
         "A page is granted as the request needs it, until the response.",
         {grants_for_the_request}},
        {"blkif.frontend-segments-make-sense",
         630,
         frontend,
         "first_sect and last_sect both belong to the segment, and lie inside the page.",
         {segments_make_sense}},
        {"blkif.frontend-matches-by-id",
         678,
         frontend,
         "A response belongs to the request whose id it has.",
         {matches_by_id}},
        {"blkif.frontend-ignores-unknown-id",
         678,
         frontend,
         "A response belongs to the request whose id it has.",
         {unknown_id, one_id_twice}},
        {"blkif.frontend-reports-errors",
         691,
         frontend,
         "OKAY, and nothing else, means that it was done.",
         {reports_errors}},
    };
    return all;
}

}  // namespace xenrig::conformance
