// Grants that stay mapped, where there are fewer places for them than pages in use.
#include "stage.h"
#include "xenrig/drivers/blk/blkback.h"
#include "xenrig/xenbus/bus.h"

namespace xenrig::blk {
namespace {

using namespace test;

constexpr std::uint32_t kPlaces = 16;

/// Our own backend, with few places.
class SmallBackend final : public conformance::BackendSubject {
public:
    SmallBackend(Platform& platform, StorageFactory storage)
        : bus_(platform, std::map<std::string, xenbus::BackendFactory>{
                             {"vbd", blkback_factory(platform, std::move(storage), {.persistent_grants = kPlaces})}}) {}
    Result<> start() override { return bus_.start(); }

private:
    xenbus::Bus bus_;
};

void play_small(const std::function<void(Stage&)>& script) {
    auto subjects = conformance::own_drivers();
    subjects.backend = [](Platform& platform, StorageFactory storage) {
        return std::make_unique<SmallBackend>(platform, std::move(storage));
    };
    conformance::Verdict verdict;
    Stage(verdict, subjects, Role::backend, {}).play(script);
    EXPECT_EQ(verdict.outcome(), conformance::Outcome::success) << verdict.text();
}

/// Reads into the page, and says how many mappings that made.
std::uint64_t maps_of(Stage& s, RawFrontend::Transfer& t) {
    const std::uint64_t before = s.maps_made();
    s.expect(conformance::is_okay(conformance::send(s, t.request)), "a read is done");
    s.expect(s.frontend().data(t) == sector_pattern(t.request.sector_number, 8), "and brings its data");
    return s.maps_made() - before;
}

TEST(BlkbackPersistent, ForgetsTheGrantThatWasNotUsedForLongest) {
    play_small([](Stage& s) {
        s.frontend().write("feature-persistent", "1");
        if (!s.connect_frontend()) return;
        std::vector<RawFrontend::Transfer> reads;
        for (unsigned i = 0; i < kPlaces + 2; ++i) reads.push_back(s.frontend().read(8 * i, 8));
        for (unsigned i = 0; i < kPlaces; ++i) s.expect(maps_of(s, reads[i]) == 1, "a new grant is mapped");
        s.expect(maps_of(s, reads[0]) == 0, "a grant that is used again is not");
        // The first was used since, so the second goes.
        s.expect(maps_of(s, reads[kPlaces]) == 1, "there is room for a new one");
        s.expect(maps_of(s, reads[0]) == 0, "what was used lately is kept");
        s.expect(maps_of(s, reads[1]) == 1, "what was not used for longest is not");
        s.expect(s.maps() == 1 + kPlaces, "no more are kept than there are places");
    });
}

TEST(BlkbackPersistent, ARequestWithMorePagesThanPlacesIsServed) {
    play_small([](Stage& s) {
        s.frontend().write("feature-persistent", "1");
        if (!s.connect_frontend()) return;
        auto large = s.frontend().indirect(BLKIF_OP_READ, 64, 2 * kPlaces);
        // What may stay mapped is writable, a list too.
        const auto list = s.frontend().bytes(large.tables[0]);
        large.tables[0] = s.frontend().page(Access::read_write);
        s.frontend().fill(large.tables[0], list);
        large.request.indirect_grefs[0] = large.tables[0].grant.ref().value;
        const auto response = conformance::send(s, as_request(large.request));
        s.expect(conformance::is_okay(response), "it is done", [&] { return conformance::shown(response); });
        for (unsigned i = 0; i < large.pages.size(); ++i)
            s.expect(s.frontend().bytes(large.pages[i]) == sector_pattern(64 + 8 * i, 8), "each page has its data");
        s.expect(s.maps() == 1 + kPlaces, "what finds no place is mapped for the request alone");
    });
}

}  // namespace
}  // namespace xenrig::blk
