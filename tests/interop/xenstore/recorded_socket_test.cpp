// The recorded conversations of dom0's clients, through a unix socket of `xenrig xenstored`.
//
// Nobody waits for silence: a bystander asks, and what was sent before its question has been looked at when it has its
// answer. When several questions in a row have brought nothing for anybody, nothing moves any more.
#include <gtest/gtest.h>

#include <map>

#include "tests/interop/xenstore/served.h"
#include "tests/unit/xenstore/conversation.h"

namespace xenrig::xenstore::test {
namespace {

using namespace std::string_literals;

class BehindSocket final : public Stage {
public:
    explicit BehindSocket(Personality personality) : daemon_(personality == Personality::c ? 'c' : 'o') {}

    void open(const std::string& name) override { clients_.emplace(name, daemon_.connect()); }
    void close(const std::string& name) override { clients_.erase(name); }
    void send(const std::string& name, const std::string& bytes) override { (void)clients_.at(name).send(bytes); }
    void set_state(std::uint16_t, DomainState) override { FAIL() << "no domain exists behind a socket"; }

    void settle() override {
        constexpr int kQuietTurns = 3;
        for (int quiet = 0; quiet < kQuietTurns; ++quiet) {
            ASSERT_EQ(bystander_.ask(XS_GET_DOMAIN_PATH, "0\0"s), "/local/domain/0\0"s);
            for (auto& [name, client] : clients_)
                while (!client.ended() && client.has_more() && client.receive()) quiet = -1;
        }
    }
    std::vector<Seen> take(const std::string& name) override { return clients_.at(name).take(); }
    bool has_hung_up(const std::string& name) override { return clients_.at(name).ended(); }

private:
    Served daemon_;
    RawClient bystander_ = daemon_.connect();
    std::map<std::string, RawClient> clients_;
};

/// Those of the 160 that need no guest.
constexpr std::size_t kConversations = 112;

class SocketRecordings : public testing::TestWithParam<Personality> {};

TEST_P(SocketRecordings, ReplayWithoutADifference) {
    std::size_t replayed = 0;
    for (const Recorded& conversation : recorded_conversations()) {
        if (conversation.guests) continue;
        ++replayed;
        BehindSocket stage(GetParam());
        const std::string difference = replay(conversation, stage, GetParam(), true);
        EXPECT_EQ(difference, "") << conversation.group << "/" << conversation.name << "\n" << difference;
    }
    EXPECT_EQ(replayed, kConversations);
}

INSTANTIATE_TEST_SUITE_P(Xenstore, SocketRecordings, testing::Values(Personality::c, Personality::o),
                         [](const auto& p) { return p.param == Personality::c ? "OfC" : "OfOxenstored"; });

}  // namespace
}  // namespace xenrig::xenstore::test
