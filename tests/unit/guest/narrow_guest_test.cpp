// A 32-bit guest: its pages have an i386's layout, its hypercalls take what lies in its own frames, and beside a 64-bit
// one it works as any.
#include <atomic>

#include "ping_pong.h"
#include "sim/hypervisor/observer.h"
#include "xen_world.h"

extern "C" {
#include <xen/foreign/x86_32.h>
#include <xen/memory.h>
#include <xen/vcpu.h>
}

namespace xenrig::guest::test {
namespace {

constexpr KernelOptions kI386{.bits = 32};

/// Boots, and then runs `body` in a task on vCPU 0, until all is quiet.
void in_guest(XenWorld& world, XenWorld::Guest& guest, const std::function<void()>& body) {
    guest.kernel->spawn_on(VcpuId{0}, "body", TaskRole::work, [&guest, &body] {
        const auto booted = guest.kernel->boot();
        ASSERT_TRUE(booted) << booted.error().to_string();
        body();
    });
    world.run();
}

struct Words {
    unsigned front, back;
};

class NarrowPair : public testing::TestWithParam<Words> {};

TEST_P(NarrowPair, APageAndAnEventChannelCarryEachNumberAcrossAndBack) {
    constexpr engine::Model kModels[] = {engine::Model::sc, engine::Model::tso, engine::Model::relaxed};
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        Handshake handshake;
        XenWorld world(seed, {.model = kModels[seed % 3]});
        auto& host = world.add_host();
        auto& front = world.add_guest(host, "front", 1 + seed % 2, {.bits = GetParam().front});
        auto& back = world.add_guest(host, "back", 1, {.bits = GetParam().back});
        front.kernel->spawn_on(VcpuId{0}, "ping", TaskRole::work, [&] { ping(*front.kernel, back.domain, handshake); });
        back.kernel->spawn_on(VcpuId{0}, "pong", TaskRole::work, [&] { pong(*back.kernel, front.domain, handshake); });
        world.run();
        EXPECT_EQ(back.kernel->grants().mappings_in_use(), 0u) << "seed " << seed;
        EXPECT_EQ(front.kernel->memory().frames_in_use(), 0u) << "seed " << seed;
        if (HasFailure()) break;
    }
}

INSTANTIATE_TEST_SUITE_P(Words, NarrowPair, testing::Values(Words{32, 64}, Words{64, 32}, Words{32, 32}),
                         [](const auto& words) {
                             return std::to_string(words.param.front) + "And" + std::to_string(words.param.back);
                         });

TEST(NarrowGuest, HasAllPortsTo1023AndEachOfThemRings) {
    XenWorld world(5);
    auto& host = world.add_host();
    auto& guest = world.add_guest(host, "i386", 1, kI386);
    std::map<std::uint32_t, unsigned> rung;
    std::vector<Channel> channels;
    in_guest(world, guest, [&] {
        EventChannels& events = guest.kernel->events();
        for (;;) {
            // A loop of the guest's own: what is sent on one end rings the other.
            const auto count = [&](std::shared_ptr<std::uint32_t> port) { return [&rung, port] { ++rung[*port]; }; };
            const auto first = std::make_shared<std::uint32_t>(), second = std::make_shared<std::uint32_t>();
            auto one = events.alloc_unbound(guest.domain, count(first));
            if (!one) {
                EXPECT_EQ(one.error().code, Errno::nospc);
                break;
            }
            *first = one->port().value;
            channels.push_back(std::move(*one));
            auto other = events.bind_interdomain(guest.domain, channels.back().port(), count(second));
            if (!other) {
                EXPECT_EQ(other.error().code, Errno::nospc);
                break;
            }
            *second = other->port().value;
            channels.push_back(std::move(*other));
        }
        rung.clear();
        for (Channel& channel : channels) EXPECT_TRUE(channel.notify());
        for (int i = 0; i < 50; ++i) scheduler->yield();
    });
    // The host's first port is 4.
    EXPECT_EQ(channels.size(), 1020u);
    EXPECT_EQ(rung.size(), 1020u);
    EXPECT_EQ(rung.rbegin()->first, 1023u);
    channels.clear();
}

TEST(NarrowGuest, SeesItsPortsWhereAnI386HasThem) {
    XenWorld world(1);
    auto& host = world.add_host();
    auto& guest = world.add_guest(host, "i386", 2, kI386);
    std::vector<Channel> channels;
    in_guest(world, guest, [&] {
        for (int i = 0; i < 60; ++i) channels.push_back(*guest.kernel->events().alloc_unbound(DomId{5}, [] {}));
    });
    const auto* shared = reinterpret_cast<const shared_info_x86_32*>(host.shared_info(guest.domain));
    for (const Channel& channel : channels) {
        const std::uint32_t port = channel.port().value;
        EXPECT_EQ(shared->evtchn_mask[port / 32] >> port % 32 & 1, 0u) << "an open port is not masked: " << port;
    }
    for (const std::uint32_t port : {2u, 100u, 1023u})
        EXPECT_EQ(shared->evtchn_mask[port / 32] >> port % 32 & 1, 1u) << "any other is: " << port;
    EXPECT_EQ(shared->wc_version, 0u) << "nothing was written behind the mask";
    channels.clear();
}

/// Notes the highest address among a domain's arguments.
class Addresses final : public hypervisor::Observer {
public:
    void hypercall_begins(DomId, VcpuId, unsigned, const HypercallArgs& args) override {
        ++calls;
        for (const std::uint64_t word : args) highest = std::max(highest, word);
    }
    std::uint64_t calls = 0, highest = 0;
};

TEST(NarrowGuest, PassesNoAddressOfThisProcess) {
    XenWorld world(2);
    auto& host = world.add_host();
    Addresses seen;
    host.set_observer(&seen);
    auto& guest = world.add_guest(host, "i386", 1, kI386);
    in_guest(world, guest, [&] {
        const auto frame = *guest.kernel->memory().allocate();
        const auto grant = *guest.kernel->grants().grant(guest.domain, frame->gfn(), Access::read_write);
        const auto mapping = guest.kernel->grants().map(guest.domain, std::array{grant.ref()}, Access::read_write);
        ASSERT_TRUE(mapping) << mapping.error().to_string();
    });
    EXPECT_GT(seen.calls, 5u);
    EXPECT_LT(seen.highest, kFrames * kPageSize) << "its arguments lie in its own RAM";
    host.set_observer(nullptr);
}

TEST(NarrowGuest, KeepsRoomForEachArgumentOfALongBatchAndRefusesWhatIsLonger) {
    XenWorld world(3);
    auto& host = world.add_host();
    auto& guest = world.add_guest(host, "i386", 1, kI386);
    in_guest(world, guest, [&] {
        const auto from = *guest.kernel->memory().allocate();
        const auto to = *guest.kernel->memory().allocate();
        for (std::size_t i = 0; i < 512; ++i) {
            const std::array bytes{static_cast<std::byte>(i), static_cast<std::byte>(i >> 8), std::byte{7}};
            guest.kernel->memory().write(from->gfn(), i * 8, bytes);
        }
        const auto grant = *guest.kernel->grants().grant(guest.domain, to->gfn(), Access::read_write);
        std::vector<GrantCopy> copies;
        for (std::uint16_t i = 0; i < 512; ++i)
            copies.push_back(
                {.source = {.gfn = from->gfn(), .offset = static_cast<std::uint16_t>(i * 8)},
                 .dest = {.domain = guest.domain, .ref = grant.ref(), .offset = static_cast<std::uint16_t>(i * 8)},
                 .length = 8});
        const auto copied = guest.kernel->grants().copy(copies);
        ASSERT_TRUE(copied) << copied.error().to_string();
        std::vector<std::byte> before(kPageSize), after(kPageSize);
        guest.kernel->memory().read(from->gfn(), 0, before);
        guest.kernel->memory().read(to->gfn(), 0, after);
        EXPECT_EQ(after, before);

        std::vector<GrantCopy> long_batch;
        for (int i = 0; i < 4; ++i) long_batch.insert(long_batch.end(), copies.begin(), copies.end());
        const auto refused = guest.kernel->grants().copy(long_batch);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, Errno::nomem);
    });
}

