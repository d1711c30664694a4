// A daemon goes on from the image of another, in the middle of traffic; a damaged stream is refused where it is
// damaged.
#include <gtest/gtest.h>

#include "sim/xenstore/state_image.h"
#include "sim/xenstore/store.h"
#include "tests/unit/xenstore/host.h"

namespace xenrig::xenstore::test {
namespace {

std::string z(std::string_view s) { return std::string(s) + '\0'; }
std::span<const std::byte> bytes(std::string_view s) { return std::as_bytes(std::span(s)); }

/// A client that outlives a daemon: bytes in, bytes out.
class Socket final : public Transport {
public:
    std::expected<std::size_t, RingFault> read(std::span<std::byte> to) override {
        const std::size_t n = std::min(to.size(), in.size());
        std::memcpy(to.data(), in.data(), n);
        in.erase(0, n);
        return n;
    }
    std::expected<std::size_t, RingFault> write(std::span<const std::byte> bytes) override {
        const std::size_t n = std::min(bytes.size(), room);
        out.append(reinterpret_cast<const char*>(bytes.data()), n);
        room -= n;
        return n;
    }
    bool can_read() override { return !in.empty(); }
    bool can_write() override { return room != 0; }
    void taken_over(Connection& by) override { connection = &by; }
    void broken(RingFault) override {}

    std::string in, out;
    std::size_t room = 1 << 20;
    Connection* connection = nullptr;
};

class XenstoreLiveUpdate : public testing::TestWithParam<Personality> {
protected:
    XenstoreLiveUpdate() {
        host.exist(1);
        connection = &daemon->connect(socket);
        ask(XS_WRITE, z("/local/domain/1/data"));
        ask(XS_SET_PERMS, z("/local/domain/1/data") + z("n1") + z("r0"));
        ask(XS_INTRODUCE, z("1") + z("0") + z("7"));
        ask(XS_WRITE, z("/vm/b") + "2");
        ask(XS_WRITE, z("/vm/a") + "1");
    }

    std::vector<Seen> ask(std::uint32_t type, const std::string& payload, std::uint32_t tx = 0) {
        socket.in += message(type, 1, tx, payload);
        daemon->wake(*connection);
        daemon->service();
        return take_messages(socket.out);
    }
    std::string answer(std::uint32_t type, const std::string& payload, std::uint32_t tx = 0) {
        const auto messages = ask(type, payload, tx);
        return messages.empty() ? "nothing" : messages.back().payload;
    }

    static bool c() { return GetParam() == Personality::c; }

    /// The state goes through the stream into a new daemon.
    void update() {
        const std::string stream = encode(daemon->image());
        auto image = decode(stream);
        ASSERT_TRUE(image) << image.error().to_string();
        // The page stays the guest's; only the old daemon's hold on it goes.
        daemon = std::make_unique<Daemon>(host, DaemonConfig{GetParam()});
        ASSERT_TRUE(daemon->adopt(*image, [&](std::uint32_t) { return &socket; }));
        connection = socket.connection;
    }

