// blkif.h's clauses on grants that a backend keeps mapped.
#include "sim/conformance/blkif_clauses.h"
#include "sim/conformance/moves.h"

namespace xenrig::conformance {

namespace {

using blk::RawFrontend;
using blk::sector_pattern;

/// Two requests through the same page, which is mapped once.
void keeps_persistent_grants(Stage& s) {
    s.start_subject();
    s.settle();
    if (!offers(s, "feature-persistent")) return s.skip("the backend keeps no grants");
    RawFrontend& f = s.frontend();
    f.write("feature-persistent", "1");
    if (!s.connect_frontend()) return;
    auto t = f.read(100, 8);
    if (!s.expect(is_okay(send(s, t.request)), "a read is done")) return;
    const std::uint64_t maps = s.maps_made();
    for (unsigned i = 1; i < 5; ++i) {
        t.request.sector_number = 100 + i;
        f.fill(t.pages[0], std::vector<std::byte>(kPageSize, std::byte{0xee}));
        s.expect(is_okay(send(s, t.request)) && f.data(t) == sector_pattern(100 + i, 8),
                 "a page that stays mapped is read into again");
    }
    // Read-only would do for a write, but the next request may be a read.
    f.fill(t.pages[0], sector_pattern(5000, 8));
    t.request.operation = BLKIF_OP_WRITE;
    t.request.sector_number = 300;
    s.expect(is_okay(send(s, t.request)) && s.on_disk(300, 8) == sector_pattern(5000, 8),
             "a page that stays mapped is written from");
    s.expect(s.maps_made() == maps, "a grant that is used again is not mapped again",
             [&] { return number("the number of new mappings", static_cast<std::int64_t>(s.maps_made() - maps)); });
}

void releases_persistent_grants(Stage& s) {
    RawFrontend& f = s.frontend();
    f.write("feature-persistent", "1");
    if (!s.connect_frontend()) return;
    auto t = f.read(100, 88);
    if (!s.expect(is_okay(send(s, t.request)), "a read is done")) return;
    f.state(5);
    s.settle();
    f.state(6);
    s.settle();
    s.expect(s.maps() == 0, "a backend that closes keeps no grant mapped",
             [&] { return number("the number of mappings", static_cast<std::int64_t>(s.maps())); });
    for (auto& p : t.pages) s.expect(f.end(p), "a page belongs to its frontend again when the backend is Closed");
}

}  // namespace

const std::vector<Clause>& blkif_backend_grant_clauses() {
    constexpr Role backend = Role::backend;
    static const std::vector<Clause> all = {
        {"blkif.backend-keeps-persistent-grants",
         153,
         backend,
         "feature-persistent: grants that are used again stay mapped, writable.",
         {keeps_persistent_grants}},
        {"blkif.backend-releases-persistent-grants",
         154,
         backend,
         "feature-persistent: what stayed mapped is unmapped when the device closes.",
         {releases_persistent_grants}},
    };
    return all;
}

}  // namespace xenrig::conformance