/// Without a kernel around it.
TEST(NarrowCalls, CarryAListBehindAPointerThereAndBack) {
    engine::SeededSource source(1);
    engine::Engine engine(source, {});
    Cpu& cpu = engine.add_cpu("v0");
    hypervisor::Hypervisor host(engine, {.frames = 128});
    const DomId domain = *host.create_domain({.name = "i386", .bits = 32, .max_frames = kFrames});
    ASSERT_TRUE(host.populate(domain, Gfn{0}, kFrames));
    DomainLink link({&cpu}, {Gfn{kFrames - 4}, 4});
    link.bind({{&host.linear_hypercalls(domain, VcpuId{0})}, &host.address_space(domain), domain});

    std::array<xen_pfn_t, 3> frames{2, 5, 9};
    xen_memory_reservation_t reservation{};
    reservation.domid = DOMID_SELF;
    reservation.nr_extents = frames.size();
    set_xen_guest_handle(reservation.extent_start, frames.data());
    EXPECT_EQ(link.call(__HYPERVISOR_memory_op, XENMEM_decrease_reservation, &reservation), 3);
    EXPECT_EQ(reservation.extent_start.p, frames.data()) << "its own pointer is as it was";
    for (const xen_pfn_t gfn : frames) EXPECT_FALSE(host.lookup(domain, Gfn{gfn})) << gfn;
    EXPECT_EQ(host.info(domain)->frames, kFrames - 3);

    vcpu_runstate_info_t runstate{};
    runstate.time[RUNSTATE_blocked] = 77;
    EXPECT_EQ(link.call(__HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, 0, &runstate), 0);
    EXPECT_EQ(runstate.time[RUNSTATE_blocked], 0u) << "an answer of 44 bytes is read field by field";
    link.end_epoch();
    EXPECT_EQ(link.call(__HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, 0, &runstate),
              -static_cast<std::int64_t>(Errno::srch));
    ASSERT_TRUE(host.destroy_domain(domain));
}

