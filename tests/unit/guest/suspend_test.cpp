// A guest is suspended, and goes on in its own domain or in another one.
#include <atomic>
#include <set>

#include "xen_world.h"
#include "xenrig/shared/door.h"

namespace xenrig::guest::test {
namespace {

std::vector<std::byte> pattern(std::uint32_t n) {
    std::vector<std::byte> bytes(64);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(n + i);
    return bytes;
}

/// Writes to and reads back a frame of its own, over and over, wherever it is stopped meanwhile.
void churn(Kernel& kernel, const std::atomic<bool>& stop, std::uint32_t salt) {
    const auto frame = *kernel.memory().allocate();
    std::vector<std::byte> read(64);
    for (std::uint32_t n = salt; !stop; ++n) {
        kernel.memory().write(frame->gfn(), 128, pattern(n));
        scheduler->yield();
        kernel.memory().read(frame->gfn(), 128, read);
        EXPECT_EQ(read, pattern(n));
    }
}

/// Entries of the current table's first frame that grant anything, as the hypervisor sees them.
std::size_t valid_entries(const XenWorld::Guest& guest) {
    const auto mfn = guest.host->lookup(guest.domain, Gfn{kXenLayout.unpopulated.first.value + 1});
    const std::byte* table = guest.host->memory().page(*mfn);
    std::size_t valid = 0;
    for (std::size_t ref = 0; ref < 512; ++ref) valid += shared::raw::load<std::uint16_t>(table + ref * 8) != 0;
    return valid;
}

/// Grants and takes back, wherever it is stopped meanwhile.
void churn_grants(Kernel& kernel, const std::atomic<bool>& stop) {
    while (!stop) {
        auto first = kernel.grants().grant(DomId{5}, Gfn{0}, Access::read_only);
        auto second = kernel.grants().grant(DomId{5}, Gfn{0}, Access::read_only);
        EXPECT_TRUE(first && second);
        scheduler->yield();
    }
}

TEST(Suspend, AMovedGuestKeepsItsMemoryAndNothingThatBelongedToTheOldDomain) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        XenWorld world(seed, {.model = seed % 2 == 0 ? engine::Model::tso : engine::Model::sc});
        auto& here = world.add_host(0);
        auto& there = world.add_host(1);
        auto& guest = world.add_guest(here, "guest", 2);
        Kernel& kernel = *guest.kernel;
        std::atomic<bool> stop = false;
        bool done = false;
        kernel.spawn_on(VcpuId{0}, "boot", TaskRole::work, [&] {
            ASSERT_TRUE(kernel.boot());
            for (std::uint32_t v = 0; v < 2; ++v)
                kernel.spawn_on(VcpuId{v}, "churn", TaskRole::work, [&, v] { churn(kernel, stop, v * 1000); });
            kernel.spawn_on(VcpuId{1}, "grants", TaskRole::work, [&] { churn_grants(kernel, stop); });

            const auto frame = *kernel.memory().allocate();
            kernel.memory().write(frame->gfn(), 0, pattern(7));
            auto old_grant = *kernel.grants().grant(DomId{5}, frame->gfn(), Access::read_write);
            auto old_channel = *kernel.events().alloc_unbound(DomId{5}, [] {});
            const GrantRef old_ref = old_grant.ref();
            const DomId old_domid = kernel.domid();
            for (int i = 0; i < 5; ++i) scheduler->yield();

            const auto outcome = kernel.control().suspend();
            ASSERT_TRUE(outcome) << outcome.error().to_string();
            EXPECT_EQ(*outcome, Control::Outcome::resumed);
            EXPECT_NE(kernel.domid(), old_domid);

            std::vector<std::byte> read(64);
            kernel.memory().read(frame->gfn(), 0, read);
            EXPECT_EQ(read, pattern(7));
            const auto grant = *kernel.grants().grant(DomId{5}, frame->gfn(), Access::read_write);
            EXPECT_NE(grant.ref(), old_ref);
            const auto channel = *kernel.events().alloc_unbound(DomId{5}, [] {});
            EXPECT_NE(channel.port(), old_channel.port());

            const auto calls = there.counts(kernel.domid()).total();
            EXPECT_TRUE(old_channel.notify());
            old_channel.close();
            old_grant.reset();
            EXPECT_EQ(there.counts(kernel.domid()).total(), calls) << "handles of the old domain are silent";
            stop = true;
            done = true;
        });
        world.when_suspended(guest, {[&] { world.move(guest, there); }});
        world.run();
        EXPECT_TRUE(done);
        EXPECT_EQ(kernel.refused(), 0u);
        EXPECT_EQ(kernel.grants().grants_in_use(), 0u);
        EXPECT_EQ(valid_entries(guest), 0u) << "a grant of the old domain was written into the new table";
        EXPECT_EQ(here.memory().frames_allocated(), 0u);
        if (testing::Test::HasFailure()) {
            ADD_FAILURE() << "seed " << seed;
            break;
        }
    }
}

