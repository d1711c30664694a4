// Quotas, features and special watches: what the recordings leave out (domain.c, watch.c of C xenstored's head).
#include <gtest/gtest.h>

#include "sim/xenstore/store.h"
#include "tests/unit/xenstore/host.h"

namespace xenrig::xenstore::test {
namespace {

std::string z(std::string_view s) { return std::string(s) + '\0'; }

class XenstoreLimits : public testing::Test {
protected:
    XenstoreLimits() {
        host.exist(1);
        ask(XS_WRITE, z("/local/domain/1/data"));
        ask(XS_SET_PERMS, z("/local/domain/1/data") + z("n1"));
        introduce(1);
    }
    void introduce(std::uint16_t id) {
        host.exist(id);
        ask(XS_INTRODUCE, z(std::to_string(id)) + z("0") + z("7"));
    }

    /// Dom0's request: events are kept, the answer is returned.
    std::string ask(std::uint32_t type, const std::string& payload) {
        const std::string bytes = message(type, 1, 0, payload);
        dom0.feed(std::as_bytes(std::span(bytes)));
        daemon.service();
        return take();
    }
    std::string take() {
        std::string out(dom0.output().size(), '\0'), answer = "no answer";
        dom0.take_output(std::as_writable_bytes(std::span(out)));
        for (const Seen& m : take_messages(out)) {
            if (m.type == XS_WATCH_EVENT)
                events.push_back(m.payload);
            else
                answer = m.payload;
        }
        return answer;
    }
    std::string guest_asks(std::uint32_t type, const std::string& payload, std::uint32_t tx = 0) {
        return guest.ask(daemon, type, payload, tx);
    }

