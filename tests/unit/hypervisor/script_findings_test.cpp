// What generated scripts found beside real Xen 4.17 (xenrig hypercalls --generate): one finding a test.
#include <gtest/gtest.h>

#include "fake_machine.h"
#include "guest.h"

namespace xenrig::test {
namespace {

class ScriptFindings : public testing::Test {
protected:
    static constexpr std::uint64_t kWindow = 0x1000;
    static constexpr std::uint32_t kReadOnly = GNTMAP_host_map | GNTMAP_readonly;

    FakeMachine machine;
    Hypervisor hv{machine, HostConfig{}};
    Guest dom0{hv, {.name = "dom0", .type = GuestType::pv, .privileged = true}};
};

TEST_F(ScriptFindings, APvGuestMayMapOverAMappingAndThenTheFirstOneCanNotBeUnmapped) {
    dom0.grant(8, dom0.id, 3);
    dom0.grant(9, dom0.id, 4);
    const auto first = dom0.map(dom0.id, 8, kWindow);
    const auto second = dom0.map(dom0.id, 9, kWindow);
    EXPECT_EQ(second.rc, GNTST_okay);
    EXPECT_EQ(dom0.page(kWindow), dom0.page(4));
    EXPECT_EQ(dom0.unmap(first.number, kWindow), GNTST_general_error);
    EXPECT_EQ(dom0.unmap(second.number, kWindow), GNTST_okay);
    EXPECT_NE(dom0.flags(8) & GTF_reading, 0) << "the first grant stays in use";
    EXPECT_FALSE(hv.info(dom0.id)->shut_down);
    EXPECT_EQ(hv.audit(), "");
}

TEST_F(ScriptFindings, AWritingCopyToAGrantMappedReadOnlyFailsWhenItsEntryNamesAnotherFrameByNow) {
    dom0.grant(8, dom0.id, 3);
    dom0.grant(9, dom0.id, 4);
    const auto mapping = dom0.map(dom0.id, 9, kWindow, kReadOnly);
    EXPECT_EQ(dom0.copy(dom0.copy_op(8, dom0.id, 9, dom0.id)), GNTST_okay);
    dom0.grant(9, dom0.id, 5);
    EXPECT_EQ(dom0.copy(dom0.copy_op(8, dom0.id, 9, dom0.id)), GNTST_general_error);
    EXPECT_EQ(dom0.flags(9) & GTF_writing, 0);
    dom0.grants()[9].frame = 0xfffffff;
    EXPECT_EQ(dom0.copy(dom0.copy_op(8, dom0.id, 9, dom0.id)), GNTST_bad_page);
    EXPECT_EQ(dom0.unmap(mapping.number, kWindow), GNTST_okay);
    EXPECT_EQ(hv.audit(), "");
}

TEST_F(ScriptFindings, ACopyWithinAPageGoesForwardByWords) {
    dom0.grant(8, dom0.id, 3);
    dom0.write(3, "abcdefghij......................");
    auto op = dom0.copy_op(8, dom0.id, 8, dom0.id);
    op.dest.offset = 10;
    op.len = 20;
    EXPECT_EQ(dom0.copy(op), GNTST_okay);
    EXPECT_STREQ(dom0.text(3), "abcdefghijabcdefghijabcdefghij..");
}

TEST_F(ScriptFindings, TheVirqOfThePerformanceCountersBelongsToOneVcpu) {
    EXPECT_EQ(dom0.bind_virq(VIRQ_XENPMU, 1).rc, error(Errno::noent)) << "a global one would be refused by EINVAL";
    const auto [rc, port] = dom0.bind_virq(VIRQ_XENPMU);
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(dom0.bind_vcpu(port, 0), error(Errno::inval));
}

TEST_F(ScriptFindings, AResetThatNobodyBeganCanNotBeContinued) {
    constexpr int kResetCont = 14;
    EXPECT_EQ(dom0.event(kResetCont, evtchn_reset_t{DOMID_SELF}), error(Errno::busy));
    EXPECT_EQ(dom0.event(kResetCont, evtchn_reset_t{77}), error(Errno::srch));
    EXPECT_EQ(dom0.event(kResetCont + 1, evtchn_reset_t{DOMID_SELF}), error(Errno::nosys));
}

TEST_F(ScriptFindings, AWatchdogThatIsNotSetAgainShutsTheDomainDown) {
    sched_watchdog_t op{.id = 0, .timeout = 2};
    EXPECT_EQ(dom0.call(__HYPERVISOR_sched_op, SCHEDOP_watchdog, &op), 1);
    op.id = 1;
    machine.pass(1500_ms);
    EXPECT_EQ(dom0.call(__HYPERVISOR_sched_op, SCHEDOP_watchdog, &op), 0);
    machine.pass(1500_ms);
    EXPECT_FALSE(hv.info(dom0.id)->shut_down);
    machine.pass(500_ms);
    EXPECT_TRUE(hv.info(dom0.id)->shut_down);
    EXPECT_EQ(hv.info(dom0.id)->shutdown_reason, unsigned{SHUTDOWN_watchdog});
}

TEST_F(ScriptFindings, AThirdWatchdogIsRefusedByANumberThatIsNotNegative) {
    sched_watchdog_t op{.id = 0, .timeout = 100};
    EXPECT_EQ(dom0.call(__HYPERVISOR_sched_op, SCHEDOP_watchdog, &op), 1);
    EXPECT_EQ(dom0.call(__HYPERVISOR_sched_op, SCHEDOP_watchdog, &op), 2);
    EXPECT_EQ(dom0.call(__HYPERVISOR_sched_op, SCHEDOP_watchdog, &op), 4294967268);
}

TEST_F(ScriptFindings, APeriodicTimerRaisesItsVirqUntilItIsStopped) {
    const auto [rc, port] = dom0.bind_virq(VIRQ_TIMER);
    ASSERT_EQ(rc, 0);
    vcpu_set_periodic_timer_t op{.period_ns = 1'000'000};
    EXPECT_EQ(dom0.call(__HYPERVISOR_vcpu_op, VCPUOP_set_periodic_timer, 0, &op), 0);
    for (int i = 0; i < 3; ++i) {
        dom0.clear_events();
        machine.pass(1_ms);
        EXPECT_TRUE(dom0.bits(port).pending) << i;
    }
    EXPECT_EQ(dom0.call(__HYPERVISOR_vcpu_op, VCPUOP_stop_periodic_timer, 0, 0), 0);
    dom0.clear_events();
    machine.pass(10_ms);
    EXPECT_FALSE(dom0.bits(port).pending);
    op.period_ns = 999'999;
    EXPECT_EQ(dom0.call(__HYPERVISOR_vcpu_op, VCPUOP_set_periodic_timer, 0, &op), error(Errno::inval));
}

}  // namespace
}  // namespace xenrig::test
