#include <set>

#include "hand_daemon.h"

namespace xenrig::guest::test {
namespace {

TEST(XenstoreClient, RequestsOfSeveralTasksGetTheirOwnAnswersWhateverTheirOrder) {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        GuestWorld world(seed, 2);
        HandDaemon daemon(world, 0xffffff00u);  // the indices wrap on the way
        std::vector<Message> held;
        daemon.answer = [&](const Message& m) {
            if (m.type != XS_READ || !m.string(0).starts_with("n")) return false;
            // Answered in pairs, the later one first.
            held.push_back(m);
            if (held.size() < 2) return true;
            for (; !held.empty(); held.pop_back()) daemon.reply(held.back(), "value of " + held.back().string(0));
            return true;
        };
        int answers = 0;
        world.boot([&] {
            for (int task = 0; task < 4; ++task) {
                world.kernel->spawn("reader", TaskRole::work, [&world, &answers, task] {
                    const std::string path = "n" + std::to_string(task);
                    const auto value = world.kernel->store().read(StoreTx::none, path);
                    ASSERT_TRUE(value);
                    EXPECT_EQ(*value, "value of " + path);
                    ++answers;
                });
            }
        });
        world.run();
        EXPECT_EQ(answers, 4) << "seed " << seed;
    }
}

TEST(XenstoreClient, AMessageLongerThanTheRingGoesThroughInPieces) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        GuestWorld world(seed);
        HandDaemon daemon(world);
        world.boot([&] {
            Store& store = world.kernel->store();
            const std::string value(3000, 'x');
            ASSERT_TRUE(store.write(StoreTx::none, "long", value));
            EXPECT_EQ(*store.read(StoreTx::none, "long"), value);
            const auto longer = store.write(StoreTx::none, "long", std::string(XENSTORE_PAYLOAD_MAX, 'x'));
            ASSERT_FALSE(longer);
            EXPECT_EQ(longer.error().code, Errno::toobig);
        });
        world.run();
    }
}

TEST(XenstoreClient, TheDaemonsErrorsComeBackByTheirNames) {
    GuestWorld world(1);
    HandDaemon daemon(world);
    daemon.answer = [&](const Message& m) {
        if (m.type != XS_MKDIR) return false;
        m.string(0) == "odd" ? daemon.error(m, "EODD") : daemon.error(m, m.string(0));
        return true;
    };
    world.boot([&] {
        Store& store = world.kernel->store();
        EXPECT_EQ(store.mkdir(StoreTx::none, "EACCES").error().code, Errno::access);
        EXPECT_EQ(store.mkdir(StoreTx::none, "EAGAIN").error().code, Errno::again);
        EXPECT_EQ(store.mkdir(StoreTx::none, "ENOTEMPTY").error().code, Errno::notempty);
        EXPECT_EQ(store.mkdir(StoreTx::none, "odd").error().code, Errno::inval);
        EXPECT_EQ(store.read(StoreTx::none, "none").error().code, Errno::noent);
    });
    world.run();
}

TEST(XenstoreClient, AnIndexThatMakesNoSenseEndsEveryRequestWithEio) {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        GuestWorld world(seed);
        HandDaemon daemon(world);
        daemon.answer = [&](const Message& m) {
            if (m.type != XS_READ || m.string(0) != "evil") return false;
            daemon.silent = true;
            daemon.interface().rsp_prod += 5000;
            world.domain->raise(kStorePort);
            return true;
        };
        world.boot([&] {
            Store& store = world.kernel->store();
            for (const char* path : {"evil", "evil", "good"}) {
                const auto value = store.read(StoreTx::none, path);
                ASSERT_FALSE(value);
                EXPECT_EQ(value.error().code, Errno::io) << "seed " << seed;
            }
        });
        world.run();
    }
}