    Host host;
    Daemon daemon{host};
    StreamDoor dom0{daemon};
    GuestEnd guest{host.exist(1)};
    std::vector<std::string> events;
};

TEST_F(XenstoreLimits, AGuestOwnsOneNodeLessThanItsQuota) {
    int made = 0;
    // Spread out, so that no parent grows beyond the size of a node.
    while (guest_asks(XS_MKDIR, z("data/" + std::to_string(made % 30) + "/" + std::to_string(made))) == z("OK")) ++made;
    EXPECT_EQ(guest_asks(XS_MKDIR, z("data/more")), z("ENOSPC"));
    EXPECT_EQ(daemon.store().domains().find(1)->usage[Quota::nodes], 999u);
    EXPECT_EQ(guest_asks(XS_RM, z("data/0")), z("OK"));
    EXPECT_EQ(guest_asks(XS_MKDIR, z("data/more")), z("OK"));
}

TEST_F(XenstoreLimits, ASpecialNodeOfADomainThatIsGoneIsDom0s) {
    const auto of_dom0 = [&] { return daemon.store().domains().find(0)->usage[Quota::nodes]; };
    const auto before = of_dom0();
    EXPECT_EQ(ask(XS_SET_PERMS, z("@releaseDomain") + z("r1")), z("OK"));
    EXPECT_EQ(of_dom0(), before - 1);
    EXPECT_EQ(ask(XS_RELEASE, z("1")), z("OK"));
    EXPECT_EQ(ask(XS_GET_PERMS, z("@releaseDomain")), z("r0"));
    EXPECT_EQ(of_dom0(), before);
}

TEST_F(XenstoreLimits, ATransactionCannotRemoveAChildThatItsOlderCopyOfTheParentDoesNotHave) {
    const std::string start = guest_asks(XS_TRANSACTION_START, z(""));
    EXPECT_EQ(guest_asks(XS_DIRECTORY, z("data"), 1), "") << start;
    EXPECT_EQ(guest_asks(XS_WRITE, z("data/a/b")), z("OK"));
    EXPECT_EQ(guest_asks(XS_DIRECTORY, z("data/a"), 1), z("b"));
    EXPECT_EQ(guest_asks(XS_RM, z("data/a"), 1), z("EIO"));
    EXPECT_EQ(guest_asks(XS_DIRECTORY, z("data/a"), 1), z("ENOENT"));
    EXPECT_EQ(guest_asks(XS_TRANSACTION_END, z("T"), 1), z("EAGAIN"));
    EXPECT_EQ(guest_asks(XS_DIRECTORY, z("data/a")), z("b"));
}

TEST_F(XenstoreLimits, ADomainLosesNoMoreThanItWasChargedFor) {
    // The root outlives its owner, and the next domain of that number has not been charged for it.
    EXPECT_EQ(ask(XS_WRITE, z("/shared")), z("OK"));
    EXPECT_EQ(ask(XS_SET_PERMS, z("/shared") + z("b0")), z("OK"));
    EXPECT_EQ(ask(XS_SET_PERMS, z("/") + z("r1")), z("OK"));
    EXPECT_EQ(ask(XS_RELEASE, z("1")), z("OK"));
    introduce(1);
    EXPECT_EQ(guest_asks(XS_RM, z("/shared")), z("OK"));
    EXPECT_EQ(guest_asks(XS_MKDIR, z("/mine")), z("OK"));
}

TEST_F(XenstoreLimits, AGuestHasNineTransactionsAndSetsFourPermissions) {
    for (int i = 0; i < 9; ++i) EXPECT_EQ(guest_asks(XS_TRANSACTION_START, z("")), z(std::to_string(i + 1)));
    EXPECT_EQ(guest_asks(XS_TRANSACTION_START, z("")), z("ENOSPC"));
    EXPECT_EQ(guest_asks(XS_TRANSACTION_END, z("F"), 3), z("OK"));
    EXPECT_EQ(guest_asks(XS_TRANSACTION_START, z("")), z("10"));
    const std::string four = z("data") + z("n1") + z("r0") + z("r0") + z("r0");
    EXPECT_EQ(guest_asks(XS_SET_PERMS, four), z("OK"));
    EXPECT_EQ(guest_asks(XS_SET_PERMS, four + z("r0")), z("ENOSPC"));
}

TEST_F(XenstoreLimits, AGuestMayNotGiveANodeAway) {
    EXPECT_EQ(guest_asks(XS_SET_PERMS, z("data") + z("n0") + z("b1")), z("EPERM"));
}

TEST_F(XenstoreLimits, AGuestMayNotDoWhatTheToolstackDoes) {
    EXPECT_EQ(guest_asks(XS_INTRODUCE, z("2") + z("0") + z("7")), z("EACCES"));
    EXPECT_EQ(guest_asks(XS_CONTROL, z("help")), z("EACCES"));
    EXPECT_EQ(guest_asks(kGetQuota, ""), z("EACCES"));
    EXPECT_EQ(guest_asks(XS_IS_DOMAIN_INTRODUCED, z("0")), z("EACCES"));
    EXPECT_EQ(guest_asks(XS_GET_DOMAIN_PATH, z("5")), z("/local/domain/5"));
}

TEST_F(XenstoreLimits, QuotasAreReadAndSetForAllAndForOneDomain) {
    EXPECT_EQ(ask(kGetQuota, ""),
              z("nodes watches outstanding memory soft-memory transactions transaction-nodes node-permissions path-max "
                "node-size"));
    EXPECT_EQ(ask(kGetQuota, z("watches")), z("128"));
    EXPECT_EQ(ask(kGetQuota, z("1") + z("soft-memory")), z("2097152"));
    EXPECT_EQ(ask(kGetQuota, z("soft-watches")), z("EINVAL"));
    EXPECT_EQ(ask(kGetQuota, z("77") + z("watches")), z("ENOENT"));
    EXPECT_EQ(ask(kSetQuota, z("1") + z("watches") + z("3")), z("OK"));
    EXPECT_EQ(ask(kGetQuota, z("watches")), z("128"));
    EXPECT_EQ(guest_asks(XS_WATCH, z("a") + z("t")), z("OK"));
    EXPECT_EQ(guest_asks(XS_WATCH, z("b") + z("t")), z("OK"));
    EXPECT_EQ(guest_asks(XS_WATCH, z("c") + z("t")), z("ENOSPC"));
    // A domain takes the values that are set when it is first heard of.
    EXPECT_EQ(ask(kSetQuota, z("watches") + z("50")), z("OK"));
    introduce(2);
    EXPECT_EQ(ask(kGetQuota, z("2") + z("watches")), z("50"));
}

TEST_F(XenstoreLimits, FeaturesAreSetBeforeADomainIsIntroduced) {
    EXPECT_EQ(ask(kGetFeature, ""), z("14"));
    EXPECT_EQ(guest_asks(kGetFeature, ""), z("14"));
    EXPECT_EQ(guest_asks(kGetFeature, z("1")), z("EACCES"));
    EXPECT_EQ(guest_asks(kGetFeature, z("1") + z("2")), z("EACCES"));
    EXPECT_EQ(ask(kGetFeature, z("1") + z("2")), z("EINVAL"));
    EXPECT_EQ(ask(kSetFeature, z("1") + z("2")), z("EBUSY"));
    EXPECT_EQ(ask(kSetFeature, z("2") + z("2")), z("ENOENT"));
    RingPage& page = host.exist(2);
    EXPECT_EQ(ask(kSetFeature, z("2") + z("64")), z("EINVAL"));
    EXPECT_EQ(ask(kSetFeature, z("2") + z("2")), z("OK"));
    introduce(2);
    EXPECT_EQ(page.ring().server_features, 2u);
    GuestEnd second(page);
    second.send(message(XS_WATCH, 1, 0, z("data") + z("t") + z("1")));
    while (daemon.service() || second.move()) {
    }
    EXPECT_EQ(second.messages().front().payload, z("EINVAL"));
}

TEST_F(XenstoreLimits, ASpecialWatchWithADepthHearsTheNumberOfTheDomain) {
    ask(XS_WATCH, z("@releaseDomain") + z("plain"));
    ask(XS_WATCH, z("@releaseDomain") + z("deep") + z("1"));
    ask(XS_WATCH, z("@releaseDomain/2") + z("two"));
    introduce(2);
    events.clear();
    ask(XS_RELEASE, z("1"));
    EXPECT_EQ(events, (std::vector{z("@releaseDomain") + z("plain"), z("@releaseDomain/1") + z("deep")}));
    events.clear();
    host.states[2] = DomainState::shutdown;
    daemon.check_domains();
    daemon.service();
    take();
    EXPECT_EQ(events, (std::vector{z("@releaseDomain/2") + z("deep"), z("@releaseDomain/2") + z("two"),
                                   z("@releaseDomain") + z("plain")}));
}

TEST_F(XenstoreLimits, ControlTellsWhatADomainUses) {
    EXPECT_EQ(ask(XS_CONTROL, z("quota") + z("1")).substr(0, 52),
              "Domain 1:\nnodes            :        1 (max        1)");
    EXPECT_EQ(ask(XS_CONTROL, z("quota") + z("set") + z("nodes") + z("0")), z("EINVAL"));
    EXPECT_EQ(ask(XS_CONTROL, z("quota") + z("set") + z("nodes") + z("5")), z("OK"));
    EXPECT_EQ(ask(XS_CONTROL, z("no-such-command")), z("EINVAL"));
    EXPECT_EQ(ask(XS_CONTROL, z("check")), z("OK"));
}

TEST_F(XenstoreLimits, ALaterDomainOfTheSameNumberInheritsNoPermission) {
    ask(XS_WRITE, z("/secret") + "s");
    ask(XS_SET_PERMS, z("/secret") + z("n0") + z("r1"));
    EXPECT_EQ(guest_asks(XS_READ, z("/secret")), "s");
    ask(XS_RELEASE, z("1"));
    introduce(1);
    EXPECT_EQ(guest_asks(XS_READ, z("/secret")), z("EACCES"));
    EXPECT_EQ(ask(XS_GET_PERMS, z("/secret")), z("n0"));
}

}  // namespace
}  // namespace xenrig::xenstore::test
