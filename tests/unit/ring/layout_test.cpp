// Our arithmetic on a ring's bytes against the macros of xen/io/ring.h themselves.
#include "xenrig/ring/layout.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

#include <xen/io/blkif.h>
#include <xen/io/netif.h>
#include <xen/xen.h>

#include "xenrig/abi/types.h"

namespace xenrig::ring {
namespace {

static_assert(offsetof(struct blkif_sring, req_prod) == kReqProd);
static_assert(offsetof(struct blkif_sring, req_event) == kReqEvent);
static_assert(offsetof(struct blkif_sring, rsp_prod) == kRspProd);
static_assert(offsetof(struct blkif_sring, rsp_event) == kRspEvent);
static_assert(offsetof(struct blkif_sring, pvt) == kPvt);
static_assert(offsetof(struct blkif_sring, ring) == kEntries);

TEST(RingLayout, ARingHasAsManyEntriesAsTheMacroSaysForOneToSixteenPages) {
    for (std::size_t pages = 1; pages <= 16; ++pages) {
        const std::size_t bytes = pages * kPageSize;
        EXPECT_EQ(ring_size(bytes, sizeof(union blkif_sring_entry)), __CONST_RING_SIZE(blkif, bytes)) << pages;
        EXPECT_EQ(ring_size(bytes, sizeof(union netif_tx_sring_entry)), __CONST_RING_SIZE(netif_tx, bytes)) << pages;
    }
    EXPECT_EQ(ring_size(kPageSize, sizeof(union blkif_sring_entry)), 32u);
}

TEST(RingLayout, AnEventIsWantedExactlyWhenTheIndexAskedForIsAmongThoseJustPublished) {
    EXPECT_FALSE(wants_event(10, 13, 10));
    EXPECT_TRUE(wants_event(10, 13, 11));
    EXPECT_TRUE(wants_event(10, 13, 13));
    EXPECT_FALSE(wants_event(10, 13, 14));
    EXPECT_FALSE(wants_event(10, 10, 11)) << "nothing was published";
}

TEST(RingLayout, TheEventRuleHoldsAcrossTheWrapOfTheCounters) {
    const Index old = 0xfffffffe, now = 1;
    EXPECT_FALSE(wants_event(old, now, 0xfffffffe));
    EXPECT_TRUE(wants_event(old, now, 0xffffffff));
    EXPECT_TRUE(wants_event(old, now, 0));
    EXPECT_TRUE(wants_event(old, now, 1));
    EXPECT_FALSE(wants_event(old, now, 2));
}

}  // namespace
}  // namespace xenrig::ring
