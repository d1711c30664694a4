// blkif.h's clauses on a backend's optional operations: barriers and discards.
#include "sim/conformance/blkif_clauses.h"
#include "sim/conformance/moves.h"

namespace xenrig::conformance {

namespace {

using blk::discard_request;
using blk::RawFrontend;
using blk::sector_pattern;

constexpr char kNoBarriers[] = "the backend offers no barriers";
constexpr char kNoDiscards[] = "the backend offers no discards";

blkif_request_t as_barrier(blkif_request_t write) {
    write.operation = BLKIF_OP_WRITE_BARRIER;
    return write;
}

/// Before, barrier and behind in one push; the disk completes in any order.
void barrier_orders_writes(Stage& s) {
    if (!s.connect_frontend()) return;
    if (!offers(s, "feature-barrier")) return s.skip(kNoBarriers);
    RawFrontend& f = s.frontend();
    const auto before = f.write(100, sector_pattern(900));
    auto barrier = f.write(200, sector_pattern(901));
    barrier.request = as_barrier(barrier.request);
    const auto behind = f.write(100, sector_pattern(902));
    for (const auto& request : {before.request, barrier.request, behind.request}) f.put(request);
    f.push_and_notify();
    s.settle();
    const auto responses = f.take_all();
    if (!s.expect(responses.size() == 3, "each write and the barrier between are answered")) return;
    for (const auto& r : responses)
        if (r.status != BLKIF_RSP_OKAY)
            return (void)s.expect(r.id == barrier.request.id && r.status == BLKIF_RSP_EOPNOTSUPP,
                                  "a barrier that is offered is done, or answered EOPNOTSUPP",
                                  [&] { return shown(r); });
    s.expect(responses[1].id == barrier.request.id, "a barrier is answered after the writes before it alone");
    s.expect(s.on_disk(100) == sector_pattern(902), "what was written after a barrier comes after it");
    s.expect(s.on_disk(200) == sector_pattern(901), "a barrier writes its data");
    s.expect(read_works(s), "a read after a barrier works");
}

void barrier_makes_durable(Stage& s, bool with_data) {
    if (!s.connect_frontend()) return;
    if (!offers(s, "feature-barrier")) return s.skip(kNoBarriers);
    const auto write = s.frontend().write(100, sector_pattern(900));
    if (!s.expect(is_okay(send(s, write.request)), "a write is answered OKAY")) return;
    auto barrier = s.frontend().write(200, sector_pattern(901));
    if (!with_data) barrier.request.nr_segments = 0;
    const auto response = send(s, as_barrier(barrier.request));
    if (response && response->status == BLKIF_RSP_EOPNOTSUPP) return s.skip("barriers are offered and not done");
    if (!s.expect(is_okay(response), "a barrier is answered OKAY", [&] { return shown(response); })) return;
    s.power_cut();
    s.expect(s.on_disk(100) == sector_pattern(900), "what was written before a barrier outlives a power cut");
    if (with_data) s.expect(s.on_disk(200) == sector_pattern(901), "a barrier's own data outlives a power cut");
}

void barrier_with_data(Stage& s) { barrier_makes_durable(s, true); }
void barrier_without_data(Stage& s) { barrier_makes_durable(s, false); }

void discards_its_range(Stage& s) {
    if (!s.connect_frontend()) return;
    if (!offers(s, "feature-discard")) return s.skip(kNoDiscards);
    for (const auto& [sector, sectors] : {std::pair{10u, 20u}, {40u, 1u}, {2047u, 1u}, {50u, 0u}}) {
        const auto request = discard_request(sector, sectors);
        const auto r = send(s, request);
        s.expect(r && r->id == request.id && r->operation == BLKIF_OP_DISCARD &&
                     (r->status == BLKIF_RSP_OKAY || r->status == BLKIF_RSP_EOPNOTSUPP || sectors == 0),
                 "a discard that is offered is processed", [&] { return shown(r); });
        s.expect(!s.frontend().take().has_value(), "a discard is answered once");
    }
    s.expect(s.on_disk(0, 10) == sector_pattern(0, 10) && s.on_disk(30, 10) == sector_pattern(30, 10) &&
                 s.on_disk(41, 2006) == sector_pattern(41, 2006),
             "a discard changes no sector outside its range");
    s.expect(read_works(s), "a read after a discard works");
}

void refuses_discard_beyond_end(Stage& s) {
    if (!s.connect_frontend()) return;
    if (!offers(s, "feature-discard")) return s.skip(kNoDiscards);
    constexpr std::uint64_t kEnd = Stage::kSectors;
    for (const auto& [sector, sectors] : {std::pair<std::uint64_t, std::uint64_t>{kEnd, 1},
                                          {0, kEnd + 1},
                                          {kEnd - 1, 2},
                                          {10, ~0ull},
                                          {10, ~0ull - 9},
                                          {1ull << 63, 1ull << 63},
                                          {10, 1ull << 55},
                                          {~0ull, 1}})
        refused(s, discard_request(sector, sectors),
                "a discard of " + std::to_string(sectors) + " sectors from " + std::to_string(sector));
    s.expect(s.disk_untouched(), "a discard that is refused changes no sector");
}

/// The flag is ignored where the backend can't.
void secure_discard(Stage& s) {
    if (!s.connect_frontend()) return;
    if (!offers(s, "feature-discard")) return s.skip(kNoDiscards);
    const bool can = offers(s, "discard-secure");
    s.expect(!can || s.disk_shape().secure_discard, "discard-secure is offered where the disk can");
    const auto plain = send(s, discard_request(10, 4));
    s.expect(is_okay(plain) && s.secure_discards() == 0, "a discard without the flag asks for nothing more");
    const auto r = send(s, discard_request(20, 4, true));
    s.expect(is_okay(r), "a discard with the flag is done", [&] { return shown(r); });
    s.expect(s.secure_discards() == (can ? 1u : 0u),
             can ? "what is discarded securely can't be recovered" : "the flag is ignored without discard-secure");
    s.expect(s.on_disk(0, 10) == sector_pattern(0, 10) && s.on_disk(24, 9) == sector_pattern(24, 9),
             "a secure discard changes no sector outside its range");
}

void honours_discard_enable(Stage& s) {
    s.as_toolstack([&](Store& store) {
        const std::string path = "backend/vbd/" + std::to_string(s.guest().value) + "/51712/";
        (void)store.write(StoreTx::none, path + "discard-enable", "0");
    });
    if (!s.connect_frontend()) return;
    s.expect(!offers(s, "feature-discard"), "no discard is offered that the toolstack forbids");
    refused(s, discard_request(10, 4), "a discard that was not offered");
    s.expect(s.disk_untouched(), "a discard that was not offered changes nothing");
}

void tells_discard_extents(Stage& s) {
    if (!s.connect_frontend()) return;
    if (!offers(s, "feature-discard")) return s.skip(kNoDiscards);
    const bool both = s.frontend().backend_node("discard-granularity").has_value() &&
                      s.frontend().backend_node("discard-alignment").has_value();
    s.expect(both, "who discards tells granularity and alignment");
    s.expect(offered(s, "discard-granularity") == s.disk_shape().discard_granularity,
             "discard-granularity is the size of the disk's extents, in bytes",
             [&] { return number("it", static_cast<std::int64_t>(offered(s, "discard-granularity"))); });
}

}  // namespace

const std::vector<Clause>& blkif_backend_feature_clauses() {
    constexpr Role backend = Role::backend;
    static const std::vector<Clause> all = {
        {"blkif.backend-honours-discard-enable",
         199,
         backend,
         "discard-enable: the toolstack says whether discard is offered.",
         {honours_discard_enable}},
        {"blkif.backend-tells-discard-extents",
         388,
         backend,
         "Who discards writes discard-granularity and discard-alignment.",
         {tells_discard_extents},
         {.disks = {{}, {.discard_granularity = 4096}}}},
        {"blkif.barrier-orders-writes",
         545,
         backend,
         "WRITE_BARRIER: earlier writes are done before, later ones after.",
         {barrier_orders_writes},
         {.seeds = 12}},
        {"blkif.barrier-makes-writes-durable",
         545,
         backend,
         "WRITE_BARRIER: what was written before, and its own data, is on the disk when it is answered.",
         {barrier_with_data, barrier_without_data},
         {.seeds = 2}},
        {"blkif.discard-covers-its-range",
         564,
         backend,
         "DISCARD: a region is no longer in use, and no other.",
         {discards_its_range}},
        {"blkif.backend-refuses-discard-beyond-end",
         658,
         backend,
         "A discard's sectors lie on the disk.",
         {refuses_discard_beyond_end}},
        {"blkif.secure-discard-is-secure",
         566,
         backend,
         "DISCARD with SECURE: unrecoverable, where that is offered.",
         {secure_discard},
         {.disks = {{}, {.secure_discard = false}}}},
    };
    return all;
}

}  // namespace xenrig::conformance
