// What a client can do to the daemon: nothing that another client feels. The answers are those that the real daemons
// were seen to give on their sockets.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>

#include "tests/interop/xenstore/served.h"

namespace xenrig::xenstore::test {
namespace {

std::string z(std::string_view s) { return std::string(s) + '\0'; }

std::string header(std::uint32_t type, std::uint32_t length) {
    const xsd_sockmsg h{type, 7, 0, length};
    return {reinterpret_cast<const char*>(&h), sizeof h};
}

class XenstoreSocket : public testing::TestWithParam<char> {
protected:
    void SetUp() override {
        ASSERT_EQ(others.ask(XS_WRITE, z("/vm/a") + "1"), z("OK"));
        idle_descriptors = daemon.descriptors();
    }

    void TearDown() override {
        EXPECT_EQ(others.ask(XS_READ, z("/vm/a")), "1");
        // The bystander's and the daemon's own are left.
        EXPECT_TRUE(comes_true([&] { return daemon.descriptors() == idle_descriptors; })) << daemon.descriptors();
        EXPECT_EQ(daemon.stop(), 0);
        EXPECT_FALSE(std::filesystem::exists(daemon.path()));
    }

    static bool c() { return GetParam() == 'c'; }

    /// Asks again and again, with a request between, so that the daemon has had its turn.
    template <class Condition>
    bool comes_true(Condition condition) {
        for (int i = 0; i < 20'000; ++i) {
            if (condition()) return true;
            if (others.ask(XS_READ, z("/vm/a")) != "1") return false;
        }
        return false;
    }

    /// The bytes again and again, for as long as the daemon takes any; others are served meanwhile.
    std::size_t send_until_refused(const RawClient& client, std::string_view bytes) {
        constexpr int kTurns = 200;
        std::size_t sent = 0;
        for (int refused = 0; refused < kTurns && sent < 1u << 30;) {
            const std::size_t n = client.send_some(bytes.substr(sent % bytes.size()));
            sent += n;
            refused = n == 0 ? refused + 1 : 0;
            if (others.ask(XS_READ, z("/vm/a")) != "1") ADD_FAILURE() << "others are served";
        }
        return sent;
    }

    /// The daemon has grown by no more than that.
    void expect_no_more_than([[maybe_unused]] std::size_t before, [[maybe_unused]] std::size_t bytes) const {
#ifndef XENRIG_ASAN
        EXPECT_LT(daemon.resident_bytes(), before + bytes);
#endif
    }