TEST(NarrowGuest, GoesOnInAnotherDomainWithItsArgumentsInTheSameFrames) {
    for (std::uint64_t seed = 0; seed < 80; ++seed) {
        XenWorld world(seed, {.model = seed % 2 == 0 ? engine::Model::tso : engine::Model::sc});
        auto& here = world.add_host(0);
        auto& there = world.add_host(1);
        auto& guest = world.add_guest(here, "i386", 2, kI386);
        Kernel& kernel = *guest.kernel;
        std::atomic<bool> stop = false;
        unsigned rounds = 0;
        kernel.spawn_on(VcpuId{0}, "boot", TaskRole::work, [&] {
            ASSERT_TRUE(kernel.boot());
            // Wherever this one stands in a hypercall when the domain moves.
            kernel.spawn_on(VcpuId{1}, "calls", TaskRole::work, [&] {
                for (; !stop; ++rounds) {
                    auto channel = kernel.events().alloc_unbound(DomId{5}, [] {});
                    EXPECT_TRUE(channel) << channel.error().to_string();
                    scheduler->yield();
                }
            });
            for (int i = 0; i < 20; ++i) scheduler->yield();
            const auto outcome = kernel.control().suspend();
            ASSERT_TRUE(outcome) << outcome.error().to_string();
            for (int i = 0; i < 20; ++i) scheduler->yield();
            stop = true;
        });
        world.when_suspended(guest, {[&] { world.move(guest, there); }});
        world.run();
        EXPECT_GT(rounds, 0u) << "seed " << seed;
        EXPECT_EQ(kernel.events().ports_in_use(), 0u);
        EXPECT_EQ(kernel.refused(), 0u);
        if (testing::Test::HasFailure()) break;
    }
}

}  // namespace
}  // namespace xenrig::guest::test
