// What the client on libxenstore adds: a daemon that is not there, or goes.
#include <gtest/gtest.h>

#include <mutex>

#include "socket_world.h"
#include "xenrig/platform/lock.h"
#include "xenrig/platform/wait_queue.h"

namespace xenrig::host::test {
namespace {

TEST(HostStore, ADaemonThatIsNotThereIsSaidWithWhatToLookFor) {
    ::setenv("XENSTORED_PATH", "/nonexistent/xenstored", 1);
    threads::ThreadMachine machine;
    const auto store = HostStore::open(machine);
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, Errno::noent);
    EXPECT_NE(store.error().message.find("XENSTORED_PATH"), std::string::npos) << store.error().message;
}

TEST(HostStore, EveryCallFailsWithEioOnceTheDaemonIsGone) {
    SocketWorld world;
    Watch watch;
    world.run([&](Store& store) {
        auto set = store.watch("data", [](const std::string&) {});
        ASSERT_TRUE(set);
        watch = std::move(*set);
    });
    world.daemon.stop();
    world.run([&](Store& store) {
        EXPECT_EQ(store.read(StoreTx::none, "data").error().code, Errno::io);
        EXPECT_EQ(store.write(StoreTx::none, "data", "1").error().code, Errno::io);
        EXPECT_EQ(store.start().error().code, Errno::io);
        EXPECT_FALSE(store.watch("data/x", [](const std::string&) {}));
        watch.reset();
        EXPECT_EQ(world.store().watches_in_use(), 0u);
    });
}

TEST(HostStore, AHandlerThatIsSlowIsNotCalledForEachChangeThatCameMeanwhile) {
    SocketWorld world;
    IrqLock lock("slow handler");
    WaitQueue changed("a change");
    unsigned calls = 0;
    bool go_on = false;
    Watch watch;
    world.run([&](Store& store) {
        auto set = store.watch("data/n", [&](const std::string&) {
            const std::lock_guard held(lock);
            ++calls;
            changed.wake_all();
            changed.wait(lock, [&] { return go_on; });
        });
        ASSERT_TRUE(set);
        watch = std::move(*set);
        {
            const std::lock_guard held(lock);
            changed.wait(lock, [&] { return calls == 1; });
        }
        for (int i = 0; i < 100; ++i) ASSERT_TRUE(store.write(StoreTx::none, "data/n", std::to_string(i)));
        {
            const std::lock_guard held(lock);
            go_on = true;
            changed.wake_all();
        }
        // Its events have all come when a later request of this connection is answered and a later watch has fired.
        bool later = false;
        const auto other = store.watch("data/other", [&](const std::string&) {
            const std::lock_guard held(lock);
            later = true;
            changed.wake_all();
        });
        const std::lock_guard held(lock);
        changed.wait(lock, [&] { return later; });
    });
    // How many had come when it went on is the threads' affair.
    EXPECT_GE(calls, 2u);
    EXPECT_LT(calls, 101u);
    watch = Watch();
}

TEST(HostStore, APathWithANulIsRefusedBeforeTheDaemonIsAsked) {
    SocketWorld world;
    world.run([](Store& store) {
        EXPECT_EQ(store.write(StoreTx::none, std::string("data\0x", 6), "1").error().code, Errno::inval);
        EXPECT_EQ(store.read(StoreTx::none, "data").error().code, Errno::noent) << "and nothing was written";
    });
}

}  // namespace
}  // namespace xenrig::host::test
