// What every client of the store keeps, in the simulator and on libxenstore: the same cases over both.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>

#include "sim/engine/engine.h"
#include "sim/engine/sources.h"
#include "sim/toolstack/host.h"
#include "socket_world.h"
#include "xenrig/guest/kernel.h"
#include "xenrig/platform/wait_queue.h"

namespace xenrig::host::test {
namespace {

/// A control domain of the simulator, with its store.
class SimulatedWorld {
public:
    SimulatedWorld() : engine_(source_, {.model = engine::Model::tso}) {
        host_ = std::make_unique<toolstack::Host>(engine_, toolstack::HostOptions{.name = "a"});
        engine_.run_until([this] { return host_->booted(); });
    }
    void run(std::function<void(Store&)> job) {
        spawn(std::move(job));
        engine_.run();
        for (const auto& problem : engine_.problems()) ADD_FAILURE() << problem.oracle << ": " << problem.text;
    }
    void spawn(std::function<void(Store&)> job) {
        guest::Kernel& kernel = host_->control();
        kernel.spawn("case", TaskRole::work, [&kernel, job = std::move(job)] { job(kernel.store()); });
    }

private:
    engine::SeededSource source_{7};
    engine::Engine engine_;
    std::unique_ptr<toolstack::Host> host_;
};

template <class World>
class StoreClients : public testing::Test {};
struct WorldNames {
    template <class World>
    static std::string GetName(int) {
        return std::is_same_v<World, SocketWorld> ? "OnLibxenstore" : "InTheSimulator";
    }
};
using Worlds = testing::Types<SimulatedWorld, SocketWorld>;
TYPED_TEST_SUITE(StoreClients, Worlds, WorldNames);

using Strings = std::vector<std::string>;
constexpr StoreTx kNone = StoreTx::none;

/// What a watch has said so far; a task waits until it has said enough.
struct Said {
    IrqLock lock{"said"};
    WaitQueue more{"a watch to fire"};
    std::vector<std::string> paths;

