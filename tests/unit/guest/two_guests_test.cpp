// Two guests on the simulated hypervisor: a granted page, an event channel, and what becomes of them.
#include "ping_pong.h"
#include "xen_world.h"

namespace xenrig::guest::test {
namespace {

class TwoGuests : public testing::TestWithParam<engine::Model> {};

TEST_P(TwoGuests, APageAndAnEventChannelCarryEachNumberAcrossAndBack) {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        Handshake handshake;
        XenWorld world(seed, {.model = GetParam()});
        auto& host = world.add_host();
        auto& front = world.add_guest(host, "front", 1 + seed % 2);
        auto& back = world.add_guest(host, "back");
        front.kernel->spawn_on(VcpuId{0}, "ping", TaskRole::work, [&] { ping(*front.kernel, back.domain, handshake); });
        back.kernel->spawn_on(VcpuId{0}, "pong", TaskRole::work, [&] { pong(*back.kernel, front.domain, handshake); });
        world.run();
        EXPECT_EQ(front.kernel->grants().deferred() + front.kernel->grants().grants_in_use(), 0u) << "seed " << seed;
        EXPECT_EQ(back.kernel->grants().mappings_in_use(), 0u);
        EXPECT_EQ(front.kernel->events().ports_in_use() + back.kernel->events().ports_in_use(), 0u);
        EXPECT_EQ(front.kernel->memory().frames_in_use(), 0u);
        if (HasFailure()) break;
    }
}

INSTANTIATE_TEST_SUITE_P(Models, TwoGuests,
                         testing::Values(engine::Model::sc, engine::Model::tso, engine::Model::relaxed),
                         [](const auto& model) { return std::string(engine::name(model.param)); });

TEST(GuestDeath, AtWhateverStepADomainDiesItMakesNoHypercallMoreAndTheHostIsWhole) {
    std::uint64_t last = 0;
    for (std::uint64_t step = 1; step < 2000; step += 7) {
        Handshake handshake;
        XenWorld world(step);
        auto& host = world.add_host();
        auto& front = world.add_guest(host, "front", 2);
        auto& back = world.add_guest(host, "back");
        front.kernel->spawn_on(VcpuId{0}, "ping", TaskRole::service,
                               [&] { ping(*front.kernel, back.domain, handshake); });
        back.kernel->spawn_on(VcpuId{0}, "pong", TaskRole::service,
                              [&] { pong(*back.kernel, front.domain, handshake); });
        bool struck = false;
        world.engine.at_step(step, [&]() -> Cpu* {
            struck = true;
            return nullptr;
        });
        (void)world.engine.run_until([&] { return struck; });
        if (!struck) {
            last = step;
            break;
        }
        auto& victim = step % 2 == 0 ? front : back;
        handshake.death = true;
        world.kill(victim);
        EXPECT_EQ(host.counts(victim.domain).refused, 0u) << "step " << step;
        EXPECT_TRUE(host.destroy_domain(victim.domain));
        world.engine.run();
        for (const auto& problem : world.engine.problems()) ADD_FAILURE() << problem.oracle << ": " << problem.text;
        EXPECT_EQ(host.audit(), "") << "step " << step;
        if (testing::Test::HasFailure()) break;
    }
    EXPECT_GT(last, 200u) << "the whole exchange was covered";
}

}  // namespace
}  // namespace xenrig::guest::test
