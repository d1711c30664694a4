// Clients that lie, flood, stall or vanish hurt themselves and nobody else (docs/misc/xenstore-ring.txt, XSA-326).
#include <gtest/gtest.h>

#include "sim/xenstore/store.h"
#include "tests/unit/xenstore/host.h"
#include "tests/unit/xenstore/random.h"

namespace xenrig::xenstore::test {
namespace {

std::span<const std::byte> bytes_of(const std::string& s) { return std::as_bytes(std::span(s)); }

/// A daemon with guest 1, which may write below /local/domain/1, and a client in dom0.
/// Guest 1 with a home of its own, and a client in dom0.
class Peers {
protected:
    explicit Peers(Personality personality) : daemon(host, {personality}) {
        host.exist(1);
        ask(XS_WRITE, std::string("/local/domain/1/data\0", 21));
        ask(XS_SET_PERMS, std::string("/local/domain/1\0n1\0", 19));
        ask(XS_SET_PERMS, std::string("/local/domain/1/data\0n1\0", 24));
        EXPECT_EQ(ask(XS_INTRODUCE, std::string("1\0000\0007\0", 6)), std::string("OK\0", 3));
    }

    /// Dom0's request and its answer.
    std::string ask(std::uint32_t type, const std::string& payload) {
        dom0.feed(bytes_of(message(type, 1, 0, payload)));
        daemon.service();
        std::string out(dom0.output().size(), '\0');
        dom0.take_output(std::as_writable_bytes(std::span(out)));
        for (const Seen& m : take_messages(out))
            if (m.type != XS_WATCH_EVENT) return m.payload;
        return "no answer";
    }
    bool dom0_is_served() { return ask(XS_READ, std::string("/tool\0", 6)).empty(); }

    /// Lets guest and daemon move until neither does; the guest's messages.
    std::vector<Seen> settle() {
        while (daemon.service() || guest.move()) {
        }
        return guest.messages();
    }
    xenstore_domain_interface& ring() { return host.pages.at(1)->ring(); }
    const Usage& usage() { return daemon.store().domains().find(1)->usage; }

    Host host;
    Daemon daemon;
    StreamDoor dom0{daemon};
    GuestEnd guest{host.exist(1)};
};

class XenstoreHostile : public testing::Test, protected Peers {
protected:
    XenstoreHostile() : Peers(Personality::c) {}
};

class XenstoreAnyPersonality : public testing::TestWithParam<Personality>, protected Peers {
protected:
    XenstoreAnyPersonality() : Peers(GetParam()) {}