    WatchHandler handler() {
        return [this](const std::string& path) {
            const std::lock_guard held(lock);
            paths.push_back(path);
            more.wake_all();
        };
    }
    void wait_for(const std::string& path) {
        const std::lock_guard held(lock);
        more.wait(lock, [&] { return std::ranges::find(paths, path) != paths.end(); });
    }
    void wait_for_count(std::size_t count) {
        const std::lock_guard held(lock);
        more.wait(lock, [&] { return paths.size() >= count; });
    }
};

TYPED_TEST(StoreClients, WhatIsWrittenIsReadBackByteForByte) {
    TypeParam world;
    world.run([](Store& store) {
        const std::string bytes("\0\xff two\n", 7);
        ASSERT_TRUE(store.write(kNone, "data/bytes", bytes));
        EXPECT_EQ(*store.read(kNone, "data/bytes"), bytes);
        ASSERT_TRUE(store.write(kNone, "data/empty", ""));
        EXPECT_EQ(*store.read(kNone, "data/empty"), "");
        EXPECT_EQ(*store.read(kNone, "/local/domain/0/data/bytes"), bytes) << "relative to the own home";
    });
}

TYPED_TEST(StoreClients, WhatIsNotThereIsEnoentAndWhatIsTooLongE2big) {
    TypeParam world;
    world.run([](Store& store) {
        EXPECT_EQ(store.read(kNone, "data/none").error().code, Errno::noent);
        EXPECT_EQ(store.directory(kNone, "data/none").error().code, Errno::noent);
        EXPECT_EQ(store.get_perms(kNone, "data/none").error().code, Errno::noent);
        EXPECT_EQ(store.rm(kNone, "data/none/below").error().code, Errno::noent);
        EXPECT_EQ(store.write(kNone, "data/long", std::string(4096, 'x')).error().code, Errno::toobig);
        EXPECT_EQ(store.read(kNone, "data/no such").error().code, Errno::inval);
        EXPECT_EQ(store.end(StoreTx{4711}, true).error().code, Errno::noent);
    });
}

TYPED_TEST(StoreClients, ADirectoryListsItsChildrenAndGoesWithThem) {
    TypeParam world;
    world.run([](Store& store) {
        ASSERT_TRUE(store.mkdir(kNone, "data/dir"));
        EXPECT_EQ(*store.directory(kNone, "data/dir"), Strings{});
        ASSERT_TRUE(store.write(kNone, "data/dir/a", "1"));
        ASSERT_TRUE(store.write(kNone, "data/dir/b/c", "2"));
        EXPECT_EQ(*store.directory(kNone, "data/dir"), (Strings{"a", "b"}));
        ASSERT_TRUE(store.rm(kNone, "data/dir"));
        EXPECT_EQ(store.read(kNone, "data/dir/b/c").error().code, Errno::noent);
    });
}

TYPED_TEST(StoreClients, ADirectoryLongerThanAMessageIsListedWhole) {
    TypeParam world;
    world.run([](Store& store) {
        constexpr int kChildren = 300;
        const auto made = store.transaction([&](StoreTx tx) -> Result<> {
            for (int i = 0; i < kChildren; ++i)
                if (auto wrote = store.write(tx, "data/many/a-name-that-takes-room-" + std::to_string(i), ""); !wrote)
                    return wrote;
            return {};
        });
        ASSERT_TRUE(made) << made.error().to_string();
        const auto names = store.directory(kNone, "data/many");
        ASSERT_TRUE(names) << names.error().to_string();
        EXPECT_EQ(std::set<std::string>(names->begin(), names->end()).size(), kChildren);
    });
}

TYPED_TEST(StoreClients, PermissionsAreReadAsTheyWereSet) {
    TypeParam world;
    world.run([](Store& store) {
        ASSERT_TRUE(store.write(kNone, "data/shared", "1"));
        ASSERT_TRUE(store.set_perms(kNone, "data/shared",
                                    {{DomId{0}, false, true}, {DomId{4}, true, true}, {DomId{5}, true, false}}));
        const auto perms = store.get_perms(kNone, "data/shared");
        ASSERT_TRUE(perms);
        ASSERT_EQ(perms->size(), 3u);
        EXPECT_TRUE((*perms)[0].domain == DomId{0} && !(*perms)[0].read && (*perms)[0].write);
        EXPECT_TRUE((*perms)[1].domain == DomId{4} && (*perms)[1].read && (*perms)[1].write);
        EXPECT_TRUE((*perms)[2].domain == DomId{5} && (*perms)[2].read && !(*perms)[2].write);
    });
}

TYPED_TEST(StoreClients, ATransactionIsSeenByOthersWhenItEndsAndNotAtAllWhenItIsAborted) {
    TypeParam world;
    world.run([](Store& store) {
        const auto tx = store.start();
        ASSERT_TRUE(tx);
        ASSERT_TRUE(store.write(*tx, "data/t", "1"));
        EXPECT_EQ(*store.read(*tx, "data/t"), "1");
        EXPECT_EQ(store.read(kNone, "data/t").error().code, Errno::noent);
        ASSERT_TRUE(store.end(*tx, true));
        EXPECT_EQ(*store.read(kNone, "data/t"), "1");

        const auto aborted = store.start();
        ASSERT_TRUE(store.write(*aborted, "data/t", "2"));
        ASSERT_TRUE(store.end(*aborted, false));
        EXPECT_EQ(*store.read(kNone, "data/t"), "1");
    });
}

TYPED_TEST(StoreClients, ATransactionThatSomebodyCameBetweenIsRefusedAndDoneAgain) {
    TypeParam world;
    world.run([](Store& store) {
        ASSERT_TRUE(store.write(kNone, "data/n", "1"));
        int tries = 0;
        const auto done = store.transaction([&](StoreTx tx) -> Result<> {
            const auto n = store.read(tx, "data/n");
            if (!n) return std::unexpected(n.error());
            if (++tries == 1) {
                EXPECT_TRUE(store.write(kNone, "data/n", "5"));
            }
            return store.write(tx, "data/n", *n + "!");
        });
        EXPECT_TRUE(done);
        EXPECT_EQ(tries, 2);
        EXPECT_EQ(*store.read(kNone, "data/n"), "5!");
    });
}

TYPED_TEST(StoreClients, SeveralTasksCountInTransactionsAndNoneIsLost) {
    TypeParam world;
    world.run([](Store& store) { EXPECT_TRUE(store.write(kNone, "data/sum", "0")); });
    constexpr int kTasks = 4, kEach = 5;
    for (int task = 1; task < kTasks + 1; ++task) {
        const auto count = [](Store& store) {
            for (int i = 0; i < kEach; ++i) {
                const auto added = store.transaction([&](StoreTx tx) -> Result<> {
                    const auto sum = store.read(tx, "data/sum");
                    if (!sum) return std::unexpected(sum.error());
                    return store.write(tx, "data/sum", std::to_string(std::stoi(*sum) + 1));
                });
                EXPECT_TRUE(added) << added.error().to_string();
            }
        };
        task < kTasks ? world.spawn(count) : world.run(count);
    }
    world.run([](Store& store) { EXPECT_EQ(*store.read(kNone, "data/sum"), std::to_string(kTasks * kEach)); });
}

TYPED_TEST(StoreClients, AWatchFiresAtOnceAndForEachNodeBelowInTheFormInWhichItWasSet) {
    TypeParam world;
    world.run([](Store& store) {
        Said relative, absolute;
        const auto one = store.watch("data/w", relative.handler());
        const auto two = store.watch("/local/domain/0/data", absolute.handler());
        ASSERT_TRUE(one);
        ASSERT_TRUE(two);
        relative.wait_for("data/w");
        absolute.wait_for("/local/domain/0/data");
        ASSERT_TRUE(store.write(kNone, "data/w/below", "1"));
        relative.wait_for("data/w/below");
        absolute.wait_for("/local/domain/0/data/w/below");
    });
}

TYPED_TEST(StoreClients, AHandlerMayUseTheStoreAndEndItsOwnWatch) {
    TypeParam world;
    // Outlives the tasks.
    Said answered;
    Watch watch;
    world.run([&](Store& store) {
        ASSERT_TRUE(store.write(kNone, "data/question", "1"));
        auto set = store.watch("data/question", [&](const std::string& path) {
            const auto value = store.read(kNone, path);
            if (!value || *value != "go") return;
            EXPECT_TRUE(store.write(kNone, "data/answer", "gone"));
            watch.reset();
        });
        ASSERT_TRUE(set);
        watch = std::move(*set);
        const auto answer = store.watch("data/answer", answered.handler());
        ASSERT_TRUE(answer);
        answered.wait_for_count(1);
        ASSERT_TRUE(store.write(kNone, "data/question", "go"));
        answered.wait_for_count(2);
        EXPECT_EQ(*store.read(kNone, "data/answer"), "gone");
    });
}

TYPED_TEST(StoreClients, AWatchThatHasEndedFiresNoMore) {
    TypeParam world;
    world.run([](Store& store) {
        for (int i = 0; i < 20; ++i) {
            std::atomic<bool> ended = false, late = false;
            Said other;
            auto watch = store.watch("data/e", [&](const std::string&) {
                if (ended) late = true;
            });
            ASSERT_TRUE(watch);
            ASSERT_TRUE(store.write(kNone, "data/e", "x"));
            watch->reset();
            ended = true;
            ASSERT_TRUE(store.write(kNone, "data/e", "y"));
            // Events come in order: what is said of another watch comes after it.
            const auto last = store.watch("data/e", other.handler());
            other.wait_for_count(1);
            EXPECT_FALSE(late);
        }
    });
}

}  // namespace
}  // namespace xenrig::host::test
