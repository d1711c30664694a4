// The engine's scheduler: tasks, upcalls, time, pause, death; and that equal choices give equal traces.
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/engine/engine.h"
#include "sim/engine/sources.h"
#include "xenrig/platform/lock.h"
#include "xenrig/platform/wait_queue.h"
#include "xenrig/shared/door.h"

namespace xenrig::engine {
namespace {

struct Page {
    alignas(64) std::array<std::byte, kPageSize> bytes{};
    shared::LeasePtr lease = std::make_shared<shared::Lease>();
    shared::Window window{bytes.data(), lease};
};

/// Two vCPUs that each add to a counter under a lock, and one that reads it.
std::uint64_t counting_world(Source& source, Model model, std::uint32_t& total) {
    Page page;
    Engine engine{source, {.model = model}};
    IrqLock lock{"counter"};
    for (const char* name : {"v0", "v1", "v2"}) {
        engine.add_cpu(name).spawn("adder", TaskRole::work, [&] {
            for (int i = 0; i < 10; ++i) {
                lock.lock();
                shared::new_decision();
                const auto v = shared::load<std::uint32_t>(page.window, 0);
                shared::store<std::uint32_t>(page.window, 0, v + 1);
                lock.unlock();
            }
        });
    }
    EXPECT_EQ(engine.run(), Stopped::quiet) << (engine.problems().empty() ? "" : engine.problems()[0].text);
    std::memcpy(&total, page.bytes.data(), 4);
    return engine.trace_log().hash();
}

TEST(Scheduling, EqualSeedsGiveEqualTracesAndALockProtectsUnderEachModel) {
    std::set<std::uint64_t> hashes;
    for (const Model model : {Model::sc, Model::tso, Model::relaxed}) {
        for (std::uint64_t seed = 0; seed < 50; ++seed) {
            SeededSource one{seed}, again{seed};
            std::uint32_t total = 0;
            const auto hash = counting_world(one, model, total);
            EXPECT_EQ(total, 30u) << "seed " << seed;
            EXPECT_EQ(counting_world(again, model, total), hash) << "seed " << seed;
            hashes.insert(hash);
        }
    }
    EXPECT_GT(hashes.size(), 60u);
}

TEST(Scheduling, WithoutTheLockSomeSeedLosesAnUpdate) {
    bool lost = false;
    for (std::uint64_t seed = 0; seed < 50 && !lost; ++seed) {
        Page page;
        SeededSource source{seed};
        Engine engine{source, {}};
        for (const char* name : {"v0", "v1"}) {
            engine.add_cpu(name).spawn("adder", TaskRole::work, [&] {
                shared::new_decision();
                const auto v = shared::load<std::uint32_t>(page.window, 0);
                shared::store<std::uint32_t>(page.window, 0, v + 1);
            });
        }
        engine.run();
        lost = page.bytes[0] == std::byte{1};
    }
    EXPECT_TRUE(lost);
}

TEST(Scheduling, AWaitThatNobodyEndsIsReportedWithWhatItWaitsFor) {
    MildSource mild;
    Lock lock{"requests lock"};
    WaitQueue requests{"requests", [] { return std::string("req_prod 0, req_cons 0"); }};
    Engine engine{mild, {}};
    engine.add_cpu("d1v0").spawn("reader", TaskRole::work, [&] {
        lock.lock();
        requests.wait(lock, [] { return false; });
        lock.unlock();
    });
    EXPECT_EQ(engine.run(), Stopped::problem);
    ASSERT_EQ(engine.problems().size(), 1u);
    EXPECT_EQ(engine.problems()[0].oracle, "quiet-with-work");
    EXPECT_NE(engine.problems()[0].text.find("reader"), std::string::npos);
    EXPECT_NE(engine.problems()[0].text.find("req_prod 0"), std::string::npos);
}

TEST(Scheduling, AServiceThatWaitsWhenAllIsQuietIsWell) {
    MildSource mild;
    Lock lock{"lock"};
    WaitQueue queue{"work"};
    Engine engine{mild, {}};
    engine.add_cpu("d0v0").spawn("service", TaskRole::service, [&] {
        lock.lock();
        queue.wait(lock, [] { return false; });
    });
    EXPECT_EQ(engine.run(), Stopped::quiet);
}

TEST(Scheduling, TwoTasksHandOverThroughAWaitQueueInEverySchedule) {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        SeededSource source{seed};
        Lock lock{"baton"};
        WaitQueue turn{"turn"};
        Engine engine{source, {}};
        int at = 0;
        const auto runner = [&](int parity) {
            for (int i = 0; i < 5; ++i) {
                lock.lock();
                turn.wait(lock, [&] { return at % 2 == parity; });
                ++at;
                turn.wake_all();
                lock.unlock();
            }
        };
        Cpu& one = engine.add_cpu("v0");
        one.spawn("even", TaskRole::work, [&] { runner(0); });
        (seed % 2 ? one : engine.add_cpu("v1")).spawn("odd", TaskRole::work, [&] { runner(1); });
        ASSERT_EQ(engine.run(), Stopped::quiet) << engine.problems()[0].text;
        EXPECT_EQ(at, 10);
    }
}

struct CountingUpcall final : Upcall {
    bool raised = false;
    int delivered = 0;
    std::function<void()> body = [] {};
    bool pending() override { return raised; }
    void deliver() override {
        raised = false;
        ++delivered;
        body();
    }
};

TEST(Scheduling, AnUpcallComesInTheMiddleOfATaskButNeverUnderAnIrqLock) {
    bool in_the_middle = false;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        Page page;
        SeededSource source{seed};
        CountingUpcall upcall;
        Engine engine{source, {}};
        Cpu& cpu = engine.add_cpu("v0");
        cpu.set_upcall(&upcall);
        IrqLock lock{"irq"};
        bool locked = false, before_end = false, ended = false;
        upcall.body = [&] {
            EXPECT_FALSE(locked);
            before_end = !ended;
        };
        upcall.raised = true;
        cpu.spawn("task", TaskRole::work, [&] {
            for (int i = 0; i < 20; ++i) {
                lock.lock();
                locked = true;
                shared::store<std::uint32_t>(page.window, 0, 1);
                shared::store<std::uint32_t>(page.window, 4, 1);
                locked = false;
                lock.unlock();
            }
            ended = true;
        });
        EXPECT_EQ(engine.run(), Stopped::quiet);
        EXPECT_EQ(upcall.delivered, 1);
        in_the_middle |= before_end;
    }
    EXPECT_TRUE(in_the_middle);
}

