// Two guests on the simulated hypervisor: a granted page, an event channel, and what becomes of them.
#include <mutex>

#include "xen_world.h"
#include "xenrig/shared/door.h"

namespace xenrig::guest::test {
namespace {

/// What the guests would tell each other through the store.
struct Handshake {
    Port port{};
    GrantRef ref{};
    IrqLock lock{"handshake"};
    WaitQueue changed{"the handshake"};
    bool ready = false;
    /// One of the two has been killed.
    bool death = false;

    void publish(Port p, GrantRef r) {
        const std::lock_guard held(lock);
        port = p;
        ref = r;
        ready = true;
        changed.wake_all();
    }
    void wait() {
        const std::lock_guard held(lock);
        changed.wait(lock, [&] { return ready; });
    }
};

/// A counter that an event handler raises and a task waits for.
struct Bell {
    explicit Bell(std::string name) : rung(std::move(name)) {}
    IrqLock lock{"bell"};
    WaitQueue rung;
    unsigned count = 0;

    void ring() {
        const std::lock_guard held(lock);
        ++count;
        rung.wake_all();
    }
    void wait_beyond(unsigned seen) {
        const std::lock_guard held(lock);
        rung.wait(lock, [&] { return count > seen; });
    }
    unsigned now() {
        const std::lock_guard held(lock);
        return count;
    }
};

constexpr std::size_t kPing = 0, kPong = 4;
constexpr std::uint32_t kRounds = 5;

/// Both go on until they would wait, with errors, when a domain has died: theirs, or the peer's.
template <class T>
bool went_well(const Handshake& handshake, const Result<T>& result) {
    EXPECT_TRUE(result || handshake.death) << result.error().to_string();
    return result.has_value();
}

/// Writes a number, rings, and waits for its echo.
void ping(Kernel& kernel, DomId peer, Handshake& handshake) {
    if (!went_well(handshake, kernel.boot())) return;
    const auto frame = *kernel.memory().allocate();
    const auto grant = kernel.grants().grant(peer, frame->gfn(), Access::read_write);
    if (!went_well(handshake, grant)) return;
    Bell bell("a pong");
    auto channel = kernel.events().alloc_unbound(peer, [&] { bell.ring(); });
    if (!went_well(handshake, channel)) return;
    const shared::Window page = kernel.memory().window(frame->gfn());
    handshake.publish(channel->port(), grant->ref());
    for (std::uint32_t round = 1; round <= kRounds; ++round) {
        shared::store<std::uint32_t>(page, kPing, round);
        shared::mb();
        // Until the peer has bound, this rings nobody; the peer looks once more when it has.
        (void)channel->notify();
        for (;;) {
            const unsigned seen = bell.now();
            if (shared::load<std::uint32_t>(page, kPong, shared::Fetch::poll) == round) break;
            bell.wait_beyond(seen);
        }
    }
}

void pong(Kernel& kernel, DomId peer, Handshake& handshake) {
    if (!went_well(handshake, kernel.boot())) return;
    handshake.wait();
    const std::array refs{handshake.ref};
    auto mapping = kernel.grants().map(peer, refs, Access::read_write);
    if (!went_well(handshake, mapping)) return;
    Bell bell("a ping");
    auto channel = kernel.events().bind_interdomain(peer, handshake.port, [&] { bell.ring(); });
    if (!went_well(handshake, channel)) return;
    const shared::Window& page = mapping->window();
    for (std::uint32_t last = 0; last != kRounds;) {
        const unsigned seen = bell.now();
        const auto round = shared::load<std::uint32_t>(page, kPing, shared::Fetch::poll);
        if (round == last) {
            bell.wait_beyond(seen);
            continue;
        }
        last = round;
        shared::store<std::uint32_t>(page, kPong, round);
        shared::mb();
        if (!went_well(handshake, channel->notify())) return;
    }
}

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
