#include "hand_daemon.h"
#include "xenrig/shared/door.h"

namespace xenrig::guest::test {
namespace {

class Device final : public Suspendable {
public:
    Device(std::string name, Strings& log, bool refuses = false)
        : name_(std::move(name)), log_(log), refuses_(refuses) {}
    std::string_view name() const override { return name_; }
    Result<> suspend() override {
        log_.push_back("suspend " + name_);
        if (refuses_) return fail(Errno::busy, "not now");
        return {};
    }
    void resume(bool cancelled) override { log_.push_back((cancelled ? "cancel " : "resume ") + name_); }

private:
    std::string name_;
    Strings& log_;
    bool refuses_;
};

TEST(Control, TellsTheToolstackWhatTheGuestCanDo) {
    GuestWorld world(1);
    HandDaemon daemon(world);
    world.boot([] {});
    world.run();
    EXPECT_EQ(daemon.nodes["control/feature-suspend"], "1");
    EXPECT_EQ(daemon.nodes["control/feature-poweroff"], "1");
    EXPECT_EQ(daemon.nodes["control/feature-reboot"], "1");
}

TEST(Control, ACommandIsAcknowledgedInATransactionBeforeItIsCarriedOut) {
    for (const auto& [command, expected] : {std::pair{"poweroff", SHUTDOWN_poweroff},
                                            {"halt", SHUTDOWN_poweroff},
                                            {"reboot", SHUTDOWN_reboot},
                                            {"suspend", SHUTDOWN_suspend}}) {
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            GuestWorld world(seed);
            HandDaemon daemon(world);
            std::vector<unsigned> reasons;
            world.domain->on_shutdown = [&](unsigned reason) -> std::int64_t {
                EXPECT_EQ(daemon.nodes["control/shutdown"], "");
                reasons.push_back(reason);
                return 1;
            };
            world.boot([&] { daemon.change("control/shutdown", command); });
            world.run();
            EXPECT_EQ(reasons, std::vector<unsigned>{static_cast<unsigned>(expected)}) << command << " seed " << seed;
        }
    }
}

TEST(Control, AnUnknownCommandIsLeftForTheToolstackToSee) {
    GuestWorld world(1);
    HandDaemon daemon(world);
    world.domain->on_shutdown = [](unsigned) -> std::int64_t {
        ADD_FAILURE();
        return 1;
    };
    world.boot([&] { daemon.change("control/shutdown", "dance"); });
    world.run();
    EXPECT_EQ(daemon.nodes["control/shutdown"], "dance");
}

TEST(Control, DevicesAreSuspendedInOrderAndComeBackInReverse) {
    GuestWorld world(1);
    HandDaemon daemon(world);
    Strings log;
    Device first("first", log), second("second", log);
    world.domain->on_shutdown = [&](unsigned) -> std::int64_t {
        log.push_back("hypercall");
        return 1;
    };
    world.boot([&] {
        world.kernel->control().add(first);
        world.kernel->control().add(second);
        EXPECT_TRUE(world.kernel->control().suspend());
    });
    world.run();
    EXPECT_EQ(log, (Strings{"suspend first", "suspend second", "hypercall", "cancel second", "cancel first"}));
}

TEST(Control, PagesThatPeersLookAtAreInTheMigrationsLogBeforeTheLastCopy) {
    GuestWorld world(1);
    HandDaemon daemon(world);
    Gfn shared_page, private_page;
    world.domain->on_shutdown = [&](unsigned) -> std::int64_t {
        const auto logged = [&](Gfn gfn) {
            return std::find(world.domain->dirty.begin(), world.domain->dirty.end(), gfn) != world.domain->dirty.end();
        };
        EXPECT_TRUE(logged(shared_page));
        EXPECT_TRUE(logged(kStoreGfn));
        EXPECT_FALSE(logged(private_page));
        return 1;
    };
    world.boot([&] {
        auto& memory = world.kernel->memory();
        const auto ring = *memory.allocate(), buffer = *memory.allocate();
        shared_page = ring->gfn();
        private_page = buffer->gfn();
        world.domain->dirty.clear();
        shared::store<std::uint32_t>(memory.window(shared_page), 0, 1);
        EXPECT_TRUE(world.kernel->control().suspend());
    });
    world.run();
}

TEST(Control, ADeviceThatRefusesCallsTheSuspendOffAndTheOthersComeBack) {
    GuestWorld world(1);
    HandDaemon daemon(world);
    Strings log;
    Device first("first", log), second("second", log, true), third("third", log);
    world.domain->on_shutdown = [](unsigned) -> std::int64_t {
        ADD_FAILURE();
        return 1;
    };
    world.boot([&] {
        for (Device* d : {&first, &second, &third}) world.kernel->control().add(*d);
        const auto outcome = world.kernel->control().suspend();
        ASSERT_FALSE(outcome);
        EXPECT_EQ(outcome.error().code, Errno::busy);
        EXPECT_EQ(outcome.error().message, "second can't be suspended: not now");
        EXPECT_TRUE(world.kernel->store().write(StoreTx::none, "x", "the store was never held back"));
    });
    world.run();
    EXPECT_EQ(log, (Strings{"suspend first", "suspend second", "cancel first"}));
}

}  // namespace
}  // namespace xenrig::guest::test