TEST(Scheduling, TimePassesToTheNextTimerWhenAllIsIdle) {
    MildSource mild;
    Engine engine{mild, {}};
    std::vector<int> fired;
    engine.at(2_ms, [&] { fired.push_back(2); });
    engine.at(1_ms, [&] { fired.push_back(1); });
    const TimerId never = engine.at(3_ms, [&] { fired.push_back(3); });
    EXPECT_TRUE(engine.cancel(never));
    EXPECT_FALSE(engine.cancel(never));
    engine.run();
    EXPECT_EQ(fired, (std::vector<int>{1, 2}));
    EXPECT_EQ(static_cast<const Engine&>(engine).now(), 2_ms);
}

TEST(Scheduling, APausedVcpuStandsStillUntilItIsUnpaused) {
    Page page;
    MildSource mild;
    Engine engine{mild, {}};
    Cpu& cpu = engine.add_cpu("v0");
    int steps = 0;
    cpu.spawn("task", TaskRole::work, [&] {
        for (; steps < 10; ++steps) {
            if (steps == 5) cpu.pause();
            shared::store<std::uint32_t>(page.window, 0, 1);
        }
    });
    EXPECT_EQ(engine.run(), Stopped::quiet);
    EXPECT_EQ(steps, 5);
    cpu.unpause();
    EXPECT_EQ(engine.run(), Stopped::quiet);
    EXPECT_EQ(steps, 10);
}

TEST(Scheduling, AKilledVcpuUnwindsItsTasksStacks) {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        Page page;
        SeededSource source{seed};
        Lock lock{"lock"};
        WaitQueue queue{"never"};
        Engine engine{source, {}};
        int alive = 0;
        struct Life {
            int& count;
            explicit Life(int& c) : count(c) { ++count; }
            ~Life() { --count; }
        };
        Cpu& cpu = engine.add_cpu("v0");
        for (int i = 0; i < 3; ++i) {
            cpu.spawn("task", TaskRole::service, [&] {
                const Life life{alive};
                for (int k = 0; k < 5; ++k) shared::store<std::uint32_t>(page.window, 0, 1);
                lock.lock();
                queue.wait(lock, [] { return false; });
            });
        }
        engine.run_until([&] { return engine.steps() > seed; });
        cpu.kill();
        EXPECT_EQ(alive, 0);
        EXPECT_EQ(engine.run(), Stopped::quiet);
    }
}

