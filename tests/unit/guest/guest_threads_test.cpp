// The same guests on one OS thread a vCPU: what ThreadSanitizer has to say.
#include <gtest/gtest.h>

#include "ping_pong.h"
#include "sim/hypervisor/hypervisor.h"
#include "sim/threads/thread_machine.h"
#include "xenrig/guest/kernel.h"

namespace xenrig::guest::test {
namespace {

constexpr std::uint64_t kGuestFrames = 64;
constexpr Layout kGuestLayout{.ram = {Gfn{0}, kGuestFrames}, .unpopulated = {Gfn{0x1000}, 64}};
constexpr Nanoseconds kPatience{60'000'000'000};

/// A guest that boots by itself on vCPUs of the machine.
class ThreadedGuest {
public:
    ThreadedGuest(threads::ThreadMachine& machine, hypervisor::Hypervisor& host, const std::string& name,
                  unsigned vcpus)
        : host_(host) {
        for (unsigned i = 0; i < vcpus; ++i) cpus_.push_back(&machine.add_cpu(name + std::to_string(i)));
        kernel = std::make_unique<Kernel>(name, machine, cpus_, kGuestLayout);
        domain = *host.create_domain({.name = name, .vcpus = vcpus, .max_frames = kGuestFrames});
        EXPECT_TRUE(host.populate(domain, Gfn{0}, kGuestFrames));
        Binding binding{{}, &host.address_space(domain), domain};
        for (std::uint32_t i = 0; i < vcpus; ++i) {
            host.attach_vcpu(domain, VcpuId{i}, *cpus_[i]);
            binding.vcpus.push_back(&host.hypercalls(domain, VcpuId{i}));
        }
        kernel->bind(binding);
        EXPECT_TRUE(host.unpause(domain));
    }
    ~ThreadedGuest() {
        for (Cpu* cpu : cpus_) cpu->freeze();
        kernel->domain_died();
        (void)host_.kill_domain(domain);
        for (Cpu* cpu : cpus_) cpu->kill();
        (void)host_.destroy_domain(domain);
    }

    DomId domain;
    std::unique_ptr<Kernel> kernel;

private:
    hypervisor::Hypervisor& host_;
    std::vector<Cpu*> cpus_;
};

TEST(GuestThreads, TwoGuestsExchangeNumbersOverAGrantAndAnEventChannel) {
    threads::ThreadMachine machine;
    hypervisor::Hypervisor host(machine, {.frames = 512});
    for (int round = 0; round < 20; ++round) {
        Handshake handshake;
        ThreadedGuest front(machine, host, "front", 1), back(machine, host, "back", 1);
        front.kernel->spawn_on(VcpuId{0}, "ping", TaskRole::work, [&] { ping(*front.kernel, back.domain, handshake); });
        back.kernel->spawn_on(VcpuId{0}, "pong", TaskRole::work, [&] { pong(*back.kernel, front.domain, handshake); });
        ASSERT_TRUE(machine.wait_for_work(kPatience)) << machine.state();
        EXPECT_EQ(front.kernel->events().ports_in_use() + back.kernel->events().ports_in_use(), 0u);
        EXPECT_EQ(front.kernel->memory().frames_in_use(), 0u);
    }
}

TEST(GuestThreads, FourVcpusOfOneGuestUseItsServicesAtOnce) {
    threads::ThreadMachine machine;
    hypervisor::Hypervisor host(machine, {.frames = 512});
    ThreadedGuest guest(machine, host, "guest", 4), peer(machine, host, "peer", 1);
    Kernel& kernel = *guest.kernel;
    std::atomic<unsigned> events = 0;
    kernel.spawn_on(VcpuId{0}, "boot", TaskRole::work, [&] {
        ASSERT_TRUE(kernel.boot());
        for (std::uint32_t v = 0; v < 4; ++v) {
            kernel.spawn_on(VcpuId{v}, "worker", TaskRole::work, [&, v] {
                for (int i = 0; i < 200; ++i) {
                    auto frame = kernel.memory().allocate();
                    ASSERT_TRUE(frame);
                    auto grant = kernel.grants().grant(peer.domain, (*frame)->gfn(), Access::read_write);
                    ASSERT_TRUE(grant);
                    auto near = kernel.events().alloc_unbound(kernel.domid(), [&] { ++events; });
                    ASSERT_TRUE(near);
                    ASSERT_TRUE(kernel.events().bind_vcpu(*near, VcpuId{(v + 1) % 4}));
                    auto far = kernel.events().bind_interdomain(kernel.domid(), near->port(), [] {});
                    ASSERT_TRUE(far);
                    ASSERT_TRUE(far->notify());
                    if (i % 50 == 0) sleep_for(kernel.clock(), 1_ms);
                    far->close();
                    near->close();
                    grant->reset(std::move(*frame));
                }
            });
        }
    });
    ASSERT_TRUE(machine.wait_for_work(kPatience)) << machine.state();
    EXPECT_GT(events.load(), 0u);
    EXPECT_EQ(kernel.events().ports_in_use(), 0u);
    EXPECT_EQ(kernel.grants().grants_in_use(), 0u);
    EXPECT_EQ(kernel.memory().frames_in_use(), 0u);
}

TEST(GuestThreads, TasksAreSpawnedFromEveryVcpuAndFromOutsideAtOnce) {
    threads::ThreadMachine machine;
    hypervisor::Hypervisor host(machine, {.frames = 512});
    ThreadedGuest guest(machine, host, "guest", 2);
    constexpr unsigned kEach = 300;
    std::atomic<unsigned> ran = 0;
    const auto spawn_many = [&] {
        for (unsigned i = 0; i < kEach; ++i) guest.kernel->spawn("short", TaskRole::work, [&] { ++ran; });
    };
    for (std::uint32_t v = 0; v < 2; ++v) guest.kernel->spawn_on(VcpuId{v}, "spawner", TaskRole::work, spawn_many);
    spawn_many();
    ASSERT_TRUE(machine.wait_for_work(kPatience)) << machine.state();
    EXPECT_EQ(ran.load(), 3 * kEach);
}

}  // namespace
}  // namespace xenrig::guest::test