TEST(XenstoreClient, AConsumerIndexThatMakesNoSenseEndsTheWriterToo) {
    GuestWorld world(1);
    HandDaemon daemon(world);
    world.boot([&] {
        Store& store = world.kernel->store();
        daemon.interface().req_cons = 0x1000'0000;
        EXPECT_EQ(store.read(StoreTx::none, "x").error().code, Errno::io);
    });
    world.run();
}

TEST(XenstoreClient, AMessageLongerThanThePayloadMaximumBreaksTheRing) {
    GuestWorld world(1);
    HandDaemon daemon(world);
    daemon.answer = [&](const Message& m) {
        if (m.type != XS_READ || m.string(0) != "evil") return false;
        daemon.reply(m, std::string(XENSTORE_PAYLOAD_MAX + 1, 'x'));
        return true;
    };
    world.boot([&] { EXPECT_EQ(world.kernel->store().read(StoreTx::none, "evil").error().code, Errno::io); });
    world.run();
}

TEST(XenstoreClient, RepliesToNobodyAndEventsOfNoWatchAreDropped) {
    GuestWorld world(1);
    HandDaemon daemon(world);
    daemon.answer = [&](const Message& m) {
        if (m.type != XS_READ || m.string(0) != "x") return false;
        daemon.send(XS_READ, m.req_id + 77, 0, "to nobody");
        daemon.event("x", "4711");
        daemon.event("x", "no number");
        daemon.send(XS_WATCH_EVENT, 0, 0, "no nul");
        daemon.reply(m, "right");
        return true;
    };
    world.boot([&] { EXPECT_EQ(*world.kernel->store().read(StoreTx::none, "x"), "right"); });
    world.run();
    EXPECT_EQ(world.kernel->store().dropped(), 4u);
}

TEST(XenstoreClient, ADirectoryTooLongForOneMessageIsReadInPartsAndAgainWhenItChanged) {
    GuestWorld world(1);
    HandDaemon daemon(world);
    int parts = 0;
    daemon.answer = [&](const Message& m) {
        if (m.type == XS_DIRECTORY) {
            daemon.error(m, "E2BIG");
            return true;
        }
        if (m.type != XS_DIRECTORY_PART) return false;
        ++parts;
        // The generation changes between the first part and the second.
        const std::string generation = parts == 1 ? std::string("7\0", 2) : std::string("8\0", 2);
        if (m.string(1) == "0") daemon.reply(m, generation + std::string("a\0bb\0", 5));
        if (m.string(1) == "5") daemon.reply(m, generation + std::string("ccc\0\0", 5));
        return true;
    };
    world.boot([&] {
        const auto list = world.kernel->store().directory(StoreTx::none, "dir");
        ASSERT_TRUE(list);
        EXPECT_EQ(*list, (Strings{"a", "bb", "ccc"}));
    });
    world.run();
    EXPECT_EQ(parts, 4);
}

TEST(XenstoreClient, PermissionsAreReadAndWrittenInTheDaemonsNotation) {
    GuestWorld world(1);
    HandDaemon daemon(world);
    std::string written;
    daemon.answer = [&](const Message& m) {
        if (m.type == XS_GET_PERMS) daemon.reply(m, std::string("n1\0r2\0b65535\0", 13));
        if (m.type == XS_SET_PERMS) written = m.body, daemon.reply(m, std::string("OK\0", 3));
        return m.type == XS_GET_PERMS || m.type == XS_SET_PERMS;
    };
    world.boot([&] {
        Store& store = world.kernel->store();
        const auto perms = store.get_perms(StoreTx::none, "x");
        ASSERT_TRUE(perms);
        ASSERT_EQ(perms->size(), 3u);
        EXPECT_EQ((*perms)[2].domain, DomId{65535});
        EXPECT_TRUE((*perms)[2].read && (*perms)[2].write && (*perms)[1].read && !(*perms)[1].write);
        EXPECT_TRUE(store.set_perms(StoreTx::none, "x", *perms));
    });
    world.run();
    EXPECT_EQ(written, std::string("x\0n1\0r2\0b65535\0", 15));
}

