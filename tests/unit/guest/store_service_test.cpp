// The guest's store client against the real daemon, and a live migration by the toolstack with the store in use.
#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "sim/engine/engine.h"
#include "sim/engine/sources.h"
#include "sim/toolstack/toolstack.h"
#include "xenrig/guest/kernel.h"

namespace xenrig::guest::test {
namespace {

using toolstack::DomainSpec;
using toolstack::Host;
using toolstack::MemoryPlan;
using toolstack::Toolstack;

constexpr std::uint64_t kFrames = 64;

struct StoreWorld {
    StoreWorld(std::uint64_t seed, engine::Model model) : source(seed), engine(source, {.model = model}) {
        for (unsigned i = 0; i < 2; ++i)
            hosts.push_back(std::make_unique<Host>(
                engine, toolstack::HostOptions{.name = std::string(1, static_cast<char>('a' + i)), .index = i}));
        for (unsigned i = 0; i < spec.vcpus; ++i) cpus.push_back(&engine.add_cpu("guest.v" + std::to_string(i)));
        kernel = std::make_unique<Kernel>("guest", engine, cpus, MemoryPlan(kFrames).layout());
    }
    ~StoreWorld() {
        kernel->domain_died();
        for (Cpu* cpu : cpus) cpu->kill();
        kernel.reset();
        // Before the hosts: what a toolstack's task still holds is the control domain's.
        while (!hosts.empty()) hosts.pop_back();
    }

    void bind(Host& host, DomId domain) {
        Binding binding{{}, &host.xen().address_space(domain), domain};
        for (std::uint32_t v = 0; v < spec.vcpus; ++v) {
            host.xen().attach_vcpu(domain, VcpuId{v}, *cpus[v]);
            binding.vcpus.push_back(&host.xen().hypercalls(domain, VcpuId{v}));
        }
        kernel->bind(binding);
    }

    /// Runs `job` in a task of the first host's control domain once the guest has been started there.
    void with_guest(std::function<void(DomId)> job) {
        wait_booted([this, job = std::move(job)] {
            Toolstack tools(*hosts[0]);
            const auto domain = tools.build(spec);
            ASSERT_TRUE(domain) << domain.error().to_string();
            bind(*hosts[0], *domain);
            ASSERT_TRUE(hosts[0]->xen().unpause(*domain));
            job(*domain);
        });
    }
    void wait_booted(std::function<void()> then) {
        const auto stopped = engine.run_until([this] { return hosts[0]->booted() && hosts[1]->booted(); });
        ASSERT_EQ(stopped, engine::Stopped::condition) << problems();
        hosts[0]->control().spawn_on(VcpuId{0}, "toolstack", TaskRole::work, std::move(then));
    }

    std::string problems() const {
        return engine.problems().empty() ? ""
                                         : engine.problems().front().oracle + ": " + engine.problems().front().text;
    }
    void run() {
        engine.run();
        EXPECT_EQ(problems(), "");
        for (const auto& host : hosts) EXPECT_EQ(host->xen().audit(), "");
    }

    engine::SeededSource source;
    engine::Engine engine;
    DomainSpec spec{.name = "guest", .vcpus = 2, .frames = kFrames};
    std::vector<std::unique_ptr<Host>> hosts;
    std::vector<Cpu*> cpus;
    std::unique_ptr<Kernel> kernel;
};

TEST(StoreService, AGuestReadsWritesAndWatchesItsOwnHomeAndMayNotTouchOthers) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        StoreWorld world(seed, seed % 2 == 0 ? engine::Model::tso : engine::Model::relaxed);
        bool done = false;
        std::set<std::string> fired;
        Watch watch;
        world.kernel->spawn_on(VcpuId{0}, "boot", TaskRole::work, [&] {
            const auto booted = world.kernel->boot();
            ASSERT_TRUE(booted) << booted.error().to_string();
            Store& store = world.kernel->store();
            EXPECT_EQ(*store.read(StoreTx::none, "name"), "guest");
            EXPECT_EQ(*store.read(StoreTx::none, "control/feature-suspend"), "1");
            watch = *store.watch("data", [&](const std::string& path) { fired.insert(path); });
            ASSERT_TRUE(store.write(StoreTx::none, "data/a/b", "1"));
            EXPECT_EQ(*store.directory(StoreTx::none, "data"), std::vector<std::string>{"a"});
            EXPECT_EQ(store.write(StoreTx::none, "/local/domain/0/x", "1").error().code, Errno::access);
            EXPECT_EQ(store.read(StoreTx::none, "data/none").error().code, Errno::noent);
            const auto perms = store.get_perms(StoreTx::none, "data");
            ASSERT_TRUE(perms);
            EXPECT_EQ(perms->front().domain, world.kernel->domid());
            done = true;
        });
        world.with_guest([](DomId) {});
        world.run();
        EXPECT_TRUE(done);
        EXPECT_EQ(fired, (std::set<std::string>{"data", "data/a/b"})) << "seed " << seed;
        if (testing::Test::HasFailure()) break;
    }
}

