// blkif.h's clauses on a frontend's use of optional operations: flushes by barrier, discards, indirect segments.
#include <algorithm>
#include <set>

#include "sim/conformance/blkif_clauses.h"
#include "sim/conformance/moves.h"

namespace xenrig::conformance {

namespace {

using blk::RawBackend;
using blk::sector_pattern;

constexpr char kSegments[] = "feature-max-indirect-segments";

/// With barriers alone, which also flush, a flush is a barrier or nothing.
void flushes_by_barrier(Stage& s) {
    if (!s.connect_backend({{"feature-barrier", "1"}})) return;
    const auto flush = s.flush();
    const auto requests = serve(s, flush);
    for (const auto& r : requests) {
        s.expect(r.operation == BLKIF_OP_WRITE_BARRIER, "no flush is sent that was not offered",
                 [&] { return number("the operation", r.operation); });
        s.expect(r.nr_segments == 0, "a flush has no segments");
    }
    s.expect(flush->over && flush->well() == !requests.empty(), "a flush is done when something was sent for it");
    s.expect(user_read_works(s), "a read works");
}

void survives_unsupported_barrier(Stage& s) {
    if (!s.connect_backend({{"feature-barrier", "1"}})) return;
    const auto flush = s.flush();
    s.settle();
    const auto request = s.backend().take();
    if (!request) return s.skip("the frontend uses no barriers");
    s.backend().answer(*request, BLKIF_RSP_EOPNOTSUPP);
    s.backend().push_and_notify();
    s.backend().ask_for_event();
    s.settle();
    s.expect(flush->failed(), "a barrier that is answered EOPNOTSUPP is no success");
    s.expect(user_read_works(s), "reads go on after a barrier that was not supported");
}

const Nodes& discard_features() {
    static const Nodes all = {
        {"feature-discard", "1"}, {"discard-granularity", "512"}, {"discard-alignment", "0"}, {"discard-secure", "1"}};
    return all;
}

/// The one request of a discard; nothing, and a skip, when the subject makes none.
std::optional<blkif_request_discard_t> the_discard(Stage& s, const UserCallPtr& call) {
    s.settle();
    const auto requests = s.backend().take_all();
    if (requests.empty() && call->failed()) {
        s.skip("the frontend makes no discards");
        return {};
    }
    if (!s.expect(requests.size() == 1 && requests[0].operation == BLKIF_OP_DISCARD, "a discard is one request"))
        return {};
    return blk::as_discard(requests[0]);
}

void answer(Stage& s, const blkif_request_discard_t& discard, std::int16_t status) {
    s.backend().answer(blk::as_request(discard), status);
    s.backend().push_and_notify();
    s.backend().ask_for_event();
    s.settle();
}

void discards(Stage& s) {
    if (!s.connect_backend(discard_features())) return;
    for (const bool secure : {false, true}) {
        const auto call = s.discard(10, 20, secure);
        const auto request = the_discard(s, call);
        if (!request) return;
        s.expect(request->sector_number == 10 && request->nr_sectors == 20, "a discard covers what its user said");
        s.expect(request->flag == (secure ? BLKIF_DISCARD_SECURE : 0), "the flag is SECURE or nothing",
                 [&] { return number("the flag", request->flag); });
        s.expect(!call->over, "a user hears of a discard after its response");
        answer(s, *request, BLKIF_RSP_OKAY);
        s.expect(call->well(), "a discard that was answered OKAY is done");
    }
    const auto beyond = s.discard(Stage::kSectors - 1, 2);
    for (const auto& r : serve(s, beyond))
        s.expect(blk::as_discard(r).sector_number + blk::as_discard(r).nr_sectors <= Stage::kSectors,
                 "no discard goes beyond the disk's end");
    s.expect(user_read_works(s), "a read after a discard works");
}

void survives_unsupported_discard(Stage& s) {
    if (!s.connect_backend(discard_features())) return;
    const auto call = s.discard(10, 20);
    const auto request = the_discard(s, call);
    if (!request) return;
    answer(s, *request, BLKIF_RSP_EOPNOTSUPP);
    s.expect(call->failed(), "a discard that is answered EOPNOTSUPP is no success");
    s.expect(user_read_works(s), "reads go on after a discard that was not supported");
}

/// A backend that would ignore the flag must not be trusted with it.
void secure_only_where_offered(Stage& s) {
    Nodes features = discard_features();
    features.erase("discard-secure");
    if (!s.connect_backend(features)) return;
    const auto call = s.discard(10, 20, true);
    const auto requests = serve(s, call);
    s.expect(!call->well(), "a secure discard that the backend doesn't offer is no success");
    for (const auto& r : requests)
        s.expect((blk::as_discard(r).flag & BLKIF_DISCARD_SECURE) == 0, "SECURE is sent where it is offered alone");
}

/// Reads and writes of many pages with a backend that takes `limit` segments at once.
void within(Stage& s, unsigned limit) {
    if (!s.connect_backend({{kSegments, std::to_string(limit)}})) return;
    for (const bool writes : {false, true})
        for (const unsigned pages : {1u, 12u, 40u}) {
            const unsigned n = pages * 8;
            const auto data = sector_pattern(writes ? 5000 : 100, n);
            const auto call = writes ? s.write(100, data) : s.read(100, n);
            std::uint64_t covered = 0;
            while (!call->over) {
                s.settle();
                const auto requests = s.backend().take_all();
                if (requests.empty()) break;
                for (const auto& r : requests) {
                    const bool indirect = r.operation == BLKIF_OP_INDIRECT;
                    const unsigned count = indirect ? blk::as_indirect(r).nr_segments : r.nr_segments;
                    const unsigned most = indirect ? limit : BLKIF_MAX_SEGMENTS_PER_REQUEST;
                    s.expect(count != 0 && count <= most, "an indirect request has no more segments than were offered",
                             [&] { return number("their number", count); });
                    s.expect(blk::operation_of(r) == (writes ? BLKIF_OP_WRITE : BLKIF_OP_READ),
                             "inside an indirect request stands READ or WRITE");
                    const auto segments = s.backend().segments(r);
                    if (!s.expect(segments.has_value(), "the pages with the segments are granted")) return;
                    for (const auto& one : *segments)
                        if (s.expect(one.first_sect <= one.last_sect && one.last_sect < 8,
                                     "a listed segment's sectors lie in order inside its page"))
                            covered += one.last_sect - one.first_sect + 1u;
                    s.backend().serve(r);
                }
                s.backend().push_and_notify();
                s.backend().ask_for_event();
                s.settle();
            }
            s.expect(covered == n, "the requests of a transfer cover its sectors",
                     [&] { return number("their number", static_cast<std::int64_t>(covered)); });
            s.expect(call->well() && call->data == data, "a transfer of many pages works",
                     [&] { return std::to_string(pages) + " pages, " + number("the limit", limit); });
        }
}

void limit_5(Stage& s) { within(s, 5); }
void limit_12(Stage& s) { within(s, 12); }
void limit_17(Stage& s) { within(s, 17); }
void limit_256(Stage& s) { within(s, 256); }

/// Some backends answer with what the request says inside, some with INDIRECT.
void takes_either_answer(Stage& s) {
    if (!s.connect_backend({{kSegments, "256"}})) return;
    for (const bool inside : {false, true}) {
        const auto call = s.read(100, 96);
        s.settle();
        for (auto r : s.backend().take_all()) {
            if (r.operation != BLKIF_OP_INDIRECT) return s.skip("the frontend makes no indirect requests");
            s.expect(s.backend().read_into(r).has_value(), "the pages of an indirect read can be written");
            if (inside) r.operation = BLKIF_OP_READ;
            s.backend().answer(r, BLKIF_RSP_OKAY);
        }
        s.backend().push_and_notify();
        s.backend().ask_for_event();
        s.settle();
        s.expect(call->well() && call->data == sector_pattern(100, 96),
                 inside ? "an answer with READ completes an indirect read" : "an answer with INDIRECT completes it");
    }
}

/// After the response the pages with the list belong to the frontend again.
void ends_list_grants(Stage& s) {
    if (!s.connect_backend({{kSegments, "256"}})) return;
    RawBackend& b = s.backend();
    const auto call = s.read(100, 96);
    s.settle();
    const auto request = b.take();
    if (!request || request->operation != BLKIF_OP_INDIRECT) return s.skip("the frontend makes no indirect requests");
    const GrantRef list{blk::as_indirect(*request).indirect_grefs[0]};
    const auto granted = [&] {
        return b.platform().grants().map(b.frontend(), std::span(&list, 1), Access::read_only).has_value();
    };
    s.expect(granted(), "the page with the segments is granted");
    b.serve(*request);
    b.push_and_notify();
    s.settle();
    s.expect(call->well(), "an indirect read completes");
    s.expect(!granted(), "the page with the segments is granted no longer than to the response");
}

}  // namespace

const std::vector<Clause>& blkif_frontend_feature_clauses() {
    constexpr Role frontend = Role::frontend;
    static const std::vector<Clause> all = {
        {"blkif.frontend-flushes-by-barrier",
         121,
         frontend,
         "feature-barrier alone: barriers may be sent, flushes not.",
         {flushes_by_barrier}},
        {"blkif.frontend-survives-unsupported-barrier",
         126,
         frontend,
         "A barrier may be answered EOPNOTSUPP at any time.",
         {survives_unsupported_barrier}},
        {"blkif.frontend-discards", 564, frontend, "DISCARD: a region is no longer in use.", {discards}},
        {"blkif.frontend-survives-unsupported-discard",
         144,
         frontend,
         "A discard may be answered EOPNOTSUPP at any time.",
         {survives_unsupported_discard}},
        {"blkif.frontend-secure-only-where-offered",
         222,
         frontend,
         "Without discard-secure a discard with the flag is not relied on.",
         {secure_only_where_offered}},
        {"blkif.frontend-indirect-within-offer",
         590,
         frontend,
         "An indirect request has no more segments than the backend offers.",
         {limit_5, limit_12, limit_17, limit_256}},
        {"blkif.frontend-takes-either-indirect-answer",
         679,
         frontend,
         "A response's operation is copied from the request, or is what an indirect one says inside.",
         {takes_either_answer}},
        {"blkif.frontend-ends-list-grants",
         593,
         frontend,
         "The pages that list segments are granted for the request.",
         {ends_list_grants}},
    };
    return all;
}

}  // namespace xenrig::conformance
