// More vCPUs than processors, in a world: who computes when, and what guests read of it (vcpu.h, sched.h).
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sim/engine/engine.h"
#include "sim/engine/sources.h"
#include "sim/hypervisor/hypervisor.h"
#include "sim/hypervisor/xen_abi.h"
#include "xenrig/platform/lock.h"
#include "xenrig/world/run.h"

namespace xenrig::world {
namespace {

using hypervisor::DomainConfig;
using hypervisor::HostConfig;
using hypervisor::Hypervisor;

std::uint64_t ms(std::uint64_t ns) { return ns / 1'000'000; }

struct Processors : testing::Test {
    explicit Processors(unsigned count = 1) : host(std::make_unique<Hypervisor>(engine, HostConfig{.cpus = count})) {}
    ~Processors() override {
        for (Cpu* cpu : cpus) engine.remove_cpu(*cpu);
    }

    /// A domain whose vCPUs run what they are given.
    DomId domain(const std::string& name, unsigned vcpus, std::uint16_t weight = 256, std::uint16_t cap = 0) {
        DomainConfig config{.name = name, .vcpus = vcpus, .weight = weight, .cap = cap};
        const DomId dom = host->create_domain(config).value();
        for (unsigned v = 0; v < vcpus; ++v) {
            cpus.push_back(&engine.add_cpu(name + std::to_string(v)));
            host->attach_vcpu(dom, VcpuId{v}, *cpus.back());
        }
        host->unpause(dom).value();
        return dom;
    }
    void computes(Cpu& cpu, Nanoseconds duration) {
        cpu.spawn("computes", TaskRole::work, [duration] {
            for (Nanoseconds left = duration; left.value != 0; left = left - 1_ms) scheduler->work(1_ms);
        });
    }
    std::uint64_t time(DomId dom, unsigned v, int state) {
        return ms(host->vcpu_times(dom, VcpuId{v}).spent[static_cast<std::size_t>(state)]);
    }