TEST(StoreService, TransactionsThatCollideAreTriedAgainAndLoseNoUpdate) {
    constexpr int kSeeds = 10, kTasks = 3, kEach = 4;
    int tries = 0;
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
        StoreWorld world(seed, engine::Model::sc);
        world.kernel->spawn_on(VcpuId{0}, "boot", TaskRole::work, [&] {
            ASSERT_TRUE(world.kernel->boot());
            ASSERT_TRUE(world.kernel->store().write(StoreTx::none, "data/sum", "0"));
            for (int task = 0; task < kTasks; ++task) {
                world.kernel->spawn("adder", TaskRole::work, [&] {
                    Store& store = world.kernel->store();
                    for (int i = 0; i < kEach; ++i) {
                        const auto added = store.transaction([&](StoreTx tx) -> Result<> {
                            ++tries;
                            const auto sum = store.read(tx, "data/sum");
                            if (!sum) return std::unexpected(sum.error());
                            return store.write(tx, "data/sum", std::to_string(std::stoi(*sum) + 1));
                        });
                        EXPECT_TRUE(added);
                    }
                });
            }
        });
        std::string sum;
        world.with_guest([](DomId) {});
        world.run();
        world.kernel->spawn("reader", TaskRole::work,
                            [&] { sum = *world.kernel->store().read(StoreTx::none, "data/sum"); });
        world.run();
        EXPECT_EQ(sum, std::to_string(kTasks * kEach)) << "seed " << seed;
        if (testing::Test::HasFailure()) return;
    }
    EXPECT_GT(tries, kSeeds * kTasks * kEach) << "some collided";
}

TEST(StoreService, ALiveMigrationFindsTheStoreAndItsWatchesOnTheNewHost) {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        StoreWorld world(seed, seed % 2 == 0 ? engine::Model::sc : engine::Model::tso);
        Kernel& kernel = *world.kernel;
        bool booted = false;
        std::atomic<bool> stop = false;
        unsigned written = 0, fired_there = 0;
        DomId there{};
        Watch watch;
        kernel.spawn_on(VcpuId{0}, "boot", TaskRole::work, [&] {
            ASSERT_TRUE(kernel.boot());
            watch = *kernel.store().watch("data", [&](const std::string&) {
                if (kernel.domid() == there) ++fired_there;
            });
            // Traffic of all kinds, wherever the suspend finds it.
            kernel.spawn_on(VcpuId{1}, "writer", TaskRole::work, [&] {
                Store& store = kernel.store();
                while (!stop) {
                    const auto done = store.transaction([&](StoreTx tx) -> Result<> {
                        if (auto wrote = store.write(tx, "data/n", std::to_string(written)); !wrote) return wrote;
                        const auto read = store.read(tx, "data/n");
                        if (!read) return std::unexpected(read.error());
                        EXPECT_EQ(*read, std::to_string(written));
                        return {};
                    });
                    // A transaction that the move fell between is refused by the new store, which never heard of it.
                    EXPECT_TRUE(done) << done.error().to_string();
                    ++written;
                }
            });
            booted = true;
        });
        world.with_guest([&](DomId domain) {
            while (!booted || written < 2) scheduler->yield();
            Toolstack from(*world.hosts[0]), to(*world.hosts[1]);
            unsigned missed = 0;
            const auto moved = toolstack::Migration{.from = from,
                                                    .to = to,
                                                    .domain = domain,
                                                    .spec = world.spec,
                                                    .bind =
                                                        [&](Host& host, DomId now) {
                                                            there = now;
                                                            world.bind(host, now);
                                                        },
                                                    .missed = [&](toolstack::DirtyLogMiss) { ++missed; }}
                                   .run();
            ASSERT_TRUE(moved) << moved.error().to_string();
            EXPECT_EQ(missed, 0u);
            const unsigned now = written;
            while (written < now + 2) scheduler->yield();
            stop = true;
        });
        world.run();
        EXPECT_TRUE(stop);
        EXPECT_EQ(kernel.domid(), there);
        EXPECT_GT(fired_there, 0u) << "registered again, a watch fires";
        EXPECT_EQ(kernel.refused(), 0u);
        if (testing::Test::HasFailure()) {
            ADD_FAILURE() << "seed " << seed;
            break;
        }
    }
}

}  // namespace
}  // namespace xenrig::guest::test