    /// oxenstored tells the guest nothing of an error.
    static std::uint32_t shown(std::uint32_t error) { return GetParam() == Personality::c ? error : 0; }
};

INSTANTIATE_TEST_SUITE_P(Of, XenstoreAnyPersonality, testing::Values(Personality::c, Personality::o),
                         [](const auto& p) { return p.param == Personality::c ? "C" : "Oxenstored"; });

TEST_F(XenstoreHostile, ARingPageShowsTheServersFeatures) { EXPECT_EQ(ring().server_features, kFeatures); }

TEST_P(XenstoreAnyPersonality, RequestIndicesThatLieBreakTheRingAndNobodyElse) {
    ring().req_prod = ring().req_cons + XENSTORE_RING_SIZE + 1;
    daemon.service();
    EXPECT_EQ(ring().error, shown(XENSTORE_ERROR_RINGIDX));
    EXPECT_TRUE(dom0_is_served());
}

TEST_P(XenstoreAnyPersonality, ResponseIndicesThatLieBreakTheRing) {
    guest.send(message(XS_READ, 1, 0, std::string("data\0", 5)));
    guest.move();
    ring().rsp_cons = ring().rsp_prod + 1;
    daemon.service();
    EXPECT_EQ(ring().error, shown(XENSTORE_ERROR_RINGIDX));
    EXPECT_TRUE(dom0_is_served());
}

TEST_F(XenstoreHostile, AMessageThatIsTooLongIsAProtocolErrorOnARing) {
    const xsd_sockmsg header{XS_WRITE, 1, 0, XENSTORE_PAYLOAD_MAX + 1};
    guest.send({reinterpret_cast<const char*>(&header), sizeof header});
    EXPECT_TRUE(settle().empty());
    EXPECT_EQ(ring().error, XENSTORE_ERROR_PROTO);
}

TEST_P(XenstoreAnyPersonality, ABrokenRingLosesItsWatchesAndIsNotReadAnyMore) {
    guest.send(message(XS_WATCH, 1, 0, std::string("data\0t\0", 7)));
    EXPECT_EQ(settle().size(), 2u);
    ring().req_prod = ring().req_cons + 5'000;
    daemon.service();
    const auto prod = ring().rsp_prod;
    ask(XS_WRITE, std::string("/local/domain/1/data/x\0001", 24));
    EXPECT_EQ(ring().rsp_prod, prod);
    EXPECT_TRUE(daemon.store().domains().find(1)->connection->watches.empty());
}

TEST_F(XenstoreHostile, ALengthOfFourBillionClosesASocket) {
    StreamDoor client(daemon);
    const xsd_sockmsg header{XS_WRITE, 1, 0, UINT32_MAX};
    client.feed(std::as_bytes(std::span(&header, 1)));
    daemon.service();
    EXPECT_TRUE(client.closed());
    EXPECT_TRUE(dom0_is_served());
}

TEST_F(XenstoreHostile, AReplyLargerThanTheRingComesInPieces) {
    const std::string value(4'000, 'v');
    ask(XS_WRITE, std::string("/local/domain/1/long\0", 21) + value);
    ask(XS_SET_PERMS, std::string("/local/domain/1/long\0n1\0", 24));
    guest.send(message(XS_READ, 9, 0, std::string("long\0", 5)));
    const auto messages = settle();
    ASSERT_EQ(messages.size(), 1u);
    EXPECT_EQ(messages[0].payload, value);
}

TEST_F(XenstoreHostile, AGuestThatWaitsForReconnectionIsToldByTheNextIntroduction) {
    ring().req_prod = 77;
    ring().req_cons = 77;
    ring().connection = XENSTORE_RECONNECT;
    ask(XS_INTRODUCE, std::string("1\0000\0009\0", 6));
    EXPECT_EQ(ring().connection, XENSTORE_CONNECTED);
    EXPECT_EQ(ring().req_prod, 0u);
    EXPECT_EQ(host.rebound, 1);
}

TEST_F(XenstoreHostile, AGuestThatReadsNoRepliesGetsNoMoreThanItsOutstandingRequestsServed) {
    std::string requests;
    for (std::uint32_t i = 0; i < 200; ++i)
        requests += message(XS_WRITE, i, 0, std::string("data/n\0", 7) + std::to_string(i) + std::string(60, 'x'));
    auto& r = ring();
    // The guest writes on, but never takes a reply.
    for (std::size_t at = 0; at < requests.size();) {
        while (at < requests.size() && r.req_prod - r.req_cons < XENSTORE_RING_SIZE)
            r.req[MASK_XENSTORE_IDX(r.req_prod++)] = requests[at++];
        if (!daemon.service()) break;
    }
    // What fits on the ring is not outstanding any more; what waits behind it is limited.
    constexpr std::uint32_t kLimit = 20;
    EXPECT_EQ(usage()[Quota::outstanding], kLimit);
    EXPECT_TRUE(dom0_is_served());
    EXPECT_FALSE(settle().empty());
    EXPECT_EQ(usage()[Quota::outstanding], 0u);
}

TEST_F(XenstoreHostile, EventsThatAGuestDoesNotReadAreBoundedByItsMemory) {
    guest.send(message(XS_WATCH, 1, 0, std::string("data\0t\0", 7)));
    settle();
    for (int i = 0; i < 50'000; ++i) {
        const std::string path = "/local/domain/1/data/" + std::string(100, 'n') + std::to_string(i);
        ask(XS_WRITE, path + std::string("\0", 1));
        ask(XS_RM, path + std::string("\0", 1));
    }
    EXPECT_LT(usage()[Quota::memory], 2'621'440u);
    EXPECT_GT(usage()[Quota::memory], 2'600'000u);
    settle();
    EXPECT_LT(usage()[Quota::memory], 1'000u);
}

TEST_F(XenstoreHostile, EventsThatAGuestDoesNotReadForTwentySecondsAreDropped) {
    guest.send(message(XS_WATCH, 1, 0, std::string("data\0t\0", 7)));
    settle();
    for (int i = 0; i < 100; ++i) ask(XS_WRITE, "/local/domain/1/data/n" + std::to_string(i) + std::string("\0", 1));
    host.time = Nanoseconds{20'000'000'000};
    const auto seen = settle();
    // The first ones were on the ring already.
    EXPECT_GT(seen.size(), 10u);
    EXPECT_LT(seen.size(), 40u);
}

TEST_F(XenstoreHostile, AClientThatVanishesInTheMiddleOfAMessageLeavesNothingBehind) {
    {
        StreamDoor client(daemon);
        client.feed(bytes_of(message(XS_TRANSACTION_START, 1, 0, std::string(1, '\0'))));
        client.feed(bytes_of(message(XS_WATCH, 2, 0, std::string("/w\0t\0", 5))));
        client.feed(bytes_of(message(XS_WRITE, 3, 1, std::string("/z\0v", 4)).substr(0, 18)));
        daemon.service();
    }
    EXPECT_EQ(ask(XS_READ, std::string("/z\0", 3)), std::string("ENOENT\0", 7));
    EXPECT_EQ(ask(XS_WRITE, std::string("/w\0v", 4)), std::string("OK\0", 3));
}

TEST_F(XenstoreHostile, AGuestThatDiesInTheMiddleOfAMessageIsForgotten) {
    guest.send(message(XS_WRITE, 1, 0, std::string("data/x\0v", 8)).substr(0, 19));
    settle();
    host.states[1] = DomainState::dying;
    daemon.check_domains();
    EXPECT_EQ(host.mapped, 0);
    EXPECT_EQ(ask(XS_IS_DOMAIN_INTRODUCED, std::string("1\0", 2)), std::string("F\0", 2));
    EXPECT_TRUE(dom0_is_served());
}

TEST_P(XenstoreAnyPersonality, TenThousandIdleConnectionsDisturbNobody) {
    std::vector<std::unique_ptr<StreamDoor>> idle;
    for (int i = 0; i < 10'000; ++i) idle.push_back(std::make_unique<StreamDoor>(daemon));
    for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(dom0_is_served());
}

/// Something like a message: often well formed, sometimes not.
std::string random_message(Random& random) {
    static constexpr std::string_view kPieces[] = {"/",  "a", "b/c", "@releaseDomain", "data", "T",   "F", "n0",
                                                   "r1", "1", "-1",  "99999999",       "..",   "\xff"};
    std::string payload;
    for (unsigned n = random.below(5); n != 0; --n) {
        payload += kPieces[random.below(std::size(kPieces))];
        if (random.below(3) != 0) payload += '\0';
    }
    const unsigned type = random.below(30);
    const unsigned request = random.below(4);
    std::string bytes = message(type, request, random.below(3), payload);
    if (random.below(20) == 0) {
        const unsigned at = random.below(static_cast<unsigned>(bytes.size()));
        bytes[at] ^= static_cast<char>(random.below(256));
    }
    return bytes;
}

TEST_F(XenstoreHostile, AnyBytesInAnyPiecesHurtNobodyElse) {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        Random random(seed);
        StreamDoor client(daemon);
        std::string bytes;
        for (int i = 0; i < 40; ++i) bytes += random_message(random);
        for (std::size_t at = 0; at < bytes.size() && !client.closed();) {
            const std::size_t n = std::min<std::size_t>(1 + random.below(50), bytes.size() - at);
            client.feed(bytes_of(bytes.substr(at, n)));
            at += n;
            if (random.below(2) == 0) daemon.service();
            if (random.below(3) == 0) client.discard_output(client.output().size());
        }
        daemon.service();
    }
    // Some of them will have shut guest 1 out, or written to the root; nobody may have stopped the daemon.
    EXPECT_EQ(ask(XS_WRITE, std::string("/tool/x\0001", 9)), std::string("OK\0", 3));
    EXPECT_EQ(ask(XS_READ, std::string("/tool/x\0", 8)), "1");
}

TEST_F(XenstoreHostile, AnyBytesAnywhereInARingPageHurtNobodyElse) {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        Random random(seed);
        ask(XS_INTRODUCE, std::string("1\0000\0007\0", 6));
        for (int i = 0; i < 40; ++i) {
            guest.send(random_message(random));
            if (random.below(3) != 0) guest.move();
            if (random.below(10) == 0) {
                const unsigned at = random.below(2'080);
                host.pages.at(1)->bytes[at] = static_cast<std::byte>(random.below(256));
            }
            daemon.service();
        }
        ask(XS_RELEASE, std::string("1\0", 2));
        guest = GuestEnd(host.exist(1));
        ASSERT_TRUE(dom0_is_served()) << seed;
    }
}

TEST_F(XenstoreHostile, ATreeAsDeepAsAPathIsLongComesAndGoes) {
    std::string path;
    for (int i = 0; i < 2'000; ++i) path += "/d";
    EXPECT_EQ(ask(XS_WRITE, path + std::string("\0v", 2)), std::string("OK\0", 3));
    EXPECT_EQ(ask(XS_RM, std::string("/d\0", 3)), std::string("OK\0", 3));
    EXPECT_EQ(ask(XS_READ, std::string("/d\0", 3)), std::string("ENOENT\0", 7));
}

}  // namespace
}  // namespace xenrig::xenstore::test
