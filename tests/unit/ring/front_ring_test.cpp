// The frontend's end of a ring, with a backend that is played by hand.
#include "ring_page.h"

namespace xenrig::ring {
namespace {

using FrontRingTest = RingPage;

TEST_F(FrontRingTest, OnlyTheOwnerInitialisesTheHeaderAndAnAttachLeavesItAlone) {
    bytes.fill(std::byte{0xee});
    auto ring = Front::create(page);
    EXPECT_EQ(index(kReqProd), 0u);
    EXPECT_EQ(index(kRspProd), 0u);
    EXPECT_EQ(index(kReqEvent), 1u);
    EXPECT_EQ(index(kRspEvent), 1u);
    for (std::size_t i = kPvt; i < kEntries; ++i) EXPECT_EQ(bytes[i], std::byte{0}) << i;

    const auto before = bytes;
    Front::attach(page, 7);
    Back::attach_at(page, 7);
    EXPECT_EQ(bytes, before);
}

TEST_F(FrontRingTest, ARequestIsOutOfTheBackendsSightUntilItIsPushed) {
    auto front = Front::create(page);
    auto back = Back::attach_at(page, 0);
    front.put({.id = 42});
    EXPECT_EQ(index(kReqProd), 0u);
    EXPECT_FALSE(back.take().value().has_value());

    EXPECT_TRUE(front.push());
    EXPECT_EQ(back.take().value()->id, 42u);
}

TEST_F(FrontRingTest, AFullRingHasNoFreeSlotUntilAResponseIsTaken) {
    auto front = Front::create(page);
    auto back = Back::attach_at(page, 0);
    for (Index i = 0; i < front.size(); ++i) front.put({.id = i});
    EXPECT_TRUE(front.full());
    (void)front.push();
    EXPECT_EQ(front.in_flight(), 32u);

    ASSERT_TRUE(back.take().value());
    back.put({.id = 0});
    (void)back.push();
    EXPECT_TRUE(front.full()) << "published, but not taken yet";
    ASSERT_TRUE(front.take().value());
    EXPECT_EQ(front.free(), 1u);
}

TEST_F(FrontRingTest, PuttingIntoAFullRingIsOurOwnMistakeAndAborts) {
    auto front = Front::create(page);
    for (Index i = 0; i < front.size(); ++i) front.put({.id = i});
    EXPECT_DEATH(front.put({}), "slot is free");
}

TEST_F(FrontRingTest, ResponsesBeyondTheRequestsInFlightBreakTheRingForGood) {
    auto front = Front::create(page);
    for (Index i = 0; i < 3; ++i) front.put({.id = i});
    (void)front.push();

    set(kRspProd, 4);
    EXPECT_EQ(front.take().error(), RingError::response_overflow);
    set(kRspProd, 3);
    EXPECT_EQ(front.take().error(), RingError::response_overflow);
}

TEST_F(FrontRingTest, AResponseToARequestThatWasPutButNotPushedBreaksTheRing) {
    auto front = Front::create(page);
    front.put({.id = 1});
    set(kRspProd, 1);
    EXPECT_EQ(front.take().error(), RingError::response_overflow);
}

TEST_F(FrontRingTest, AnRspProdThatGoesBackBreaksTheRing) {
    auto front = Front::create(page, 5);
    front.put({.id = 1});
    (void)front.push();
    set(kRspProd, 4);
    EXPECT_EQ(front.take().error(), RingError::response_overflow);
}

TEST_F(FrontRingTest, ABackendThatOverwritesReqProdChangesNothingForUs) {
    auto front = Front::create(page);
    front.put({.id = 1});
    (void)front.push();
    set(kReqProd, 0x80000000);
    front.put({.id = 2});
    (void)front.push();
    EXPECT_EQ(index(kReqProd), 2u);
    EXPECT_EQ(front.in_flight(), 2u);
}

TEST_F(FrontRingTest, TheFinalCheckFindsAResponseThatCameBeforeTheEventWasAskedFor) {
    auto front = Front::create(page);
    auto back = Back::attach_at(page, 0);
    front.put({.id = 1});
    (void)front.push();
    (void)back.take();
    back.put({.id = 1});
    (void)back.push();
    EXPECT_FALSE(front.sleep_unless_work());
    (void)front.take();
    EXPECT_TRUE(front.sleep_unless_work());
    EXPECT_EQ(index(kRspEvent), 2u);
}

TEST_F(FrontRingTest, TheBackendIsAskedForOneEventAfterABatchAndSendsNoneBefore) {
    auto front = Front::create(page);
    auto back = Back::attach_at(page, 0);
    for (Index i = 0; i < 3; ++i) front.put({.id = i});
    (void)front.push();
    EXPECT_TRUE(front.sleep_unless_work(3));
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(back.take().value());
        back.put({});
        EXPECT_EQ(back.push(), i == 2) << i;
    }
}

TEST_F(FrontRingTest, AReboundRingGoesOnWhereItStood) {
    auto front = Front::create(page, 0xfffffff0);
    auto back = Back::attach(page).value();
    for (Index i = 0; i < 20; ++i) front.put({.id = i});
    (void)front.push();
    for (Index i = 0; i < 20; ++i) {
        const auto taken = back.take();
        back.put({.id = taken.value()->id});
    }
    (void)back.push();
    for (Index i = 0; i < 5; ++i) ASSERT_EQ(front.take().value()->id, i);

    alignas(8) auto moved = bytes;
    front.rebind(shared::Window{moved.data(), std::make_shared<shared::Lease>()});
    for (Index i = 5; i < 20; ++i) ASSERT_EQ(front.take().value()->id, i);
    EXPECT_FALSE(front.take().value().has_value());
}

}  // namespace
}  // namespace xenrig::ring
