// A guest whose events come by each of the ways that Xen has: through a vector, its local APICs, or a line.
#include "ping_pong.h"
#include "xen_world.h"

namespace xenrig::guest::test {
namespace {

class CallbackWays : public testing::TestWithParam<CallbackWay> {
protected:
    bool by_line() const { return GetParam() == CallbackWay::gsi || GetParam() == CallbackWay::pci_intx; }
};

TEST_P(CallbackWays, EachEventIsHeardOf) {
    constexpr engine::Model kModels[] = {engine::Model::sc, engine::Model::tso, engine::Model::relaxed};
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        Handshake handshake;
        XenWorld world(seed, {.model = kModels[seed % 3]});
        auto& host = world.add_host();
        auto& front = world.add_guest(host, "front", 1 + seed % 2, {.callback = GetParam()});
        auto& back = world.add_guest(host, "back", 2, {.bits = 32, .callback = GetParam()});
        front.kernel->spawn_on(VcpuId{0}, "ping", TaskRole::work, [&] { ping(*front.kernel, back.domain, handshake); });
        back.kernel->spawn_on(VcpuId{0}, "pong", TaskRole::work, [&] { pong(*back.kernel, front.domain, handshake); });
        world.run();
        EXPECT_EQ(front.kernel->events().ports_in_use() + back.kernel->events().ports_in_use(), 0u) << "seed " << seed;
        if (HasFailure()) break;
    }
}

TEST_P(CallbackWays, AnEventOfTheSecondVcpuComesByVectorsAlone) {
    XenWorld world(4);
    auto& host = world.add_host();
    auto& guest = world.add_guest(host, "guest", 2, {.callback = GetParam()});
    Kernel& kernel = *guest.kernel;
    unsigned rung = 0;
    std::uint32_t where = 7;
    kernel.spawn_on(VcpuId{0}, "boot", TaskRole::work, [&] {
        ASSERT_TRUE(kernel.boot());
        auto channel = *kernel.events().alloc_unbound(guest.domain, [&] {
            ++rung;
            where = scheduler->current_cpu() == guest.cpus[1] ? 1 : 0;
        });
        auto bell = *kernel.events().bind_interdomain(guest.domain, channel.port(), [] {});
        const auto bound = kernel.events().bind_vcpu(channel, VcpuId{1});
        EXPECT_EQ(bound.has_value(), !by_line());
        EXPECT_TRUE(bound || bound.error().code == Errno::opnotsupp);
        for (int i = 0; i < 20; ++i) scheduler->yield();
        rung = 0;
        ASSERT_TRUE(bell.notify());
        for (int i = 0; i < 50; ++i) scheduler->yield();
    });
    world.run();
    EXPECT_EQ(rung, 1u);
    EXPECT_EQ(where, by_line() ? 0u : 1u);
}

TEST_P(CallbackWays, AMovedGuestHearsItsEventsOnTheNewHost) {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        XenWorld world(seed);
        auto& here = world.add_host(0);
        auto& there = world.add_host(1);
        auto& guest = world.add_guest(here, "guest", 2, {.callback = GetParam()});
        Kernel& kernel = *guest.kernel;
        unsigned rung = 0;
        const auto ring_a_while = [&] {
            auto channel = *kernel.events().alloc_unbound(guest.domain, [&] { ++rung; });
            auto bell = *kernel.events().bind_interdomain(guest.domain, channel.port(), [] {});
            for (int round = 0; round < 5; ++round) {
                const unsigned before = rung;
                ASSERT_TRUE(bell.notify());
                for (int i = 0; i < 500 && rung == before; ++i) scheduler->yield();
                ASSERT_GT(rung, before) << "seed " << seed << " round " << round;
            }
        };
        kernel.spawn_on(VcpuId{0}, "boot", TaskRole::work, [&] {
            ASSERT_TRUE(kernel.boot());
            ring_a_while();
            const auto outcome = kernel.control().suspend();
            ASSERT_TRUE(outcome) << outcome.error().to_string();
            ring_a_while();
        });
        world.when_suspended(guest, {[&] { world.move(guest, there); }});
        world.run();
        EXPECT_GE(rung, 10u);
        if (HasFailure()) break;
    }
}

std::string name_of(const testing::TestParamInfo<CallbackWay>& way) {
    static constexpr const char* kNames[] = {"Vector", "PerVcpu", "Gsi", "PciIntx"};
    return kNames[static_cast<std::size_t>(way.param)];
}

INSTANTIATE_TEST_SUITE_P(Ways, CallbackWays,
                         testing::Values(CallbackWay::vector, CallbackWay::per_vcpu, CallbackWay::gsi,
                                         CallbackWay::pci_intx),
                         name_of);

}  // namespace
}  // namespace xenrig::guest::test
