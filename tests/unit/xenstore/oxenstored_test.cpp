// What oxenstored does and the recordings leave out. The requests of dom0 were sent to oxenstored 4.17, which answered
// as it says here; what is said of guests is from its sources.
#include <gtest/gtest.h>

#include "tests/unit/xenstore/host.h"

namespace xenrig::xenstore::test {
namespace {

std::string z(std::string_view s) { return std::string(s) + '\0'; }

/// A client of dom0 that tells what it gets as "type payload", with nuls shown as bars.
class Client {
public:
    explicit Client(Daemon& daemon) : daemon_(daemon), door_(daemon) {}

    std::vector<std::string> ask(std::uint32_t type, const std::string& payload, std::uint32_t tx = 0) {
        const std::string bytes = message(type, 1, tx, payload);
        door_.feed(std::as_bytes(std::span(bytes)));
        return hear();
    }
    std::vector<std::string> hear() {
        for (bool moved = true; moved;) {
            moved = daemon_.service();
            const auto out = door_.output();
            received_.append(reinterpret_cast<const char*>(out.data()), out.size());
            door_.discard_output(out.size());
        }
        std::vector<std::string> heard;
        for (const Seen& m : take_messages(received_)) {
            heard.push_back((m.type == XS_ERROR ? "error " : m.type == XS_WATCH_EVENT ? "event " : "") + m.payload);
            for (char& c : heard.back())
                if (c == '\0') c = '|';
        }
        return heard;
    }

private:
    Daemon& daemon_;
    StreamDoor door_;
    std::string received_;
};

using Heard = std::vector<std::string>;

class Oxenstored : public testing::Test {
protected:
    std::uint32_t begin() { return static_cast<std::uint32_t>(std::stoul(a.ask(XS_TRANSACTION_START, z(""))[0])); }
    Heard commit(std::uint32_t tx) { return a.ask(XS_TRANSACTION_END, z("T"), tx); }
    void introduce(std::uint16_t id) {
        host.exist(id);
        a.ask(XS_INTRODUCE, z(std::to_string(id)) + z("0") + z("7"));
    }
    std::string guest_asks(std::uint32_t type, const std::string& payload, std::uint32_t tx = 0) {
        return guest.ask(daemon, type, payload, tx);
    }