    Served daemon{GetParam()};
    RawClient others = daemon.connect();
    std::size_t idle_descriptors = 0;  ///< with the bystander connected
};

TEST_P(XenstoreSocket, AMessageOfMoreThan4096BytesEndsTheConnectionOrIsCut) {
    for (const std::uint32_t length : {4097u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
        RawClient client = daemon.connect();
        ASSERT_TRUE(client.send(header(XS_READ, length)));
        if (c()) {
            EXPECT_TRUE(client.is_hung_up_on()) << length;
        } else {
            // oxenstored reads 4096 bytes of it.
            ASSERT_TRUE(client.send(std::string(4096, 'x')));
            EXPECT_EQ(client.next().payload, z("EINVAL")) << length;
        }
    }
}

TEST_P(XenstoreSocket, TheLongestMessageIsAnswered) {
    RawClient client = daemon.connect();
    const std::string longest(4096 - sizeof "/vm/long", 'v');
    // oxenstored's quota for a value is 2048 bytes, and dom0 has it, too.
    EXPECT_EQ(client.ask(XS_WRITE, z("/vm/long") + longest), c() ? z("OK") : z("E2BIG"));
    EXPECT_EQ(client.ask(XS_READ, z("/vm/long")), c() ? longest : z("ENOENT"));
}

TEST_P(XenstoreSocket, AnUnknownRequestIsAnError) {
    RawClient client = daemon.connect();
    for (const std::uint32_t type : {99u, static_cast<std::uint32_t>(XS_ERROR), 0xffffffffu})
        EXPECT_EQ(client.ask(type, z("/vm/a")), z("ENOSYS")) << type;
    EXPECT_EQ(client.ask(XS_READ, z("/vm/a")), "1");
}

TEST_P(XenstoreSocket, BytesThatComeOneByOneAreAMessage) {
    RawClient client = daemon.connect();
    for (const char byte : message(XS_READ, 3, 0, z("/vm/a"))) {
        ASSERT_TRUE(client.send({&byte, 1}));
        ASSERT_EQ(others.ask(XS_READ, z("/vm/a")), "1");
    }
    const Seen answer = client.next();
    EXPECT_EQ(answer.req_id, 3u);
    EXPECT_EQ(answer.payload, "1");
}

TEST_P(XenstoreSocket, AClientThatIsGoneInTheMiddleOfAMessageLeavesNothing) {
    const std::string whole = message(XS_WRITE, 1, 0, z("/vm/half") + "1");
    for (std::size_t bytes = 1; bytes < whole.size(); ++bytes) {
        RawClient client = daemon.connect();
        ASSERT_TRUE(client.send(whole.substr(0, bytes)));
    }
    EXPECT_EQ(others.ask(XS_READ, z("/vm/half")), z("ENOENT"));
}

TEST_P(XenstoreSocket, AClientThatGoesWithATransactionAndAWatchLeavesNothing) {
    for (int i = 0; i < 100; ++i) {
        RawClient client = daemon.connect();
        ASSERT_EQ(client.ask(XS_WATCH, z("/vm") + z("t")), z("OK"));
        const Seen first = client.next();
        ASSERT_EQ(first.type, std::uint32_t{XS_WATCH_EVENT});
        const std::string tx = client.ask(XS_TRANSACTION_START, z(""));
        ASSERT_EQ(client.ask(XS_WRITE, z("/vm/undone") + "1", static_cast<std::uint32_t>(std::stoul(tx))), z("OK"));
    }
    EXPECT_EQ(others.ask(XS_READ, z("/vm/undone")), z("ENOENT"));
}

TEST_P(XenstoreSocket, HalfAHeaderAndThenSilenceHoldsNobodyUp) {
    RawClient silent = daemon.connect();
    ASSERT_TRUE(silent.send(header(XS_READ, 6).substr(0, 7)));
    for (int i = 0; i < 100; ++i) ASSERT_EQ(others.ask(XS_READ, z("/vm/a")), "1");
    ASSERT_TRUE(silent.send(header(XS_READ, 6).substr(7) + z("/vm/a")));
    EXPECT_EQ(silent.next().payload, "1");
}

TEST_P(XenstoreSocket, RequestsThatAreSentAtOnceAreAnsweredInTheirOrder) {
    constexpr std::uint32_t kRequests = 2000;
    RawClient client = daemon.connect();
    std::string all;
    for (std::uint32_t i = 0; i < kRequests; ++i) all += message(XS_READ, i, 0, z("/vm/a"));
    ASSERT_TRUE(client.send(all));
    for (std::uint32_t i = 0; i < kRequests; ++i) {
        const Seen answer = client.next();
        ASSERT_EQ(answer.req_id, i);
        ASSERT_EQ(answer.payload, "1");
    }
}

TEST_P(XenstoreSocket, WhoAsksAndNeverReadsIsNotListenedToUntilItReads) {
    const std::string value(2000, 'v');
    ASSERT_EQ(others.ask(XS_WRITE, z("/vm/big") + value), z("OK"));
    const std::size_t before = daemon.resident_bytes();
    RawClient deaf = daemon.connect();
    const std::string request = message(XS_READ, 1, 0, z("/vm/big"));
    std::string many;
    for (int i = 0; i < 1000; ++i) many += request;
    const std::size_t sent = send_until_refused(deaf, many);
    ASSERT_LT(sent, 400'000u * request.size()) << "800 MB of answers are owed";
    expect_no_more_than(before, 64u << 20);
    for (std::size_t i = 0; i < sent / request.size(); ++i) ASSERT_EQ(deaf.next().payload, value) << i;
    // The rest of a request that was cut, and one more.
    ASSERT_TRUE(
        deaf.send(std::string_view(many).substr(sent % request.size(), request.size() - sent % request.size())));
    ASSERT_EQ(deaf.next().payload, value);
}

/// XSA-326: each event has a path of its own, so that none is merged.
std::string flood(int i) {
    const std::string path = z("/flood/" + std::to_string(i) + std::string(900, 'n'));
    return message(XS_WRITE, 1, 0, path) + message(XS_RM, 1, 0, path);
}

TEST_P(XenstoreSocket, WhoWatchesAndNeverReadsCostsBoundedMemory) {
    RawClient deaf = daemon.connect();
    ASSERT_EQ(deaf.ask(XS_WATCH, z("/flood") + z("t")), z("OK"));
    ASSERT_EQ(deaf.next().type, std::uint32_t{XS_WATCH_EVENT});
    const std::size_t before = daemon.resident_bytes();
    RawClient writer = daemon.connect();
    if (c()) {
        // The real one remembers without end; 40 MB are more than any client leaves unread for good reason.
        bool gone = false;
        for (int i = 0; i < 40'000 && !gone; ++i) {
            ASSERT_TRUE(writer.send(flood(i)));
            ASSERT_EQ(writer.next().payload, z("OK"));
            ASSERT_EQ(writer.next().payload, z("OK"));
            gone = i % 100 == 0 && daemon.descriptors() == idle_descriptors + 1;
        }
        EXPECT_TRUE(gone);
        expect_no_more_than(before, 64u << 20);
        EXPECT_TRUE(deaf.is_hung_up_on());
        return;
    }
    // oxenstored stops listening to who causes so many events that wait, until they have been read.
    std::string many;
    for (int i = 0; i < 1000; ++i) many += flood(i);
    const std::size_t sent = send_until_refused(writer, many);
    ASSERT_LT(sent, 20 * many.size());
    expect_no_more_than(before, 64u << 20);
    const std::size_t answers = 2 * (sent / flood(1000).size());
    std::size_t heard = 0;
    while (heard < answers && (deaf.has_more() || writer.has_more())) {
        if (deaf.has_more()) {
            ASSERT_EQ(deaf.next().type, std::uint32_t{XS_WATCH_EVENT});
        }
        if (writer.has_more()) heard += writer.next().payload == z("OK") ? 1 : 0;
        ASSERT_EQ(others.ask(XS_READ, z("/vm/a")), "1");
    }
    EXPECT_GE(heard + 8, answers);
}

TEST_P(XenstoreSocket, TenThousandClientsAreServed) {
    constexpr std::size_t kWanted = 10'000, kSpare = 100;
    rlimit files{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);
    const std::size_t count = std::min<std::size_t>(kWanted, files.rlim_max - kSpare);
    if (count < kWanted) std::printf("%zu clients: the hard limit of open files is %lu\n", count, files.rlim_max);
    std::vector<RawClient> clients;
    for (std::size_t i = 0; i < count; ++i) {
        clients.push_back(daemon.connect());
        ASSERT_TRUE(clients.back().connected()) << i << ": " << std::strerror(errno);
    }
    for (RawClient& client : clients) ASSERT_TRUE(client.send(message(XS_READ, 1, 0, z("/vm/a"))));
    for (RawClient& client : clients) ASSERT_EQ(client.next().payload, "1");
    EXPECT_EQ(daemon.descriptors(), idle_descriptors + count);
}

TEST_P(XenstoreSocket, WithoutDescriptorsTheNextOneWaitsAndTheDaemonSleeps) {
#ifdef XENRIG_ASAN
    GTEST_SKIP() << "the sanitizer finds out by a pipe whether memory can be read, and there is no descriptor for it";
#endif
    constexpr int kLimit = 40;
    Served small(GetParam(), kLimit);
    // Each asks when it has come; the first one asks, too, so that the daemon has had many turns since.
    std::vector<RawClient> served;
    served.push_back(small.connect());
    const auto is_answered = [&](const RawClient& client) {
        for (int turn = 0; turn < 50 && !client.has_more(); ++turn)
            if (served.front().ask(XS_GET_DOMAIN_PATH, z("0")) != z("/local/domain/0")) return false;
        return client.has_more();
    };
    do {
        served.push_back(small.connect());
        ASSERT_TRUE(served.back().send(message(XS_GET_DOMAIN_PATH, 1, 0, z("0"))));
    } while (is_answered(served.back()) && served.size() <= kLimit);
    ASSERT_LE(served.size(), static_cast<std::size_t>(kLimit));
    RawClient waits = std::move(served.back());
    served.pop_back();
    // It does not try again and again: seen asleep more often than not.
    int asleep = 0;
    for (int i = 0; i < 2000; ++i) {
        asleep += small.sleeps() ? 1 : 0;
        ::sched_yield();
    }
    EXPECT_GT(asleep, 1000);
    EXPECT_EQ(served.front().ask(XS_GET_DOMAIN_PATH, z("0")), z("/local/domain/0"));
    served.pop_back();
    EXPECT_EQ(waits.next().payload, z("/local/domain/0"));
    EXPECT_EQ(small.stop(), 0);
}

INSTANTIATE_TEST_SUITE_P(As, XenstoreSocket, testing::Values('c', 'o'),
                         [](const testing::TestParamInfo<char>& p) { return std::string(1, p.param); });

}  // namespace
}  // namespace xenrig::xenstore::test