TEST(Scheduling, AnExceptionInFlightStaysWithItsTask) {
    Page page;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        SeededSource source{seed};
        Engine engine{source, {}};
        int caught = 0;
        for (const char* name : {"v0", "v1"}) {
            engine.add_cpu(name).spawn("thrower", TaskRole::work, [&, name] {
                try {
                    throw std::string(name);
                } catch (const std::string&) {
                    for (int i = 0; i < 10; ++i) shared::store<std::uint32_t>(page.window, 0, 1);
                    try {
                        throw;
                    } catch (const std::string& again) {
                        caught += again == name ? 1 : 0;
                    }
                }
            });
        }
        engine.run();
        EXPECT_EQ(caught, 2);
    }
}

TEST(Scheduling, AStepHookRunsBeforeItsStepAndSaysWhoRunsNext) {
    Page page;
    MildSource mild;
    Engine engine{mild, {}};
    std::string order;
    Cpu& second = engine.add_cpu("v1");
    engine.add_cpu("v0").spawn("long", TaskRole::work, [&] {
        for (int i = 0; i < 4; ++i) {
            shared::store<std::uint32_t>(page.window, 0, 1);
            order += 'a';
        }
    });
    engine.at_step(3, [&]() -> Cpu* {
        second.spawn("short", TaskRole::work, [&] { order += 'B'; });
        return &second;
    });
    engine.run();
    EXPECT_EQ(order, "aaBaa");
}

TEST(Watching, TwoFetchesOfTheSameBytesInOneDecisionAreReportedWithBothPlaces) {
    Page page;
    MildSource mild;
    Engine engine{mild, {}};
    page.lease->name = "d1 gref 8";
    engine.add_cpu("v0").spawn("parser", TaskRole::work, [&] {
        shared::new_decision();
        (void)shared::load<std::uint32_t>(page.window, 64, shared::Fetch::poll);
        (void)shared::load<std::uint32_t>(page.window, 64, shared::Fetch::poll);
        std::uint8_t slot[16];
        shared::copy_out(page.window, 64, slot, sizeof slot);
        shared::new_decision();
        shared::copy_out(page.window, 64, slot, sizeof slot);
        (void)shared::load<std::uint8_t>(page.window, 70);
    });
    EXPECT_EQ(engine.run(), Stopped::problem);
    ASSERT_EQ(engine.problems().size(), 1u);
    EXPECT_EQ(engine.problems()[0].oracle, "double-fetch");
    EXPECT_NE(engine.problems()[0].text.find("d1 gref 8"), std::string::npos);
    const std::string& text = engine.problems()[0].text;
    EXPECT_NE(text.find("scheduling_test.cpp:"), text.rfind("scheduling_test.cpp:"));
}

TEST(Watching, AWindowWhoseLeaseEndedIsReportedAndNotRead) {
    Page page;
    page.bytes[0] = std::byte{0x12};
    MildSource mild;
    Engine engine{mild, {}};
    std::uint32_t got = 0;
    engine.add_cpu("v0").spawn("late", TaskRole::work, [&] {
        page.lease->end = shared::LeaseEnd::unmapped;
        got = shared::load<std::uint32_t>(page.window, 0);
    });
    EXPECT_EQ(engine.run(), Stopped::problem);
    EXPECT_EQ(engine.problems()[0].oracle, "dead-window");
    EXPECT_EQ(got, 0xffffffffu);
}

TEST(Watching, OppositeLockOrdersAreReportedThoughNoDeadlockHappened) {
    MildSource mild;
    Lock a{"a"}, b{"b"};
    Engine engine{mild, {}};
    engine.add_cpu("v0").spawn("both", TaskRole::work, [&] {
        a.lock(), b.lock(), b.unlock(), a.unlock();
        b.lock(), a.lock(), a.unlock(), b.unlock();
    });
    EXPECT_EQ(engine.run(), Stopped::problem);
    EXPECT_EQ(engine.problems()[0].oracle, "lock-order");
}

TEST(Watching, BlockingUnderASpinLockIsReported) {
    MildSource mild;
    IrqLock spin{"spin"};
    Lock lock{"lock"};
    WaitQueue queue{"queue"};
    Engine engine{mild, {}};
    engine.add_cpu("v0").spawn("bad", TaskRole::work, [&] {
        spin.lock();
        lock.lock();
        queue.wait(lock, [] { return false; });
    });
    EXPECT_EQ(engine.run(), Stopped::problem);
    EXPECT_EQ(engine.problems()[0].oracle, "sleeps-in-atomic");
}

}  // namespace
}  // namespace xenrig::engine
