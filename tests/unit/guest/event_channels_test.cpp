#include <mutex>

#include "guest_world.h"

namespace xenrig::guest::test {
namespace {

TEST(EventChannels, APortsFirstEventIsNotLostAndRunsItsHandlerAsAnUpcall) {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        GuestWorld world(seed);
        int events = 0;
        Channel channel;
        world.boot([&] {
            // The fake makes the new port pending at once, as Xen does.
            channel = *world.kernel->events().bind_interdomain(DomId{2}, Port{7}, [&] {
                EXPECT_TRUE(scheduler->in_upcall());
                ++events;
            });
        });
        world.run();
        EXPECT_EQ(events, 1) << "seed " << seed;
        channel.close();
    }
}

TEST(EventChannels, AnEventOfAMaskedPortWaitsForItsUnmask) {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        GuestWorld world(seed);
        int events = 0;
        Channel channel;
        world.boot([&] {
            channel = *world.kernel->events().alloc_unbound(DomId{2}, [&] { ++events; });
            channel.mask();
            world.domain->raise(channel.port().value);
            for (int i = 0; i < 20; ++i) scheduler->yield();
            EXPECT_EQ(events, 0);
            channel.unmask();
        });
        world.run();
        EXPECT_EQ(events, 1) << "seed " << seed;
        channel.close();
    }
}

TEST(EventChannels, APortThatNeverRestsDoesNotStarveAnother) {
    GuestWorld world(3);
    int busy_runs = 0, quiet_runs = 0;
    Channel busy, quiet;
    world.boot([&] {
        busy = *world.kernel->events().alloc_unbound(DomId{2}, [&] {
            if (++busy_runs < 1000 && quiet_runs == 0) world.domain->raise(busy.port().value);
        });
        quiet = *world.kernel->events().alloc_unbound(DomId{2}, [&] { ++quiet_runs; });
        world.domain->raise(busy.port().value);
        world.domain->raise(quiet.port().value);
    });
    world.run();
    EXPECT_EQ(quiet_runs, 1);
    EXPECT_LE(busy_runs, 3);
    busy.close();
    quiet.close();
}

TEST(EventChannels, AfterCloseAHandlerOnAnotherVcpuNeitherRunsNorWillRun) {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        GuestWorld world(seed, 2);
        bool inside = false, closed = false;
        int runs = 0;
        world.boot([&] {
            auto& events = world.kernel->events();
            IrqLock lock("handler");
            Channel channel = *events.alloc_unbound(DomId{2}, [&] {
                EXPECT_FALSE(closed);
                inside = true;
                ++runs;
                const std::lock_guard held(lock);
                scheduler->point(Step::yield, 0);
                inside = false;
            });
            ASSERT_TRUE(events.bind_vcpu(channel, VcpuId{1}));
            world.domain->raise(channel.port().value, 1);
            const std::uint32_t port = channel.port().value;
            channel.close();
            closed = true;
            EXPECT_FALSE(inside) << "seed " << seed;
            world.domain->raise(port, 1);
            EXPECT_TRUE(world.domain->closed.contains(port));
        });
        world.run();
        EXPECT_LE(runs, 1);
    }
}

TEST(EventChannels, AHandlerMayCloseItsOwnChannel) {
    GuestWorld world(5);
    int runs = 0;
    Channel channel;
    world.boot([&] {
        channel = *world.kernel->events().bind_interdomain(DomId{2}, Port{7}, [&] {
            ++runs;
            channel.close();
        });
    });
    world.run();
    EXPECT_EQ(runs, 1);
    EXPECT_EQ(world.kernel->events().ports_in_use(), 0u);
}

TEST(EventChannels, AChannelOfAnEndedEpochMakesNoHypercall) {
    GuestWorld world(1);
    FakeDomain next(DomId{9}, world.cpus);
    next.populate(kLayout.ram.first, kLayout.ram.count);
    Channel old;
    world.boot([&] { old = *world.kernel->events().alloc_unbound(DomId{2}, [] { FAIL() << "of the old domain"; }); });
    world.run();
    world.kernel->bind(next.binding());
    const auto sent = old.notify();
    EXPECT_TRUE(sent);
    old.close();
    EXPECT_EQ(next.calls[__HYPERVISOR_event_channel_op], 0u);
    EXPECT_EQ(world.kernel->stale_handles(), 2u);
}

TEST(GuestClock, ATimerFiresAsAnUpcallAndACancelledOneNever) {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        GuestWorld world(seed);
        int fired = 0;
        world.boot([&] {
            auto& clock = world.kernel->clock();
            clock.at(clock.now() + 5_ms, [&] {
                EXPECT_TRUE(scheduler->in_upcall());
                ++fired;
            });
            const TimerId never = clock.at(clock.now() + 6_ms, [] { FAIL() << "was cancelled"; });
            EXPECT_TRUE(clock.cancel(never));
            EXPECT_FALSE(clock.cancel(never));
            const Nanoseconds start = clock.now();
            sleep_for(clock, 20_ms);
            EXPECT_GE(clock.now() - start, 20_ms);
        });
        world.run();
        EXPECT_EQ(fired, 1);
    }
}

}  // namespace
}  // namespace xenrig::guest::test