TEST(XenstoreClient, AWatchFiresAtOnceAndAfterEachChangeInATaskThatMayUseTheStore) {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        GuestWorld world(seed);
        HandDaemon daemon(world);
        std::string last;
        Watch watch;
        world.boot([&] {
            Store& store = world.kernel->store();
            watch = *store.watch("node", [&](const std::string& path) {
                EXPECT_EQ(path, "node");
                const auto value = store.read(StoreTx::none, path);
                last = value ? *value : "none";
            });
            daemon.change("node", "one");
            daemon.change("node", "two");
        });
        world.run();
        EXPECT_EQ(last, "two") << "seed " << seed;
        EXPECT_EQ(world.kernel->store().watches_in_use(), 2u);  // and control/shutdown
    }
}

TEST(XenstoreClient, AnUnregisteredWatchNeverRunsAgainThoughItsEventsAreQueued) {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        GuestWorld world(seed);
        HandDaemon daemon(world);
        world.boot([&] {
            Store& store = world.kernel->store();
            bool gone = false, inside = false;
            Watch watch = *store.watch("node", [&](const std::string&) {
                EXPECT_FALSE(gone) << "seed " << seed;
                inside = true;
                for (int i = 0; i < 3; ++i) scheduler->yield();
                inside = false;
            });
            for (int i = 0; i < 3; ++i) {
                daemon.change("node", std::to_string(i));
                daemon.change("node/" + std::to_string(i), "");
            }
            watch.reset();
            gone = true;
            EXPECT_FALSE(inside) << "seed " << seed;
            daemon.event("node", "2");
            daemon.ring_bell();
            for (int i = 0; i < 10; ++i) scheduler->yield();
        });
        world.run();
    }
}

TEST(XenstoreClient, AWatchMayBeUnregisteredByItsOwnHandler) {
    GuestWorld world(4);
    HandDaemon daemon(world);
    int runs = 0;
    Watch watch;
    world.boot([&] {
        watch = *world.kernel->store().watch("node", [&](const std::string&) {
            if (!watch) return;  // the first event came before the registration returned
            ++runs;
            watch.reset();
        });
        daemon.change("node", "x");
    });
    world.run();
    EXPECT_EQ(runs, 1);
    EXPECT_EQ(daemon.count(XS_UNWATCH), 1u);
}

TEST(XenstoreClient, ASuspendWaitsForOpenTransactionsAndHoldsNewRequestsBack) {
    for (std::uint64_t seed = 0; seed < 150; ++seed) {
        GuestWorld world(seed);
        HandDaemon daemon(world);
        bool suspended = false;
        int transactions = 0;
        world.domain->on_shutdown = [&](unsigned reason) -> std::int64_t {
            EXPECT_EQ(reason, static_cast<unsigned>(SHUTDOWN_suspend));
            const auto& page = daemon.interface();
            EXPECT_EQ(page.req_prod, page.req_cons) << "seed " << seed;
            EXPECT_EQ(world.kernel->store().transactions_open(), 0u);
            suspended = true;
            return 1;
        };
        world.boot([&] {
            for (int task = 0; task < 3; ++task) {
                world.kernel->spawn("writer", TaskRole::work, [&world, &transactions] {
                    Store& store = world.kernel->store();
                    const auto done = store.transaction([&](StoreTx tx) -> Result<> {
                        if (auto wrote = store.write(tx, "a", "1"); !wrote) return wrote;
                        (void)store.read(StoreTx::none, "a");
                        return store.write(tx, "b", "2");
                    });
                    EXPECT_TRUE(done);
                    ++transactions;
                });
            }
            const auto outcome = world.kernel->control().suspend();
            ASSERT_TRUE(outcome);
            EXPECT_EQ(*outcome, Control::Outcome::cancelled);
        });
        world.run();
        EXPECT_TRUE(suspended);
        EXPECT_EQ(transactions, 3);
    }
}

}  // namespace
}  // namespace xenrig::guest::test
