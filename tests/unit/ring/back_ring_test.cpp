// The backend's end of a ring, with a frontend that is honest or not.
#include "ring_page.h"

namespace xenrig::ring {
namespace {

using BackRingTest = RingPage;

TEST_F(BackRingTest, RequestsAndResponsesComeInOrderForSeveralLapsWhereverTheCountersStart) {
    for (Index start : {0u, 1u, 0x7ffffff0u, 0xffffffe0u, 0xffffffffu}) {
        auto front = Front::create(page, start);
        auto back = Back::attach(page).value();
        std::uint64_t asked = 0, answered = 0;
        for (Index round = 0; round < 200; ++round) {
            const Index n = round % front.size() + 1;
            for (Index i = 0; i < n; ++i) front.put({.id = asked++});
            (void)front.push();
            for (Index i = 0; i < n; ++i) {
                auto request = back.take();
                ASSERT_TRUE(request.has_value() && request->has_value());
                back.put({.id = (*request)->id});
            }
            ASSERT_FALSE(back.take().value().has_value());
            (void)back.push();
            for (Index i = 0; i < n; ++i) ASSERT_EQ(front.take().value()->id, answered++);
            ASSERT_FALSE(front.take().value().has_value());
        }
        EXPECT_EQ(index(kReqProd), start + static_cast<Index>(asked));
    }
}

TEST_F(BackRingTest, MoreRequestsThanTheRingHoldsBreakItForGood) {
    auto front = Front::create(page);
    auto back = Back::attach_at(page, 0);
    set(kReqProd, 33);
    EXPECT_EQ(back.take().error(), RingError::request_overflow);
    set(kReqProd, 1);
    EXPECT_EQ(back.take().error(), RingError::request_overflow);
}

TEST_F(BackRingTest, ARequestForASlotWhoseResponseIsStillOwedBreaksTheRing) {
    auto front = Front::create(page, 0xfffffff8);
    auto back = Back::attach(page).value();
    set(kReqProd, 0xfffffff8 + 32);
    for (int i = 0; i < 32; ++i) ASSERT_TRUE(back.take().value());
    set(kReqProd, 0xfffffff8 + 33);
    EXPECT_EQ(back.take().error(), RingError::request_overflow);
}

TEST_F(BackRingTest, ARequestThatIsTakenBackBreaksTheRing) {
    auto front = Front::create(page);
    auto back = Back::attach_at(page, 0);
    set(kReqProd, 3);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(back.take().value());
    set(kReqProd, 2);
    EXPECT_EQ(back.take().error(), RingError::request_overflow);
}

TEST_F(BackRingTest, AnImpossibleIndexIsWorkSoThatNobodySleepsOnIt) {
    auto front = Front::create(page);
    auto back = Back::attach_at(page, 0);
    set(kReqProd, 0x80000000);
    EXPECT_FALSE(back.sleep_unless_work());
}

TEST_F(BackRingTest, TheCopyOfARequestDoesNotFollowTheFrontendsLaterWrites) {
    auto front = Front::create(page);
    auto back = Back::attach_at(page, 0);
    front.put({.id = 7});
    (void)front.push();
    auto request = back.take().value();
    bytes[kEntries] = std::byte{99};
    EXPECT_EQ(request->id, 7u);
}

TEST_F(BackRingTest, AResponseIsSentOnlyForARequestThatWasTaken) {
    auto front = Front::create(page);
    auto back = Back::attach_at(page, 0);
    front.put({});
    (void)front.push();
    EXPECT_DEATH(back.put({}), "request that was taken");
}

TEST_F(BackRingTest, AnAttachFollowsTheSharedCountersAndFindsWhatIsUnanswered) {
    auto front = Front::create(page, 0xfffffffe);
    {
        auto earlier = Back::attach(page).value();
        for (Index i = 0; i < 4; ++i) front.put({.id = i});
        (void)front.push();
        (void)earlier.take();
        earlier.put({.id = 0});
        (void)earlier.push();
        (void)earlier.take();
    }
    auto back = Back::attach(page).value();
    EXPECT_EQ(back.take().value()->id, 1u) << "taken by a backend that died, never answered";
    EXPECT_EQ(back.unanswered(), 1u);
}

TEST_F(BackRingTest, AnAttachToCountersFurtherApartThanTheRingIsRefused) {
    auto front = Front::create(page, 100);
    set(kReqProd, 133);
    EXPECT_EQ(Back::attach(page).error(), RingError::request_overflow);
}

TEST_F(BackRingTest, ASleepingFrontendIsNotifiedOnceAndAFrontendThatIsAwakeNever) {
    auto front = Front::create(page);
    auto back = Back::attach_at(page, 0);
    for (Index i = 0; i < 4; ++i) front.put({.id = i});
    EXPECT_TRUE(front.push()) << "req_event starts at 1";
    front.put({.id = 4});
    EXPECT_FALSE(front.push()) << "the backend has not gone to sleep again";

    EXPECT_TRUE(front.sleep_unless_work());
    for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(back.take().value());
        back.put({});
        EXPECT_EQ(back.push(), i == 0) << i;
    }
    EXPECT_TRUE(back.sleep_unless_work());
    EXPECT_EQ(index(kReqEvent), 6u);
}

TEST_F(BackRingTest, ARingOfSeveralPagesUsesThemAll) {
    alignas(8) std::array<std::byte, kPageSize> second{}, unrelated{};
    page.append(second.data());
    auto front = Front::create(page);
    auto back = Back::attach_at(page, 0);
    EXPECT_EQ(front.size(), 64u);
    for (Index i = 0; i < front.size(); ++i) {
        Ask ask{.id = i};
        ask.body.fill(static_cast<std::uint8_t>(i + 1));
        front.put(ask);
    }
    (void)front.push();
    for (Index i = 0; i < front.size(); ++i) {
        const auto ask = back.take().value();
        ASSERT_EQ(ask->id, i);
        ASSERT_EQ(ask->body.back(), static_cast<std::uint8_t>(i + 1));
    }
    EXPECT_EQ(unrelated, (std::array<std::byte, kPageSize>{}));
}

}  // namespace
}  // namespace xenrig::ring
