// A daemon's state goes on in another one while its clients talk: by CONTROL live-update with the sockets that they
// have, and by --dump and --restore for those that come afterwards.
#include <gtest/gtest.h>

#include "tests/interop/xenstore/served.h"

namespace xenrig::xenstore::test {
namespace {

std::string z(std::string_view s) { return std::string(s) + '\0'; }

class SocketLiveUpdate : public testing::TestWithParam<char> {
protected:
    Served daemon{GetParam()};
    RawClient control = daemon.connect();
};

TEST_P(SocketLiveUpdate, InTheMiddleOfTrafficLosesNothing) {
    constexpr std::uint32_t kWrites = 3000;
    RawClient writer = daemon.connect(), watcher = daemon.connect(), slow = daemon.connect(), half = daemon.connect();
    ASSERT_EQ(watcher.ask(XS_WATCH, z("/traffic") + z("t")), z("OK"));
    ASSERT_EQ(watcher.next().type, std::uint32_t{XS_WATCH_EVENT});
    const auto tx = static_cast<std::uint32_t>(std::stoul(slow.ask(XS_TRANSACTION_START, z(""))));
    ASSERT_EQ(slow.ask(XS_WRITE, z("/in/transaction") + "1", tx), z("OK"));
    const std::string question = message(XS_GET_DOMAIN_PATH, 1, 0, z("7"));
    ASSERT_TRUE(half.send(question.substr(0, 18)));

    // Nobody reads while it goes on: answers and events wait in the daemon and in the kernel.
    std::string requests;
    for (std::uint32_t i = 0; i < kWrites; ++i) {
        requests += message(XS_WRITE, i, 0, z("/traffic/" + std::to_string(i)) + "v");
        if (i % 1000 != 999) continue;
        std::size_t sent = 0;
        while (sent < requests.size() / 2) sent += writer.send_some(std::string_view(requests).substr(sent));
        ASSERT_EQ(control.ask(XS_CONTROL, z("live-update") + z("-f") + z("/nowhere")), z("OK"));
        ASSERT_EQ(control.ask(XS_CONTROL, z("live-update") + z("-s") + z("-F")), z("OK"));
        for (std::uint32_t answered = i - 999; answered <= i; ++answered) {
            while (sent < requests.size() && !writer.has_more())
                sent += writer.send_some(std::string_view(requests).substr(sent));
            const Seen answer = writer.next();
            ASSERT_EQ(answer.req_id, answered);
            ASSERT_EQ(answer.payload, z("OK"));
        }
        requests.clear();
    }
    for (std::uint32_t i = 0; i < kWrites; ++i)
        ASSERT_EQ(watcher.next().payload, z("/traffic/" + std::to_string(i)) + z("t"));
    EXPECT_EQ(watcher.ask(XS_UNWATCH, z("/traffic") + z("t")), z("OK"));
    EXPECT_EQ(slow.ask(XS_TRANSACTION_END, z("T"), tx), z("EAGAIN"));
    EXPECT_EQ(slow.ask(XS_READ, z("/in/transaction")), z("ENOENT"));
    ASSERT_TRUE(half.send(std::string_view(question).substr(18)));
    EXPECT_EQ(half.next().payload, z("/local/domain/7"));
    EXPECT_EQ(daemon.stop(), 0);
}

TEST_P(SocketLiveUpdate, IsSaidAsXenstoreControlSaysIt) {
    const auto update = [&](const std::string& arguments) {
        return control.ask(XS_CONTROL, z("live-update") + arguments);
    };
    EXPECT_EQ(update(z("-s")), z("Not in live-update session."));
    EXPECT_EQ(update(z("-a")), z("No live-update session active."));
    EXPECT_EQ(update(z("-f") + z("/usr/sbin/xenstored")), z("OK"));
    EXPECT_EQ(update(z("-f") + z("/usr/sbin/xenstored")), z("live-update session already active."));
    EXPECT_EQ(update(z("-c") + z("--verbose")), z("OK"));
    EXPECT_EQ(update(z("-s") + z("-v") + z("3")), z("Migration stream version not supported."));
    const std::string tx = control.ask(XS_TRANSACTION_START, z(""));
    EXPECT_EQ(update(z("-s") + z("-t") + z("60")), z("Overlapping transactions"));
    EXPECT_EQ(update(z("-f") + z("/usr/sbin/xenstored")), z("OK"));
    EXPECT_EQ(update(z("-a")), z("OK"));
    EXPECT_EQ(control.ask(XS_TRANSACTION_END, z("F"), static_cast<std::uint32_t>(std::stoul(tx))), z("OK"));
    EXPECT_EQ(daemon.stop(), 0);
}

TEST_P(SocketLiveUpdate, WhatWasDumpedIsRestoredAndADamagedDumpIsRefused) {
    const std::string dump = daemon.path() + ".dump";
    {
        Served first(GetParam(), 0, "--dump " + dump);
        RawClient client = first.connect();
        ASSERT_EQ(client.ask(XS_WRITE, z("/vm/a") + std::string("\0\xff", 2)), z("OK"));
        ASSERT_EQ(client.ask(XS_SET_PERMS, z("/vm/a") + z("n0") + z("r3")), z("OK"));
        ASSERT_EQ(first.stop(), 0);
    }
    {
        Served second(GetParam(), 0, "--restore " + dump);
        RawClient client = second.connect();
        EXPECT_EQ(client.ask(XS_READ, z("/vm/a")), std::string("\0\xff", 2));
        EXPECT_EQ(client.ask(XS_GET_PERMS, z("/vm/a")), z("n0") + z("r3"));
        EXPECT_EQ(second.stop(), 0);
    }
    std::string bytes;
    {
        std::ifstream in(dump, std::ios::binary);
        bytes.assign(std::istreambuf_iterator<char>(in), {});
    }
    bytes.resize(bytes.size() - 9);
    std::ofstream(dump, std::ios::binary | std::ios::trunc) << bytes;
    Served refused(GetParam(), 0, "--restore " + dump + " 2>" + dump + ".said");
    EXPECT_EQ(refused.stop(), 2);
    std::string said;
    std::getline(std::ifstream(dump + ".said"), said);
    EXPECT_NE(said.find("offset"), std::string::npos) << said;
    EXPECT_EQ(daemon.stop(), 0);
}

INSTANTIATE_TEST_SUITE_P(As, SocketLiveUpdate, testing::Values('c', 'o'),
                         [](const testing::TestParamInfo<char>& p) { return std::string(1, p.param); });

}  // namespace
}  // namespace xenrig::xenstore::test
