#include "sim/image/store_records.h"

#include <gtest/gtest.h>

#include "sample.h"

namespace xenrig::image {
namespace {

using namespace sample;

std::uint32_t version(const Bytes& stream) { return static_cast<std::uint32_t>(stream[11]); }

TEST(StoreRecordsStream, ComesBackAsItWas) {
    const Bytes stream = encode(store());
    EXPECT_EQ(version(stream), 1u);
    EXPECT_EQ(stream.size() % 8, 0u);
    const auto records = decode(stream);
    ASSERT_TRUE(records) << records.error().message;
    EXPECT_EQ(*records, store());
}

TEST(StoreRecordsStream, AnEmptyStoreIsAHeaderAndAnEnd) {
    const Bytes stream = encode({});
    EXPECT_EQ(stream.size(), 24u);
    EXPECT_EQ(*decode(stream), StoreRecords{});
}

TEST(StoreRecordsStream, AWatchWithADepthNeedsVersionTwo) {
    StoreRecords s = store();
    s.watches.push_back({1, "/local", "deep", 3});
    Bytes stream = encode(s);
    EXPECT_EQ(version(stream), 2u);
    EXPECT_EQ(*decode(stream), s);
    stream[11] = std::byte{1};
    EXPECT_NE(decode(stream).error().message.find("WATCH_DATA_EXTENDED: it needs version 2"), std::string::npos);
}

TEST(StoreRecordsStream, EveryTruncationIsRefused) {
    const Bytes stream = encode(store());
    for (std::size_t length = 0; length < stream.size(); ++length) {
        const auto records = decode(std::span(stream).first(length));
        ASSERT_FALSE(records) << length;
        ASSERT_EQ(records.error().code, Errno::badmsg);
    }
}

TEST(StoreRecordsStream, EveryDamagedByteIsRefusedOrReadWithinBounds) {
    const Bytes stream = encode(store());
    unsigned refused = 0;
    for (std::size_t at = 0; at < stream.size(); ++at) {
        Bytes damaged = stream;
        damaged[at] ^= std::byte{0xff};
        if (!decode(damaged)) ++refused;
    }
    EXPECT_GT(refused, stream.size() / 4) << "headers, types, lengths and ids are judged";
}

TEST(StoreRecordsStream, RecordsThatBelongToALiveUpdateOrToNobodyAreRefused) {
    const Bytes stream = encode({});
    for (const std::uint32_t type : {1u, 6u, 9u, 0x8000'0000u}) {
        Bytes with(stream.begin(), stream.begin() + 16);
        const Bytes extra = record(type, 8);
        with.insert(with.end(), extra.begin(), extra.end());
        with.insert(with.end(), stream.begin() + 16, stream.end());
        const auto records = decode(with);
        ASSERT_FALSE(records) << type;
        EXPECT_NE(records.error().message.find("offset 16"), std::string::npos) << records.error().message;
    }
}

struct Case {
    const char* name;
    void (*edit)(StoreRecords&);
    const char* says;
};

class StoreRecordsRule : public testing::TestWithParam<Case> {};

TEST_P(StoreRecordsRule, Holds) {
    StoreRecords s = store();
    GetParam().edit(s);
    const auto records = decode(encode(s));
    ASSERT_FALSE(records);
    EXPECT_NE(records.error().message.find(GetParam().says), std::string::npos) << records.error().message;
}

INSTANTIATE_TEST_SUITE_P(
    Rules, StoreRecordsRule,
    testing::Values(
        Case{"ConnectionTwice", [](StoreRecords& s) { s.connections.push_back(s.connections[0]); },
             "conn-id is 0 or taken"},
        Case{"WatchOfNobody", [](StoreRecords& s) { s.watches[0].connection = 2; }, "WATCH_DATA: no CONNECTION_DATA"},
        Case{"TransactionOfNobody", [](StoreRecords& s) { s.transactions[0].connection = 2; },
             "TRANSACTION_DATA: no CONNECTION_DATA"},
        Case{"NodeOfNoTransaction", [](StoreRecords& s) { s.nodes[2].transaction = 13; },
             "NODE_DATA: no TRANSACTION_DATA"},
        Case{"RelativeNode", [](StoreRecords& s) { s.nodes[1].path = "name"; }, "path is not absolute"},
        Case{"NulInAPath", [](StoreRecords& s) { s.nodes[1].path += std::string("\0x", 2); }, "lengths do not fit"},
        Case{"Letter", [](StoreRecords& s) { s.nodes[1].perms[0].access = 'x'; }, "none of r, w, b, n"},
        Case{"Ownerless", [](StoreRecords& s) { s.nodes[1].perms.clear(); }, "a node has an owner"}),
    [](const auto& i) { return i.param.name; });

}  // namespace
}  // namespace xenrig::image
