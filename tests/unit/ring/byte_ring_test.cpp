// A byte stream through shared memory, and our index arithmetic against DEFINE_XEN_FLEX_RING's own functions.
#include "xenrig/ring/byte_ring.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include <xen/grant_table.h>
#include <xen/io/ring.h>
#include <xen/xen.h>

namespace xenrig::ring {
namespace {

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wunused-function"
DEFINE_XEN_FLEX_RING_AND_INTF(flextag);
#pragma GCC diagnostic pop

static_assert(offsetof(struct flextag_data_intf, in_cons) == flex::kInCons);
static_assert(offsetof(struct flextag_data_intf, in_prod) == flex::kInProd);
static_assert(offsetof(struct flextag_data_intf, out_cons) == flex::kOutCons);
static_assert(offsetof(struct flextag_data_intf, out_prod) == flex::kOutProd);
static_assert(offsetof(struct flextag_data_intf, ring_order) == flex::kRingOrder);
static_assert(offsetof(struct flextag_data_intf, ref) == flex::kRef);
static_assert(flex_ring_size(0) == XEN_FLEX_RING_SIZE(0) && flex_ring_size(4) == XEN_FLEX_RING_SIZE(4));

std::span<const std::byte> bytes_of(std::string_view s) { return std::as_bytes(std::span(s.data(), s.size())); }

struct ByteRingTest : testing::Test {
    alignas(8) std::array<std::byte, kPageSize> index_page{}, data_page{};
    ByteRingPlace place{.indices = {index_page.data(), std::make_shared<shared::Lease>()},
                        .prod = flex::kOutProd,
                        .cons = flex::kOutCons,
                        .data = {data_page.data(), std::make_shared<shared::Lease>()},
                        .offset = 2048,
                        .size = 16};

    void start_at(Index i) {
        shared::store<Index>(place.indices, place.prod, i);
        shared::store<Index>(place.indices, place.cons, i);
    }
    static std::string read(ByteConsumer& from, std::size_t most) {
        std::string text(most, '?');
        text.resize(from.read(std::as_writable_bytes(std::span(text))).value());
        return text;
    }
};

TEST_F(ByteRingTest, TheFillOfARingIsWhatTheMacrosFunctionSays) {
    for (Index prod : {0u, 1u, 7u, 15u, 16u, 0xfffffff8u, 0xffffffffu})
        for (Index n = 0; n <= 16; ++n) {
            const Index cons = prod - n;
            EXPECT_EQ(queued(prod, cons, 16), flextag_queued(prod, cons, 16)) << prod << " " << n;
            EXPECT_EQ(queued(prod, cons, 16), n);
            EXPECT_EQ(queued(mask(prod, 16), mask(cons, 16), 16), flextag_queued(prod & 15, cons & 15, 16));
        }
}

TEST_F(ByteRingTest, AStreamComesOutAsItWentInAcrossEveryWrap) {
    for (Index start : {0u, 13u, 0xfffffff3u}) {
        start_at(start);
        ByteProducer producer(place, start);
        ByteConsumer consumer(place, start);
        std::string sent, received;
        for (int i = 0; i < 500; ++i) {
            const std::string packet(static_cast<std::size_t>(i % 23), static_cast<char>('a' + i % 26));
            sent += packet.substr(0, producer.write(bytes_of(packet)).value());
            received += read(consumer, static_cast<std::size_t>(i * 7 % 19));
        }
        received += read(consumer, 16);
        EXPECT_EQ(received, sent);
    }
}

TEST_F(ByteRingTest, AFullRingTakesNothingAndStaysAsItIs) {
    ByteProducer producer(place, 0);
    EXPECT_EQ(producer.write(bytes_of("sixteen bytes it")).value(), 16u);
    EXPECT_EQ(producer.room().value(), 0u);
    EXPECT_EQ(producer.write(bytes_of("x")).value(), 0u);
    ByteConsumer consumer(place, 0);
    EXPECT_EQ(read(consumer, 100), "sixteen bytes it");
    EXPECT_EQ(producer.room().value(), 16u);
}

TEST_F(ByteRingTest, NothingIsWrittenOutsideTheRingsOwnHalf) {
    ByteProducer producer(place, 10);
    start_at(10);
    (void)producer.write(bytes_of("0123456789abcdef"));
    for (std::size_t i = 0; i < data_page.size(); ++i)
        EXPECT_EQ(data_page[i] != std::byte{0}, i >= 2048 && i < 2064) << i;
}

TEST_F(ByteRingTest, ThePacketLiesWhereTheMacrosFunctionWouldPutIt) {
    std::array<unsigned char, 16> expected{};
    RING_IDX masked = 13;
    flextag_write_packet(expected.data(), "0123456789", 10, &masked, 13, 16);
    start_at(0xfffffffd);
    ByteProducer producer(place, 0xfffffffd);
    (void)producer.write(bytes_of("0123456789"));
    EXPECT_EQ(std::memcmp(data_page.data() + 2048, expected.data(), 16), 0);
    EXPECT_EQ(mask(producer.prod(), 16), masked);
}

TEST_F(ByteRingTest, IndicesFurtherApartThanTheRingAreAnErrorAtBothEnds) {
    ByteProducer producer(place, 0);
    shared::store<Index>(place.indices, place.cons, 1);
    EXPECT_EQ(producer.write(bytes_of("x")).error(), RingError::byte_overflow);

    ByteConsumer consumer(place, 0);
    shared::store<Index>(place.indices, place.prod, 17);
    std::array<std::byte, 4> out;
    EXPECT_EQ(consumer.read(out).error(), RingError::byte_overflow);
}

}  // namespace
}  // namespace xenrig::ring