    Host host;
    Socket socket;
    std::unique_ptr<Daemon> daemon = std::make_unique<Daemon>(host, DaemonConfig{GetParam()});
    Connection* connection = nullptr;
};

TEST_P(XenstoreLiveUpdate, KeepsTheTreeItsOrderAndPermissions) {
    const StateImage before = daemon->image();
    update();
    const StateImage after = daemon->image();
    ASSERT_EQ(before.nodes.size(), after.nodes.size());
    for (std::size_t i = 0; i < before.nodes.size(); ++i) {
        EXPECT_EQ(before.nodes[i].path, after.nodes[i].path);
        EXPECT_EQ(before.nodes[i].value, after.nodes[i].value);
        EXPECT_EQ(before.nodes[i].perms, after.nodes[i].perms);
    }
    EXPECT_EQ(encode(before), encode(after));
}

TEST_P(XenstoreLiveUpdate, KeepsAGuestsRingWatchesAndHalfAMessage) {
    GuestEnd guest(host.exist(1));
    const auto settle = [&] {
        while (daemon->service() || guest.move()) {
        }
        return guest.messages();
    };
    guest.send(message(XS_WATCH, 5, 0, z("data") + z("token")));
    EXPECT_EQ(settle().size(), 2u);
    const std::string write = message(XS_WRITE, 6, 0, z("data/x") + "v");
    guest.send(write.substr(0, 20));
    settle();

    update();
    guest.send(write.substr(20));
    const auto seen = settle();
    ASSERT_EQ(seen.size(), 2u);
    // C: the event first; oxenstored: the answer.
    EXPECT_EQ(seen[c() ? 0 : 1].payload, z("data/x") + z("token"));
    EXPECT_EQ(seen[c() ? 1 : 0].req_id, 6u);
    EXPECT_EQ(daemon->store().tree().find("/local/domain/1/data/x")->value(), "v");
}

TEST_P(XenstoreLiveUpdate, SendsTheRestOfAnAnswerThatWasHalfSent) {
    socket.room = 18;
    socket.in += message(XS_READ, 1, 0, z("/vm/b")) + message(XS_DIRECTORY, 2, 0, z("/vm"));
    daemon->wake(*connection);
    daemon->service();
    update();
    socket.room = 1 << 20;
    daemon->service();
    const auto seen = take_messages(socket.out);
    ASSERT_EQ(seen.size(), 2u);
    EXPECT_EQ(seen[0].payload, "2");
    EXPECT_EQ(seen[1].payload, c() ? z("b") + z("a") : z("a") + z("b"));
}

TEST_P(XenstoreLiveUpdate, LetsATransactionBeginAgain) {
    GuestEnd guest(host.exist(1));
    const auto settle = [&] {
        while (daemon->service() || guest.move()) {
        }
        return guest.messages();
    };
    guest.send(message(XS_TRANSACTION_START, 1, 0, z("")));
    EXPECT_EQ(settle().back().payload, z("1"));
    update();
    guest.send(message(XS_TRANSACTION_END, 2, 1, z("T")));
    EXPECT_EQ(settle().back().payload, z("EAGAIN"));
    guest.send(message(XS_TRANSACTION_START, 3, 0, z("")));
    EXPECT_EQ(settle().back().payload, z("2"));
}

TEST_P(XenstoreLiveUpdate, AStreamWithAnyByteMissingIsRefusedWithItsOffset) {
    const std::string stream = encode(daemon->image());
    for (std::size_t length = 0; length < stream.size(); length += 3) {
        const auto image = decode(std::string_view(stream).substr(0, length));
        ASSERT_FALSE(image) << length;
        EXPECT_EQ(image.error().code, Errno::badmsg);
        EXPECT_NE(image.error().message.find("offset"), std::string::npos);
    }
}

TEST_P(XenstoreLiveUpdate, EventsThatWaitAreMergedWithLaterOnesAndSent) {
    ask(XS_WATCH, z("/vm") + z("t"));
    socket.room = 5;
    socket.in += message(XS_WRITE, 1, 0, z("/vm/a") + "2") + message(XS_WRITE, 2, 0, z("/vm/b") + "2");
    daemon->wake(*connection);
    daemon->service();
    update();
    // The same once more, by somebody else, while the first still waits.
    StreamDoor other(*daemon);
    other.feed(bytes(message(XS_WRITE, 3, 0, z("/vm/b") + "3")));
    daemon->service();
    socket.room = 1 << 20;
    daemon->wake(*connection);
    daemon->service();
    std::vector<std::string> events;
    unsigned answers = 0;
    for (const Seen& m : take_messages(socket.out)) {
        if (m.type == XS_WATCH_EVENT)
            events.push_back(m.payload);
        else
            ++answers;
    }
    EXPECT_EQ(answers, 2u);
    std::vector<std::string> expected{z("/vm/a") + z("t"), z("/vm/b") + z("t")};
    if (!c()) expected.push_back(expected.back());
    EXPECT_EQ(events, expected);
}

#if defined XENRIG_ASAN || defined XENRIG_TSAN
constexpr unsigned kBitsOfAByte = 1;
#else
constexpr unsigned kBitsOfAByte = 8;
#endif

TEST_P(XenstoreLiveUpdate, AStreamWithAnyBitChangedIsRefusedWithItsOffsetOrIsAState) {
    ask(XS_WATCH, z("/vm") + z("t"));
    socket.room = 20;
    socket.in += message(XS_WRITE, 1, 0, z("/vm/a") + "2") + message(XS_READ, 2, 0, z("/vm/a")).substr(0, 18);
    daemon->wake(*connection);
    daemon->service();
    ask(XS_TRANSACTION_START, z(""));
    const std::string stream = encode(daemon->image());
    std::size_t refused = 0, taken = 0;
    for (std::size_t at = 0; at < stream.size(); ++at) {
        for (unsigned bit = 0; bit < kBitsOfAByte; ++bit) {
            std::string damaged = stream;
            damaged[at] = static_cast<char>(damaged[at] ^ (1U << ((bit + at) % 8)));
            const auto image = decode(damaged);
            if (!image) {
                ++refused;
                ASSERT_EQ(image.error().code, Errno::badmsg);
                const auto offset = image.error().message.find("offset ");
                ASSERT_NE(offset, std::string::npos);
                ASSERT_LE(std::stoul(image.error().message.substr(offset + 7)), stream.size());
                continue;
            }
            // It serves what it was told, whatever that was, and another can go on from it.
            Daemon next(host, DaemonConfig{GetParam()});
            if (!next.adopt(*image, {})) continue;
            ++taken;
            StreamDoor client(next);
            client.feed(bytes(message(XS_DIRECTORY, 1, 0, z("/"))));
            next.service();
            ASSERT_FALSE(client.output().empty());
            ASSERT_TRUE(decode(encode(next.image()))) << at << " " << bit;
        }
    }
    EXPECT_GT(refused, stream.size() / 8);
    EXPECT_GT(taken, stream.size() / 8);
}

TEST_P(XenstoreLiveUpdate, ADomainsPartHoldsItsWatchesAndItsHome) {
    GuestEnd guest(host.exist(1));
    guest.send(message(XS_WATCH, 5, 0, z("data") + z("token")));
    while (daemon->service() || guest.move()) {
    }
    const auto image = decode(encode(daemon->image(DomId(1))));
    ASSERT_TRUE(image) << image.error().to_string();
    ASSERT_EQ(image->watches.size(), 1u);
    EXPECT_EQ(image->watches[0].path, "data");
    ASSERT_EQ(image->nodes.size(), 2u);
    EXPECT_EQ(image->nodes[1].path, "/local/domain/1/data");
    EXPECT_FALSE(Daemon(host, DaemonConfig{GetParam()}).adopt(*image, {}));
}

TEST_P(XenstoreLiveUpdate, ADomainsWatchesFollowItToAnotherNumber) {
    GuestEnd guest(host.exist(1));
    guest.send(message(XS_WATCH, 5, 0, z("data") + z("token")));
    while (daemon->service() || guest.move()) {
    }
    const StateImage image = daemon->image(DomId(1));

    GuestEnd moved(host.exist(2));
    ask(XS_WRITE, z("/local/domain/2/data"));
    ask(XS_SET_PERMS, z("/local/domain/2/data") + z("n2"));
    ask(XS_INTRODUCE, z("2") + z("0") + z("7"));
    // oxenstored moves no domain.
    ASSERT_EQ(daemon->adopt_guest(image, DomId(2)).has_value(), c());
    if (!c()) return;
    ask(XS_WRITE, z("/local/domain/2/data/x") + "1");
    while (daemon->service() || moved.move()) {
    }
    const auto seen = moved.messages();
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_EQ(seen[0].payload, z("data/x") + z("token"));
}

INSTANTIATE_TEST_SUITE_P(As, XenstoreLiveUpdate, testing::Values(Personality::c, Personality::o),
                         [](const auto& p) { return p.param == Personality::c ? "C" : "Oxenstored"; });

}  // namespace
}  // namespace xenrig::xenstore::test