TEST(Suspend, ACancelledSuspendKeepsTheEpochAndEveryHandle) {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        XenWorld world(seed);
        auto& host = world.add_host();
        auto& guest = world.add_guest(host, "guest", 2);
        auto& peer = world.add_guest(host, "peer");
        Kernel& kernel = *guest.kernel;
        std::atomic<bool> stop = false;
        kernel.spawn_on(VcpuId{0}, "boot", TaskRole::work, [&] {
            ASSERT_TRUE(kernel.boot());
            kernel.spawn_on(VcpuId{1}, "churn", TaskRole::work, [&] { churn(kernel, stop, 5); });
            const auto frame = *kernel.memory().allocate();
            auto grant = *kernel.grants().grant(peer.domain, frame->gfn(), Access::read_write);
            auto channel = *kernel.events().alloc_unbound(peer.domain, [] {});
            const auto window = kernel.memory().window(frame->gfn());
            const std::uint64_t epoch = kernel.epoch();
            const auto outcome = kernel.control().suspend();
            ASSERT_TRUE(outcome);
            EXPECT_EQ(*outcome, Control::Outcome::cancelled);
            EXPECT_EQ(kernel.epoch(), epoch);
            shared::store<std::uint32_t>(window, 0, 1);
            grant.reset();
            channel.close();
            EXPECT_EQ(kernel.grants().grants_in_use(), 0u);
            EXPECT_EQ(kernel.events().ports_in_use(), 0u);
            EXPECT_EQ(kernel.stale_handles(), 0u);
            stop = true;
        });
        world.when_suspended(guest, {[&] { EXPECT_TRUE(host.resume(guest.domain)); }});
        world.run();
        if (testing::Test::HasFailure()) {
            ADD_FAILURE() << "seed " << seed;
            break;
        }
    }
}

TEST(Suspend, AGuestThatMovesAgainAndAgainNeverSeesAnOldReferenceAgain) {
    XenWorld world(3);
    std::vector<hypervisor::Hypervisor*> hosts;
    for (unsigned i = 0; i < 4; ++i) hosts.push_back(&world.add_host(i));
    auto& guest = world.add_guest(*hosts[0], "guest");
    Kernel& kernel = *guest.kernel;
    std::set<std::uint32_t> refs;
    bool done = false;
    kernel.spawn_on(VcpuId{0}, "boot", TaskRole::work, [&] {
        ASSERT_TRUE(kernel.boot());
        std::vector<Grant> kept;
        for (std::size_t round = 0;; ++round) {
            for (int i = 0; i < 20; ++i) {
                kept.push_back(*kernel.grants().grant(DomId{5}, Gfn{0}, Access::read_only));
                EXPECT_TRUE(refs.insert(kept.back().ref().value).second);
            }
            if (round + 1 == hosts.size()) break;
            EXPECT_EQ(*kernel.control().suspend(), Control::Outcome::resumed);
        }
        EXPECT_EQ(kernel.grants().grants_in_use(), 20u);
        done = true;
    });
    std::vector<std::function<void()>> moves;
    for (std::size_t next = 1; next < hosts.size(); ++next)
        moves.emplace_back([&world, &guest, to = hosts[next]] { world.move(guest, *to); });
    world.when_suspended(guest, std::move(moves));
    world.run();
    EXPECT_TRUE(done);
}

}  // namespace
}  // namespace xenrig::guest::test