    engine::MildSource mild;
    engine::Engine engine{mild, {}};
    std::unique_ptr<Hypervisor> host;
    std::vector<Cpu*> cpus;
};

struct TwoProcessors : Processors {
    TwoProcessors() : Processors(2) {}
};

TEST_F(Processors, TwoVcpusOnOneProcessorTakeTurnsAndEachHasWaitedForTheOther) {
    const DomId dom = domain("d", 2);
    computes(*cpus[0], 90_ms);
    computes(*cpus[1], 90_ms);
    ASSERT_EQ(engine.run(), engine::Stopped::quiet);
    EXPECT_EQ(time(dom, 0, RUNSTATE_running), 90u);
    EXPECT_EQ(time(dom, 1, RUNSTATE_running), 90u);
    EXPECT_GE(time(dom, 0, RUNSTATE_runnable), 60u) << "steal time";
    EXPECT_GE(time(dom, 1, RUNSTATE_runnable), 60u);
    EXPECT_GT(host->vcpu_times(dom, VcpuId{0}).preempted + host->vcpu_times(dom, VcpuId{1}).preempted, 2u);
}

TEST_F(TwoProcessors, TwoVcpusOnTwoProcessorsComputeAtTheSameTime) {
    const DomId dom = domain("d", 2);
    computes(*cpus[0], 90_ms);
    computes(*cpus[1], 60_ms);
    ASSERT_EQ(engine.run(), engine::Stopped::quiet);
    EXPECT_EQ(time(dom, 0, RUNSTATE_running), 90u);
    EXPECT_EQ(time(dom, 0, RUNSTATE_runnable), 0u);
    EXPECT_EQ(time(dom, 1, RUNSTATE_running), 60u);
    EXPECT_GE(time(dom, 1, RUNSTATE_blocked), 30u);
}

TEST_F(Processors, AHeavierDomainComputesInProportionToItsWeight) {
    const DomId light = domain("light", 1, 256), heavy = domain("heavy", 1, 512);
    computes(*cpus[0], 20'000_ms);
    computes(*cpus[1], 10'000_ms);
    engine.run_until([&] { return time(heavy, 0, RUNSTATE_running) >= 6'000; });
    EXPECT_NEAR(static_cast<double>(time(light, 0, RUNSTATE_running)), 3'000, 200);
}

TEST_F(Processors, ACappedDomainIsOfflineWhileItHasUsedItsShare) {
    const DomId dom = domain("capped", 1, 256, 50);
    computes(*cpus[0], 600_ms);
    ASSERT_EQ(engine.run(), engine::Stopped::quiet);
    EXPECT_EQ(time(dom, 0, RUNSTATE_running), 600u);
    EXPECT_NEAR(static_cast<double>(time(dom, 0, RUNSTATE_offline)), 600, 90);
}

TEST_F(Processors, AVcpuLosesItsProcessorInTheMiddleOfACriticalSectionAndOthersSpinForIt) {
    domain("d", 2);
    IrqLock lock("shared");
    cpus[0]->spawn("holds", TaskRole::work, [&] {
        lock.lock();
        scheduler->work(40_ms);
        lock.unlock();
    });
    cpus[1]->spawn("wants", TaskRole::work, [&] {
        scheduler->work(1_ms);
        lock.lock();
        lock.unlock();
    });
    ASSERT_EQ(engine.run(), engine::Stopped::quiet);
    EXPECT_GE(engine.processor_counts().holder_descheduled, 1u);
    EXPECT_GT(engine.processor_counts().spins, 10'000u) << "most of a slice";
}

TEST_F(Processors, WhoYieldsGivesItsProcessorAway) {
    const DomId dom = domain("d", 2);
    std::vector<int> order;
    const auto turn = [&](unsigned v) {
        for (int i = 0; i < 3; ++i) {
            order.push_back(static_cast<int>(v));
            scheduler->work(100_us);
            EXPECT_EQ(hypercall(host->hypercalls(dom, VcpuId{v}), __HYPERVISOR_sched_op, SCHEDOP_yield, 0), 0);
        }
    };
    for (unsigned v = 0; v < 2; ++v) cpus[v]->spawn("turns", TaskRole::work, [&, v] { turn(v); });
    ASSERT_EQ(engine.run(), engine::Stopped::quiet);
    EXPECT_EQ(order, (std::vector<int>{0, 1, 0, 1, 0, 1}));
}

TEST_F(TwoProcessors, APinnedVcpuComputesOnItsOwnProcessorAloneAndKnowsItsNumber) {
    const DomId dom0 = host->create_domain({.name = "dom0", .vcpus = 2, .privileged = true}).value();
    for (unsigned v = 0; v < 2; ++v) {
        cpus.push_back(&engine.add_cpu("dom0v" + std::to_string(v)));
        host->attach_vcpu(dom0, VcpuId{v}, *cpus[v]);
    }
    host->unpause(dom0).value();
    const auto pin = [&](unsigned v, int processor) {
        sched_pin_override_t op{.pcpu = processor};
        return hypercall(host->hypercalls(dom0, VcpuId{v}), __HYPERVISOR_sched_op, SCHEDOP_pin_override, &op);
    };
    for (unsigned v = 0; v < 2; ++v)
        cpus[v]->spawn("pins", TaskRole::work, [&, v] {
            EXPECT_EQ(pin(v, 2), -static_cast<int>(Errno::inval)) << "there are two";
            EXPECT_EQ(pin(v, 1), 0);
            EXPECT_EQ(pin(v, 0), -static_cast<int>(Errno::busy));
            vcpu_get_physid_t id{};
            EXPECT_EQ(hypercall(host->hypercalls(dom0, VcpuId{v}), __HYPERVISOR_vcpu_op, VCPUOP_get_physid, v, &id), 0);
            EXPECT_EQ(id.phys_id, 0x1'0000'0001u);
            scheduler->work(90_ms);
            EXPECT_EQ(pin(v, -1), 0);
            EXPECT_EQ(pin(v, -1), -static_cast<int>(Errno::inval));
        });
    ASSERT_EQ(engine.run(), engine::Stopped::quiet);
    EXPECT_GE(time(dom0, 0, RUNSTATE_runnable) + time(dom0, 1, RUNSTATE_runnable), 60u);
}

TEST_F(Processors, ARegisteredAreaIsKeptUpToDateWithoutAHypercall) {
    const DomId dom = domain("d", 2);
    vcpu_runstate_info_t area{};
    vcpu_time_info_t clock{};
    cpus[0]->spawn("registers", TaskRole::work, [&] {
        vcpu_register_runstate_memory_area_t op{};
        op.addr.h.p = &area;
        auto& calls = host->hypercalls(dom, VcpuId{0});
        EXPECT_EQ(hypercall(calls, __HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area, 0, &op), 0);
        vcpu_register_time_memory_area_t at{};
        at.addr.h.p = &clock;
        EXPECT_EQ(hypercall(calls, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_time_memory_area, 0, &at), 0);
        EXPECT_EQ(area.state, RUNSTATE_running);
        const std::uint32_t version = clock.version;
        scheduler->work(70_ms);
        EXPECT_EQ(area.state, RUNSTATE_running);
        EXPECT_GE(ms(area.time[RUNSTATE_runnable]), 30u) << "what the other had";
        EXPECT_LE(area.state_entry_time, scheduler->now().value);
        EXPECT_GT(clock.version, version);
        EXPECT_EQ(clock.version % 2, 0u);
        EXPECT_GE(ms(clock.system_time), 60u);
    });
    computes(*cpus[1], 70_ms);
    ASSERT_EQ(engine.run(), engine::Stopped::quiet);
    EXPECT_EQ(area.state, RUNSTATE_blocked);
}

TEST_F(Processors, TheTimeOfAllStatesTogetherIsTheTimeSinceTheVcpuWasMade) {
    const DomId dom = domain("d", 2);
    computes(*cpus[0], 50_ms);
    computes(*cpus[1], 80_ms);
    ASSERT_EQ(engine.run(), engine::Stopped::quiet);
    for (unsigned v = 0; v < 2; ++v) {
        std::uint64_t sum = 0;
        for (const std::uint64_t t : host->vcpu_times(dom, VcpuId{v}).spent) sum += t;
        EXPECT_EQ(sum, engine.now().value);
    }
}

TEST_F(Processors, AVcpuThatIsDownHasNoPartInIt) {
    const DomId dom = domain("d", 3);
    auto& calls = host->hypercalls(dom, VcpuId{0});
    cpus[0]->spawn("stops others", TaskRole::work, [&] {
        EXPECT_EQ(hypercall(calls, __HYPERVISOR_vcpu_op, VCPUOP_down, 1, 0), 0);
        EXPECT_EQ(hypercall(calls, __HYPERVISOR_vcpu_op, VCPUOP_is_up, 1, 0), 0);
        scheduler->work(100_ms);
        EXPECT_EQ(time(dom, 1, RUNSTATE_running), 0u);
        EXPECT_EQ(hypercall(calls, __HYPERVISOR_vcpu_op, VCPUOP_up, 1, 0), 0);
    });
    computes(*cpus[1], 30_ms);
    ASSERT_EQ(engine.run(), engine::Stopped::quiet);
    EXPECT_EQ(time(dom, 1, RUNSTATE_running), 30u);
    EXPECT_GE(time(dom, 1, RUNSTATE_offline), 100u);
}

/// Whatever may come instead comes.
class EagerSource final : public engine::Source {
public:
    std::uint64_t next(engine::StreamKey, engine::StreamKind, std::uint64_t from) override { return from; }
    std::uint32_t answer(engine::StreamKey, engine::StreamKind, std::uint64_t, std::uint32_t) override { return 1; }
};

TEST(Multicall, AnUpcallComesBetweenTwoEntriesAndTheOthersAreMadeAfterIt) {
    EagerSource eager;
    engine::Engine engine{eager, {}};
    Hypervisor host{engine, {}};
    Cpu& cpu = engine.add_cpu("v0");
    const DomId dom = host.create_domain({.name = "d"}).value();
    host.set_param(dom, HVM_PARAM_CALLBACK_IRQ, std::uint64_t{HVM_PARAM_CALLBACK_TYPE_VECTOR} << 56 | 0xf3).value();
    host.attach_vcpu(dom, VcpuId{0}, cpu);
    host.unpause(dom).value();
    auto& calls = host.hypercalls(dom, VcpuId{0});
    auto* info = reinterpret_cast<shared_info_t*>(host.shared_info(dom))->vcpu_info;

    evtchn_bind_ipi_t ipi{};
    evtchn_send_t send{};
    std::array<multicall_entry_t, 3> entries{};
    constexpr xen_ulong_t kNotYet = 99;
    struct Handler final : Upcall {
        std::function<bool()> is_pending;
        std::function<void()> handle;
        bool pending() override { return is_pending(); }
        void deliver() override { handle(); }
    } handler;
    std::vector<xen_ulong_t> seen;
    handler.is_pending = [&] { return host.upcall_pending(dom, VcpuId{0}); };
    handler.handle = [&] {
        info[0].evtchn_upcall_pending = 0;
        for (const multicall_entry_t& entry : entries) seen.push_back(entry.result);
    };
    cpu.set_upcall(&handler);
    std::int64_t answer = -1;
    cpu.spawn("calls", TaskRole::work, [&] {
        ASSERT_EQ(hypercall(calls, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, &ipi), 0);
        send.port = ipi.port;
        entries[0] = {.op = __HYPERVISOR_xen_version, .result = kNotYet, .args = {XENVER_version}};
        entries[1] = {.op = __HYPERVISOR_event_channel_op,
                      .result = kNotYet,
                      .args = {EVTCHNOP_send, reinterpret_cast<xen_ulong_t>(&send)}};
        entries[2] = {.op = __HYPERVISOR_xen_version, .result = kNotYet, .args = {XENVER_version}};
        answer = hypercall(calls, __HYPERVISOR_multicall, entries.data(), entries.size());
    });
    ASSERT_EQ(engine.run(), engine::Stopped::quiet);
    cpu.set_upcall(nullptr);
    const xen_ulong_t version = entries[0].result;
    EXPECT_EQ(answer, 0);
    EXPECT_EQ(seen, (std::vector<xen_ulong_t>{version, 0, kNotYet}));
    EXPECT_EQ(entries[2].result, version);
    engine.remove_cpu(cpu);
}

TEST(ScarceProcessors, WorldsWithDisksFaultsAndMovesAreWellOnFewerProcessorsThanVcpus) {
    for (const char* name : {"blk-migrate", "blk-chaos", "blk-hotplug"}) {
        Scenario scenario =
            load_scenario(std::string(XENRIG_SOURCE_DIR "/fixtures/scenarios/") + name + ".toml").value();
        const std::uint32_t before = scenario.hash();
        unsigned cpus = 0;
        for (HostSpec& host : scenario.hosts) host.cpus = ++cpus;
        EXPECT_NE(scenario.hash(), before);
        std::uint64_t last = 0;
        for (std::uint64_t seed = 0; seed < 4; ++seed) {
            const RunReport r = run(scenario, {.seed = seed});
            ASSERT_TRUE(r.ok()) << name << " " << seed << " " << r.problems[0].rule << ": " << r.problems[0].text;
            EXPECT_NE(r.hash, last);
            last = r.hash;
            const auto again = replay(scenario, r.token);
            ASSERT_TRUE(again);
            EXPECT_EQ(again->hash, r.hash);
        }
    }
}

}  // namespace
}  // namespace xenrig::world
