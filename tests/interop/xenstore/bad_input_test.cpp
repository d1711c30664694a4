// What a client can do to the daemon: nothing that another client feels. The answers are those that the real daemons
// were seen to give on their sockets.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <sched.h>
#include <algorithm>

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
    void SetUp() override { ASSERT_EQ(others.ask(XS_WRITE, z("/vm/a") + "1"), z("OK")); }

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

    Served daemon{GetParam()};
    RawClient others = daemon.connect();
    std::size_t idle_descriptors = daemon.descriptors() + 0 * others.ask(XS_GET_DOMAIN_PATH, z("0")).size();
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
    EXPECT_EQ(client.ask(XS_WRITE, z("/vm/long") + longest), c() ? z("OK") : z("EINVAL"));
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

TEST_P(XenstoreSocket, WhoAsksAndNeverReadsCostsBoundedMemory) {
    const std::string value(2000, 'v');
    ASSERT_EQ(others.ask(XS_WRITE, z("/vm/big") + value), z("OK"));
    const std::size_t before = daemon.resident_bytes();
    RawClient deaf = daemon.connect();
    std::string many;
    for (int i = 0; i < 100; ++i) many += message(XS_READ, 1, 0, z("/vm/big"));
    // Until the daemon has taken none of it for many turns, or 400 MB of answers are owed.
    int refused = 0;
    for (std::size_t sent = 0; sent < 200'000 * 25 && refused < 200;) {
        const std::size_t n = deaf.send_some(many);
        sent += n;
        refused = n == 0 ? refused + 1 : 0;
        if (n % 25 != 0) break;  // a request was cut: what follows would be something else
        ASSERT_EQ(others.ask(XS_READ, z("/vm/a")), "1");
    }
    const std::size_t after = daemon.resident_bytes();
#ifndef XENRIG_ASAN
    EXPECT_LT(after - std::min(before, after), 100u << 20);
#endif
}

TEST_P(XenstoreSocket, WhoWatchesAndNeverReadsCostsBoundedMemory) {
    RawClient deaf = daemon.connect();
    ASSERT_EQ(deaf.ask(XS_WATCH, z("/flood") + z("t")), z("OK"));
    const std::size_t before = daemon.resident_bytes();
    RawClient writer = daemon.connect();
    // Each event has a path of its own, so that none is merged: 90 MB of them.
    const std::string padding(900, 'n');
    bool held_back = false;
    for (int i = 0; i < 50'000 && !held_back; ++i) {
        const std::string path = z("/flood/" + std::to_string(i) + padding);
        ASSERT_TRUE(writer.send(message(XS_WRITE, 1, 0, path)));
        ASSERT_TRUE(writer.send(message(XS_RM, 1, 0, path)));
        if (c()) {
            ASSERT_EQ(writer.next().payload, z("OK"));
            ASSERT_EQ(writer.next().payload, z("OK"));
        } else {
            // oxenstored stops listening to who causes so many events that wait.
            ASSERT_EQ(others.ask(XS_READ, z("/vm/a")), "1");
            held_back = i == 1300;
        }
    }
    if (c()) {
        EXPECT_TRUE(deaf.is_hung_up_on());
    }
    ASSERT_EQ(others.ask(XS_READ, z("/vm/a")), "1");
#ifndef XENRIG_ASAN
    const std::size_t after = daemon.resident_bytes();
    EXPECT_LT(after - std::min(before, after), 100u << 20);
#endif
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
    constexpr int kLimit = 40;
    Served small(GetParam(), kLimit);
    std::vector<RawClient> served;
    // Who is answered has a descriptor; one more than there can be is not.
    served.push_back(small.connect());
    while (served.size() + 1 < kLimit) {
        served.push_back(small.connect());
        ASSERT_TRUE(served.back().connected());
        ASSERT_TRUE(served.back().send(message(XS_GET_DOMAIN_PATH, 1, 0, z("0"))));
        ASSERT_EQ(served.front().ask(XS_GET_DOMAIN_PATH, z("0")), z("/local/domain/0"));
        pollfd answered{.fd = served.back().descriptor(), .events = POLLIN, .revents = 0};
        if (small.descriptors() == kLimit && ::poll(&answered, 1, 0) == 0) break;
    }
    ASSERT_LT(served.size() + 1, static_cast<std::size_t>(kLimit));
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