    Host host;
    Daemon daemon{host, {Personality::o}};
    Client a{daemon}, b{daemon};
    GuestEnd guest{host.exist(1)};
    const Heard ok{"OK|"};
};

TEST_F(Oxenstored, MergesATransactionWhenOthersWroteElsewhere) {
    a.ask(XS_WRITE, z("/c/x") + "1");
    const std::uint32_t tx = begin();
    a.ask(XS_WRITE, z("/c/x") + "2", tx);
    b.ask(XS_WRITE, z("/other") + "1");
    EXPECT_EQ(commit(tx), ok);
    EXPECT_EQ(b.ask(XS_READ, z("/c/x")), Heard{"2"});
    EXPECT_EQ(b.ask(XS_READ, z("/other")), Heard{"1"});
}

TEST_F(Oxenstored, AReadThatFailedIsForgottenWhenSubtreesMergeButNotWhenRequestsAreRepeated) {
    a.ask(XS_WRITE, z("/c/x") + "1");
    const std::uint32_t merges = begin();
    a.ask(XS_READ, z("/none"), merges);
    b.ask(XS_WRITE, z("/none") + "1");
    a.ask(XS_WRITE, z("/c/x") + "2", merges);
    EXPECT_EQ(commit(merges), ok);

    const std::uint32_t repeats = begin();
    a.ask(XS_READ, z("/none2"), repeats);
    b.ask(XS_WRITE, z("/none2") + "1");
    a.ask(XS_WRITE, z("/y") + "2", repeats);
    EXPECT_EQ(commit(repeats), Heard{"error EAGAIN|"});
    EXPECT_EQ(a.ask(XS_READ, z("/y")), Heard{"error ENOENT|"});
}

TEST_F(Oxenstored, AnAttemptToRepeatATransactionTakesATransactionNumber) {
    const std::uint32_t tx = begin();
    a.ask(XS_WRITE, z("/new") + "1", tx);
    b.ask(XS_WRITE, z("/other") + "1");
    EXPECT_EQ(commit(tx), ok);
    EXPECT_EQ(begin(), tx + 2);
}

TEST_F(Oxenstored, ATransactionThatTriedToNestCannotBeRepeated) {
    const std::uint32_t tx = begin();
    EXPECT_EQ(a.ask(XS_TRANSACTION_START, z(""), tx), Heard{"error EBUSY|"});
    a.ask(XS_WRITE, z("/new") + "1", tx);
    b.ask(XS_WRITE, z("/other") + "1");
    EXPECT_EQ(commit(tx), Heard{"error EAGAIN|"});
}

TEST_F(Oxenstored, TellsOfEveryChangeOfATransactionBeforeItsEndIsAcknowledged) {
    a.ask(XS_WATCH, z("/") + z("r"));
    const std::uint32_t tx = begin();
    a.ask(XS_WRITE, z("/a") + "1", tx);
    a.ask(XS_WRITE, z("/a") + "2", tx);
    EXPECT_EQ(commit(tx), (Heard{"event /a|r|", "event /a|r|", "OK|"}));
}

TEST_F(Oxenstored, TellsNobodyOfWhatATransactionMadeAndRemovedWithItsParent) {
    a.ask(XS_WATCH, z("/") + z("r"));
    const std::uint32_t tx = begin();
    a.ask(XS_WRITE, z("/c/d") + "1", tx);
    a.ask(XS_RM, z("/c/d"), tx);
    a.ask(XS_RM, z("/c"), tx);
    EXPECT_EQ(commit(tx), (Heard{"event /c|r|", "OK|"}));
}

TEST_F(Oxenstored, ParentsThatAWriteMadeStayWhenTheWriteFails) {
    EXPECT_EQ(a.ask(XS_WRITE, z("/e/f/g") + std::string(2049, 'x')), Heard{"error E2BIG|"});
    EXPECT_EQ(a.ask(XS_DIRECTORY, z("/e")), Heard{"f|"});
}

TEST_F(Oxenstored, RemovesEverythingBelowTheRoot) {
    EXPECT_EQ(a.ask(XS_RM, z("/")), ok);
    EXPECT_EQ(a.ask(XS_DIRECTORY, z("/")), Heard{""});
}

TEST_F(Oxenstored, TakesAnyLettersInASpecialPathAndStumblesOverTheEvent) {
    EXPECT_EQ(a.ask(XS_WRITE, z("@a b/c") + "1"), ok);
    EXPECT_EQ(a.ask(XS_READ, z("@a b/c")), Heard{"1"});
    EXPECT_EQ(a.ask(XS_DIRECTORY, z("/")), Heard{"@a b/c|@introduceDomain|@releaseDomain|local|tool|"});
    b.ask(XS_WATCH, z("/") + z("r"));
    EXPECT_EQ(a.ask(XS_RM, z("@a b/c")), (Heard{"OK|", "error EIO|"}));
    const std::uint32_t tx = begin();
    a.ask(XS_MKDIR, z("@a b"), tx);
    EXPECT_EQ(commit(tx), Heard{"error EINVAL|"});
    EXPECT_EQ(a.ask(XS_READ, z("@a b")), Heard{""});
}

TEST_F(Oxenstored, CountsNodesForControl) {
    EXPECT_EQ(a.ask(XS_CONTROL, z("quota") + z("0")), Heard{"dom0 quota: 5/1000|"});
    EXPECT_EQ(a.ask(XS_CONTROL, z("quota") + z("5")), Heard{"dom5 quota: not set|"});
    EXPECT_EQ(a.ask(XS_CONTROL, z("live-update") + z("-x")), Heard{"Unknown arguments: -x"});
}

TEST_F(Oxenstored, ALengthOverTheLimitCountsAsTheLimit) {
    std::string bytes = message(XS_WRITE, 1, 0, z("/v") + std::string(4096 - 3, 'x'));
    const std::uint32_t length = UINT32_MAX;
    std::memcpy(bytes.data() + offsetof(xsd_sockmsg, len), &length, sizeof length);
    StreamDoor door(daemon);
    door.feed(std::as_bytes(std::span(bytes)));
    daemon.service();
    std::string out(reinterpret_cast<const char*>(door.output().data()), door.output().size());
    const auto answers = take_messages(out);
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_EQ(answers[0].payload, z("E2BIG"));
    EXPECT_FALSE(door.closed());
}

TEST_F(Oxenstored, AGuestThatIsTheDeviceModelOfDom0HasItsRights) {
    introduce(1);
    EXPECT_EQ(guest_asks(XS_WRITE, z("/x") + "1"), z("EACCES"));
    a.ask(XS_SET_TARGET, z("1") + z("0"));
    EXPECT_EQ(guest_asks(XS_WRITE, z("/x") + "1"), z("OK"));
    // It may even let itself go.
    EXPECT_EQ(guest_asks(XS_RELEASE, z("1")), z("OK"));
    EXPECT_EQ(a.ask(XS_IS_DOMAIN_INTRODUCED, z("1")), Heard{"F|"});
    EXPECT_EQ(host.mapped, 0);
}

TEST_F(Oxenstored, AGuestMayBeginAnewOnItsRing) {
    introduce(1);
    auto& ring = host.exist(1).ring();
    EXPECT_EQ(ring.server_features, XENSTORE_SERVER_FEATURE_RECONNECTION);
    EXPECT_EQ(guest_asks(XS_WATCH, z("data") + z("t")), z("OK"));
    EXPECT_EQ(guest_asks(XS_TRANSACTION_START, z("")), z("1"));
    ring.req_prod += 7;
    ring.connection = XENSTORE_RECONNECT;
    daemon.service();
    EXPECT_EQ(ring.connection, XENSTORE_CONNECTED);
    EXPECT_EQ(ring.req_prod, 0u);
    EXPECT_EQ(ring.rsp_prod, 0u);
    EXPECT_EQ(guest_asks(XS_READ, z("/"), 1), z("EIO"));
    EXPECT_EQ(guest_asks(XS_UNWATCH, z("data") + z("t")), z("ENOENT"));
    EXPECT_EQ(guest_asks(XS_TRANSACTION_START, z("")), z("1"));
}

TEST_F(Oxenstored, AGuestsTransactionTakesNoMoreThan1024Requests) {
    introduce(1);
    EXPECT_EQ(guest_asks(XS_TRANSACTION_START, z("")), z("1"));
    for (int i = 0; i < 1024; ++i) ASSERT_EQ(guest_asks(XS_READ, z("/no"), 1), z("ENOENT"));
    EXPECT_EQ(guest_asks(XS_READ, z("/no"), 1), z("EQUOTA"));
    EXPECT_EQ(guest_asks(XS_TRANSACTION_END, z("F"), 1), z("EQUOTA"));
}

TEST_F(Oxenstored, AClientIsNotListenedToWhileTheEventsThatItCausedWaitForAClientThatDoesNotRead) {
    StreamDoor sleeper(daemon);
    const std::string watch = message(XS_WATCH, 1, 0, z("/s") + z(std::string(500, 't')));
    sleeper.feed(std::as_bytes(std::span(watch)));
    daemon.service();
    std::size_t written = 0;
    while (written < 5000 && a.ask(XS_WRITE, z("/s") + "1") == ok) ++written;
    EXPECT_LT(written, 2000u);
    // Another one that disturbs nobody goes on, and so does this one once the sleeper reads.
    EXPECT_EQ(b.ask(XS_READ, z("/s")), Heard{"1"});
    for (int i = 0; i < 100000 && daemon.service(); ++i) sleeper.discard_output(sleeper.output().size());
    for (int i = 0; i < 2000; ++i) {
        sleeper.discard_output(sleeper.output().size());
        daemon.service();
    }
    EXPECT_EQ(a.hear(), ok);
}

TEST_F(Oxenstored, AClientThatReadsItsOwnEventsOneByOneDoesNotMakeThoseOfADeafOnePileUp) {
    StreamDoor source(daemon), deaf(daemon);
    const std::string watch = message(XS_WATCH, 1, 0, z("/s") + z(std::string(1000, 't')));
    source.feed(std::as_bytes(std::span(watch)));
    daemon.service();
    // The newest watch hears first, so the last queue that an event fills is the source's own.
    deaf.feed(std::as_bytes(std::span(watch)));
    daemon.service();
    constexpr std::size_t kEvent = sizeof(xsd_sockmsg) + 1004, kAnswer = sizeof(xsd_sockmsg) + 3;
    for (int i = 0; i < 6000; ++i) {
        const std::string write = message(XS_WRITE, 1, 0, z("/s") + std::to_string(i));
        source.feed(std::as_bytes(std::span(write)));
        while (daemon.service()) {
        }
        // Its queue fills, and from then on it makes room for one event at a time.
        if (i > 1500) source.discard_output(std::min(source.output().size(), kAnswer + kEvent));
    }
    const int done = std::stoi(b.ask(XS_READ, z("/s"))[0]);
    EXPECT_GT(done, 1000);
    EXPECT_LT(done, 2000);
}

TEST_F(Oxenstored, AReleaseOfDom0TakesItsNodesAndTheSpecialOnes) {
    a.ask(XS_WRITE, z("/every/call") + "1");
    a.ask(XS_WRITE, z("/its/own"));
    a.ask(XS_SET_PERMS, z("/its") + z("n3") + z("r0"));
    a.ask(XS_SET_PERMS, z("/") + z("b0") + z("r3") + z("w0"));
    EXPECT_EQ(a.ask(XS_RELEASE, z("0")), Heard{"error ENOENT|"});
    EXPECT_EQ(a.ask(XS_DIRECTORY, z("/")), Heard{"its|"});
    EXPECT_EQ(a.ask(XS_GET_PERMS, z("/")), Heard{"b9223372036854775807|r3|w0|"});
    EXPECT_EQ(a.ask(XS_GET_PERMS, z("/its")), Heard{"n3|"});
    EXPECT_EQ(a.ask(XS_IS_DOMAIN_INTRODUCED, z("0")), Heard{"F|"});
    EXPECT_EQ(a.ask(XS_RELEASE, z("0")), Heard{"error EINVAL|"});
}

}  // namespace
}  // namespace xenrig::xenstore::test
