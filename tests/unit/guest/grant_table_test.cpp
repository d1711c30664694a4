#include <set>

#include "guest_world.h"
#include "xenrig/shared/door.h"

namespace xenrig::guest::test {
namespace {

constexpr std::uint32_t kGrantFrameAt = 0x1001;  // the second gfn that the kernel takes: shared_info has the first

TEST(GrantTable, APeerThatSeesAValidEntrySeesItsFrameAndDomain) {
    int seen = 0;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        GuestWorld world(seed, 1, {.model = engine::Model::relaxed});
        Cpu& peer = world.engine.add_cpu("peer");
        world.boot([&] {
            auto lease = std::make_shared<shared::Lease>();
            lease->name = "the guest's grant frame";
            const shared::Window table(world.domain->page(Gfn{kGrantFrameAt}), lease);
            peer.spawn("reader", TaskRole::work, [&seen, table] {
                for (int i = 0; i < 40; ++i) {
                    for (std::size_t ref = 8; ref < 12; ++ref) {
                        if (shared::load<std::uint16_t>(table, ref * 8, shared::Fetch::poll) == 0) continue;
                        shared::rmb();
                        const auto domid = shared::load<std::uint16_t>(table, ref * 8 + 2, shared::Fetch::poll);
                        const auto frame = shared::load<std::uint32_t>(table, ref * 8 + 4, shared::Fetch::poll);
                        EXPECT_EQ(domid, 2u);
                        EXPECT_EQ(frame, 0x10u);
                        ++seen;
                    }
                }
            });
            const auto frame = *world.kernel->memory().allocate();
            std::vector<Grant> grants;
            for (int i = 0; i < 4; ++i)
                grants.push_back(*world.kernel->grants().grant(DomId{2}, frame->gfn(), Access::read_write));
            for (int i = 0; i < 20; ++i) scheduler->yield();
        });
        world.run();
        world.engine.remove_cpu(peer);
    }
    EXPECT_GT(seen, 1000) << "the peer looked in time";
}

TEST(GrantTable, AnEntryThatThePeerStillMapsIsKeptWithItsFrameUntilThePeerLetsGo) {
    // Else all retries may come before the peer lets go.
    GuestWorld world(2, 1, {.time_passes = false});
    world.boot([&] {
        auto& kernel = *world.kernel;
        auto frame = *kernel.memory().allocate();
        auto grant = *kernel.grants().grant(DomId{2}, frame->gfn(), Access::read_write);
        const std::uint32_t ref = grant.ref().value;
        world.domain->entry(ref).flags |= GTF_reading | GTF_writing;
        grant.reset(std::move(frame));
        EXPECT_EQ(kernel.grants().deferred(), 1u);
        EXPECT_EQ(kernel.memory().frames_in_use(), 1u);
        EXPECT_NE(world.domain->entry(ref).flags & GTF_permit_access, 0);

        world.domain->entry(ref).flags &= static_cast<std::uint16_t>(~(GTF_reading | GTF_writing));
        sleep_for(kernel.clock(), 10_ms);
        sleep_for(kernel.clock(), 10_ms);
        EXPECT_EQ(kernel.grants().deferred(), 0u);
        EXPECT_EQ(kernel.grants().grants_in_use(), 0u);
        EXPECT_EQ(kernel.memory().frames_in_use(), 0u);
        EXPECT_EQ(world.domain->entry(ref).flags, 0);
    });
    world.run();
}

TEST(GrantTable, AGrantThatIsNeverLetGoOfDoesNotKeepTheWorldAwake) {
    GuestWorld world(2);
    world.boot([&] {
        auto grant = *world.kernel->grants().grant(DomId{2}, Gfn{0x10}, Access::read_write);
        world.domain->entry(grant.ref().value).flags |= GTF_reading;
    });
    world.run();
    EXPECT_EQ(world.kernel->grants().deferred(), 1u);
}

TEST(GrantTable, TheTableGrowsToItsMaximumAndThenSaysSo) {
    GuestWorld world(1);
    world.boot([&] {
        std::vector<Grant> grants;
        std::set<std::uint32_t> refs;
        for (;;) {
            auto grant = world.kernel->grants().grant(DomId{2}, Gfn{0x10}, Access::read_only);
            if (!grant) {
                EXPECT_EQ(grant.error().code, Errno::nospc);
                break;
            }
            refs.insert(grant->ref().value);
            grants.push_back(std::move(*grant));
        }
        EXPECT_EQ(refs.size(), 2 * 512u - GNTTAB_NR_RESERVED_ENTRIES);
        EXPECT_EQ(*refs.begin(), std::uint32_t{GNTTAB_NR_RESERVED_ENTRIES});
        EXPECT_EQ(world.domain->entry(1000).flags, GTF_permit_access | GTF_readonly);
        grants.clear();
        EXPECT_TRUE(world.kernel->grants().grant(DomId{2}, Gfn{0x10}, Access::read_only));
    });
    world.run();
}

TEST(GrantTable, AMappingOfWhichOnePageFailsIsUndoneWhole) {
    GuestWorld world(1);
    world.boot([&] {
        world.domain->map_status[42] = GNTST_bad_gntref;
        const std::array refs{GrantRef{41}, GrantRef{42}, GrantRef{43}};
        const auto mapping = world.kernel->grants().map(DomId{2}, refs, Access::read_write);
        ASSERT_FALSE(mapping);
        EXPECT_EQ(mapping.error().code, Errno::inval);
        EXPECT_NE(mapping.error().message.find("GNTST_bad_gntref (-3)"), std::string::npos) << mapping.error().message;
        EXPECT_TRUE(world.domain->mapped.empty());
        EXPECT_EQ(world.kernel->grants().mappings_in_use(), 0u);
    });
    world.run();
}

TEST(GrantTable, AUseAfterUnmapIsReportedWithTheGrantsName) {
    GuestWorld world(1);
    world.boot([&] {
        const std::array refs{GrantRef{41}};
        auto mapping = *world.kernel->grants().map(DomId{2}, refs, Access::read_write);
        const shared::Window window = mapping.window();
        shared::store<std::uint32_t>(window, 16, 7);
        mapping.reset();
        EXPECT_TRUE(world.domain->mapped.empty());
        (void)shared::load<std::uint32_t>(window, 16);
    });
    world.engine.run();
    ASSERT_EQ(world.engine.problems().size(), 1u);
    EXPECT_NE(world.engine.problems()[0].text.find("d2 gref 41 at offset 16"), std::string::npos);
}

TEST(GrantTable, ADeadDomainMakesNoHypercallAndEachTryIsCounted) {
    GuestWorld world(1);
    Mapping mapping;
    Grant grant;
    world.boot([&] {
        const std::array refs{GrantRef{41}};
        mapping = *world.kernel->grants().map(DomId{2}, refs, Access::read_write);
        grant = *world.kernel->grants().grant(DomId{2}, Gfn{0x10}, Access::read_write);
    });
    world.run();
    world.kernel->domain_died();
    const unsigned calls = world.domain->calls[__HYPERVISOR_grant_table_op];
    mapping.reset();
    grant.reset();
    EXPECT_EQ(world.domain->calls[__HYPERVISOR_grant_table_op], calls);
    EXPECT_EQ(world.domain->mapped.size(), 1u) << "what a crash leaves behind is the hypervisor's to clean up";
    EXPECT_EQ(world.kernel->stale_handles(), 2u);
    EXPECT_EQ(world.kernel->refused(), 0u);
    EXPECT_FALSE(world.kernel->grants().copy({}));
    EXPECT_EQ(world.kernel->refused(), 1u);
}

}  // namespace
}  // namespace xenrig::guest::test
