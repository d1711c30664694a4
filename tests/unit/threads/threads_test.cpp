// The threaded platform: tasks, locks and upcalls on real threads do what they do in the deterministic world.
#include <gtest/gtest.h>

#include <mutex>

#include "sim/threads/thread_machine.h"
#include "xenrig/platform/lock.h"
#include "xenrig/platform/wait_queue.h"

namespace xenrig::threads {
namespace {

constexpr Nanoseconds kPatience{60'000'000'000};

TEST(Threads, ALockKeepsACounterExactAcrossFourVcpus) {
    IrqLock lock{"counter"};
    std::uint64_t counter = 0;
    {
        ThreadMachine machine;
        for (const char* name : {"v0", "v1", "v2", "v3"}) {
            machine.add_cpu(name).spawn("adder", TaskRole::work, [&] {
                for (int i = 0; i < 5000; ++i) {
                    const std::lock_guard held(lock);
                    ++counter;
                }
            });
        }
        ASSERT_TRUE(machine.wait_for_work(kPatience)) << machine.state();
    }
    EXPECT_EQ(counter, 20000u);
}

TEST(Threads, TasksHandABatonOnAcrossVcpusAndWithinOne) {
    Lock lock{"baton"};
    WaitQueue turn{"turn"};
    int at = 0;
    ThreadMachine machine;
    Cpu& one = machine.add_cpu("v0");
    Cpu& two = machine.add_cpu("v1");
    const auto runner = [&](int place) {
        for (int i = 0; i < 500; ++i) {
            const std::lock_guard held(lock);
            turn.wait(lock, [&] { return at % 3 == place; });
            ++at;
            turn.wake_all();
        }
    };
    one.spawn("first", TaskRole::work, [&] { runner(0); });
    one.spawn("second", TaskRole::work, [&] { runner(1); });
    two.spawn("third", TaskRole::work, [&] { runner(2); });
    ASSERT_TRUE(machine.wait_for_work(kPatience)) << machine.state();
    const std::lock_guard held(lock);
    EXPECT_EQ(at, 1500);
}

struct Doorbell final : Upcall {
    std::atomic<int> rung{0};
    std::atomic<bool> raised{false};
    std::function<void()> body;
    bool pending() override { return raised.load(); }
    void deliver() override {
        raised.store(false);
        ++rung;
        body();
    }
};

TEST(Threads, AKickedVcpuTakesItsUpcallWhileItIdlesAndWakesATask) {
    IrqLock lock{"event"};
    WaitQueue arrived{"event"};
    int events = 0;
    Doorbell bell;
    bell.body = [&] {
        const std::lock_guard held(lock);
        ++events;
        arrived.wake_all();
    };
    ThreadMachine machine;
    Cpu& cpu = machine.add_cpu("v0");
    cpu.set_upcall(&bell);
    cpu.spawn("waiter", TaskRole::work, [&] {
        for (int want = 1; want <= 3; ++want) {
            const std::lock_guard held(lock);
            arrived.wait(lock, [&] { return events >= want; });
        }
    });
    for (int i = 1; i <= 3; ++i) {
        bell.raised.store(true);
        cpu.kick();
        while (bell.rung.load() < i) std::this_thread::yield();
    }
    ASSERT_TRUE(machine.wait_for_work(kPatience)) << machine.state();
}

TEST(Threads, TheEndOfTheMachineUnwindsWaitingTasks) {
    struct Life {
        std::atomic<int>& count;
        explicit Life(std::atomic<int>& c) : count(c) { ++count; }
        ~Life() { --count; }
    };
    std::atomic<int> alive{0};
    Lock lock{"lock"};
    WaitQueue never{"never"};
    {
        ThreadMachine machine;
        Cpu& cpu = machine.add_cpu("v0");
        for (int i = 0; i < 3; ++i) {
            cpu.spawn("service", TaskRole::service, [&] {
                const Life life{alive};
                lock.lock();
                never.wait(lock, [] { return false; });
            });
        }
        while (alive.load() != 3) std::this_thread::yield();
    }
    EXPECT_EQ(alive.load(), 0);
}

TEST(Threads, ATimerWakesASleeper) {
    IrqLock lock{"alarm"};
    WaitQueue rung{"alarm"};
    bool fired = false;
    ThreadMachine machine;
    machine.add_cpu("v0").spawn("sleeper", TaskRole::work, [&] {
        machine.at(machine.now() + 1_ms, [&] {
            const std::lock_guard held(lock);
            fired = true;
            rung.wake_all();
        });
        const std::lock_guard held(lock);
        rung.wait(lock, [&] { return fired; });
    });
    ASSERT_TRUE(machine.wait_for_work(kPatience)) << machine.state();
}

}  // namespace
}  // namespace xenrig::threads
