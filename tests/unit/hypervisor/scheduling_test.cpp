// Waiting, timers, shutdown and resume: what happens to the vCPU that asks and to those that don't.
#include <gtest/gtest.h>

#include "fake_machine.h"
#include "guest.h"
#include "sim/hypervisor/tools_abi.h"

namespace xenrig::test {
namespace {

struct Scheduling : testing::Test {
    Scheduling() {
        hv.on_state_change([this](DomId dom) { changes.push_back(dom); });
        hv.attach_vcpu(guest.id, VcpuId{0}, cpu0);
        hv.attach_vcpu(guest.id, VcpuId{1}, cpu1);
        hv.unpause(guest.id).value();
        changes.clear();
    }
    Answer sched(int op) { return guest.call(__HYPERVISOR_sched_op, op, 0); }
    Answer shut_down(unsigned reason) {
        sched_shutdown_t op{.reason = reason};
        return guest.call(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &op);
    }
    Answer poll(std::vector<evtchn_port_t> ports, std::uint64_t timeout = 0) {
        sched_poll_t op{};
        op.ports.p = ports.data();
        op.nr_ports = static_cast<unsigned>(ports.size());
        op.timeout = timeout;
        return guest.call(__HYPERVISOR_sched_op, SCHEDOP_poll, &op);
    }

    FakeMachine machine;
    Hypervisor hv{machine, {}};
    Guest dom0{hv, {.name = "dom0", .privileged = true}};
    Guest guest{hv, {.name = "guest", .vcpus = 2}};
    FakeCpu& cpu0 = machine.cpu("guest/0");
    FakeCpu& cpu1 = machine.cpu("guest/1");
    std::vector<DomId> changes;
};

TEST_F(Scheduling, ANewDomainIsPausedUntilItsBuilderLetsItGo) {
    Guest fresh(hv, {.name = "fresh"});
    FakeCpu& cpu = machine.cpu("fresh/0");
    hv.attach_vcpu(fresh.id, VcpuId{0}, cpu);
    EXPECT_EQ(cpu.pauses, 1);
    hv.pause(fresh.id).value();
    hv.unpause(fresh.id).value();
    EXPECT_EQ(cpu.pauses, 1) << "pauses are counted";
    hv.unpause(fresh.id).value();
    EXPECT_EQ(cpu.pauses, 0);
    EXPECT_EQ(hv.unpause(fresh.id).error().code, Errno::inval);
}

TEST_F(Scheduling, BlockEnablesUpcallsAndWaitsForAnEvent) {
    const auto port = guest.bind_ipi(0).number;
    guest.info().evtchn_upcall_mask = 1;
    cpu0.meanwhile = [&] { guest.send(port); };
    EXPECT_EQ(sched(SCHEDOP_block), 0);
    EXPECT_EQ(cpu0.halted_for, std::vector<std::string>{"block"});
    EXPECT_FALSE(cpu0.still_halted);
    EXPECT_EQ(guest.info().evtchn_upcall_mask, 0);
}

TEST_F(Scheduling, BlockReturnsAtOnceWhenAnEventIsThere) {
    const auto port = guest.bind_ipi(0).number;
    guest.info().evtchn_upcall_mask = 1;
    guest.send(port);
    EXPECT_EQ(sched(SCHEDOP_block), 0);
    EXPECT_TRUE(cpu0.halted_for.empty());
}

TEST_F(Scheduling, AnEventOnAMaskedPortDoesNotEndABlock) {
    const auto port = guest.bind_ipi(0).number;
    guest.mask_all();
    cpu0.meanwhile = [&] { guest.send(port); };
    sched(SCHEDOP_block);
    EXPECT_TRUE(cpu0.still_halted);
}

TEST_F(Scheduling, PollWaitsForItsPortEvenWhenThatIsMasked) {
    const auto mine = guest.bind_ipi(0).number;
    const auto other = guest.bind_ipi(0).number;
    guest.mask_all();
    cpu0.meanwhile = [&] { guest.send(other); };
    EXPECT_EQ(poll({mine}), 0);
    EXPECT_TRUE(cpu0.still_halted);
    cpu0.meanwhile = [&] { guest.send(mine); };
    guest.clear_events();
    EXPECT_EQ(poll({mine}), 0);
    EXPECT_FALSE(cpu0.still_halted);
}

TEST_F(Scheduling, PollReturnsAtOnceForAPendingPortAndRefusesABadOne) {
    const auto port = guest.bind_ipi(0).number;
    guest.mask_all();
    guest.send(port);
    EXPECT_EQ(poll({port}), 0);
    EXPECT_TRUE(cpu0.halted_for.empty());
    EXPECT_EQ(poll({1'000'000}), error(Errno::inval));
    EXPECT_EQ(poll(std::vector<evtchn_port_t>(129, port)), error(Errno::inval));
}

TEST_F(Scheduling, PollEndsAtItsTimeout) {
    const auto port = guest.bind_ipi(0).number;
    const auto deadline = machine.now() + 5_ms;
    cpu0.meanwhile = [&] { machine.pass(5_ms); };
    EXPECT_EQ(poll({port}, deadline.value), 0);
    EXPECT_FALSE(cpu0.still_halted);
    EXPECT_EQ(machine.timers(), 0u);
}

TEST_F(Scheduling, APollThatIsOverLeavesNoTimerBehind) {
    const auto port = guest.bind_ipi(0).number;
    cpu0.meanwhile = [&] { guest.send(port); };
    poll({port}, (machine.now() + 5_ms).value);
    EXPECT_FALSE(cpu0.still_halted);
    EXPECT_EQ(machine.timers(), 0u);
}

TEST_F(Scheduling, TheTimerRaisesItsVirqOnceAtTheDeadline) {
    const auto port = guest.bind_virq(VIRQ_TIMER).number;
    EXPECT_EQ(guest.call(__HYPERVISOR_set_timer_op, (machine.now() + 2_ms).value), 0);
    machine.pass(1_ms);
    EXPECT_FALSE(guest.bits(port).pending);
    machine.pass(1_ms);
    EXPECT_TRUE(guest.bits(port).pending);
    guest.call(__HYPERVISOR_set_timer_op, (machine.now() + 2_ms).value);
    guest.call(__HYPERVISOR_set_timer_op, 0);
    EXPECT_EQ(machine.timers(), 0u);
}

TEST_F(Scheduling, ASuspendedDomainIsPausedAndTheControlDomainHearsOfIt) {
    const auto virq = dom0.bind_virq(VIRQ_DOM_EXC).number;
    cpu0.meanwhile = [&] {
        EXPECT_EQ(cpu1.pauses, 1);
        EXPECT_TRUE(dom0.bits(virq).pending);
        EXPECT_EQ(changes, std::vector{guest.id});
        EXPECT_TRUE(hv.info(guest.id)->shut_down);
        EXPECT_EQ(hv.info(guest.id)->shutdown_reason, unsigned{SHUTDOWN_suspend});
        ASSERT_TRUE(hv.resume(guest.id));
    };
    EXPECT_EQ(shut_down(SHUTDOWN_suspend), 1) << "a cancelled suspend";
    EXPECT_EQ(cpu0.halted_for, std::vector<std::string>{"shutdown"});
    EXPECT_EQ(cpu1.pauses, 0);
    EXPECT_FALSE(hv.info(guest.id)->shut_down);
}

TEST_F(Scheduling, AGuestThatMovesReturnsZeroFromItsOldSuspendAndRunsWithTheNewDomain) {
    Hypervisor other(machine, {.name = "other", .first_mfn = Mfn{0x9000}, .first_domid = DomId{30}});
    cpu0.meanwhile = [&] {
        Guest born(other, {.name = "guest", .vcpus = 2});
        ASSERT_TRUE(hv.resume_elsewhere(guest.id));
        other.attach_vcpu(born.id, VcpuId{0}, cpu0);
        other.attach_vcpu(born.id, VcpuId{1}, cpu1);
        ASSERT_TRUE(hv.destroy_domain(guest.id));
        EXPECT_EQ(cpu0.pauses, 1) << "the new domain's own pause";
        EXPECT_EQ(cpu1.pauses, 1);
        ASSERT_TRUE(other.unpause(born.id));
        EXPECT_EQ(cpu0.pauses, 0);
        EXPECT_EQ(cpu1.pauses, 0);
    };
    EXPECT_EQ(shut_down(SHUTDOWN_suspend), 0);
    EXPECT_FALSE(cpu0.still_halted);
}

TEST_F(Scheduling, EachReasonOfAShutdownIsReportedAndALatchedOneWins) {
    EXPECT_EQ(shut_down(SHUTDOWN_reboot), 0);
    EXPECT_TRUE(cpu0.still_halted) << "it does not come back";
    EXPECT_EQ(hv.info(guest.id)->shutdown_reason, unsigned{SHUTDOWN_reboot});
    ASSERT_TRUE(hv.resume(guest.id));
    sched_shutdown_t code{.reason = SHUTDOWN_watchdog};
    EXPECT_EQ(guest.call(__HYPERVISOR_sched_op, SCHEDOP_shutdown_code, &code), 0);
    code.reason = SHUTDOWN_crash;
    EXPECT_EQ(guest.call(__HYPERVISOR_sched_op, SCHEDOP_shutdown_code, &code), 0) << "and changes nothing any more";
    shut_down(SHUTDOWN_poweroff);
    EXPECT_EQ(hv.info(guest.id)->shutdown_reason, unsigned{SHUTDOWN_watchdog});
    ASSERT_TRUE(hv.resume(guest.id));
    shut_down(0x100 | SHUTDOWN_reboot);
    EXPECT_EQ(hv.info(guest.id)->shutdown_reason, unsigned{SHUTDOWN_reboot}) << "a reason is a byte";
}

TEST_F(Scheduling, ATimerWhoseTimeIsPastFiresBeforeTheVcpuGoesOnAndThereIsButOne) {
    const auto port = guest.bind_virq(VIRQ_TIMER).number;
    const auto fired = [&] {
        const bool was = guest.bits(port).pending;
        guest.clear_events();
        return was;
    };
    vcpu_set_singleshot_timer_t shot{.timeout_abs_ns = machine.now().value - 1, .flags = 0};
    EXPECT_EQ(guest.call(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, &shot), 0);
    EXPECT_TRUE(fired());
    EXPECT_EQ(guest.call(__HYPERVISOR_set_timer_op, std::uint64_t{1}), 0);
    EXPECT_TRUE(fired());
    EXPECT_EQ(guest.call(__HYPERVISOR_set_timer_op, (machine.now() + 5_ms).value), 0);
    EXPECT_EQ(guest.call(__HYPERVISOR_vcpu_op, VCPUOP_stop_singleshot_timer, 0, 0), 0);
    machine.pass(10_ms);
    EXPECT_FALSE(fired()) << "set_timer_op's is the one that was stopped";
}

TEST_F(Scheduling, ADeviceModelsDomainMayShutItsGuestDownAndNobodyElse) {
    Guest model(hv, {.name = "model"}, 1);
    sched_remote_shutdown_t op{.domain_id = guest.id.value, .reason = SHUTDOWN_poweroff};
    EXPECT_EQ(model.call(__HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, &op), error(Errno::perm));
    xen_domctl_t target{};
    target.cmd = XEN_DOMCTL_set_target;
    target.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    target.domain = model.id.value;
    target.u.set_target.target = guest.id.value;
    ASSERT_EQ(dom0.call(__HYPERVISOR_domctl, &target), 0);
    EXPECT_EQ(model.call(__HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, &op), 0);
    EXPECT_EQ(hv.info(guest.id)->shutdown_reason, unsigned{SHUTDOWN_poweroff});
}

TEST_F(Scheduling, TheControlDomainMayShutAnotherDown) {
    sched_remote_shutdown_t op{.domain_id = guest.id.value, .reason = SHUTDOWN_crash};
    EXPECT_EQ(guest.call(__HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, &op), error(Errno::perm));
    EXPECT_EQ(dom0.call(__HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, &op), 0);
    EXPECT_EQ(cpu0.pauses, 1);
    EXPECT_EQ(cpu1.pauses, 1);
    op.domain_id = 77;
    EXPECT_EQ(dom0.call(__HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, &op), error(Errno::srch));
    EXPECT_EQ(sched(99), error(Errno::nosys));
}

TEST_F(Scheduling, AMulticallAnswersEachEntryInTurn) {
    const auto port = guest.bind_ipi(0).number;
    evtchn_send_t send{port};
    multicall_entry_t calls[3]{};
    calls[0] = {.op = __HYPERVISOR_event_channel_op, .result = 1, .args = {EVTCHNOP_send, hypercall_arg(&send)}};
    calls[1] = {.op = 63, .result = 1, .args = {}};
    calls[2] = {.op = __HYPERVISOR_multicall, .result = 1, .args = {}};
    EXPECT_EQ(guest.call(__HYPERVISOR_multicall, calls, 3), 0);
    EXPECT_EQ(static_cast<Answer>(calls[0].result), 0);
    EXPECT_EQ(static_cast<Answer>(calls[1].result), error(Errno::nosys));
    EXPECT_EQ(static_cast<Answer>(calls[2].result), error(Errno::inval)) << "no multicall in a multicall";
    EXPECT_TRUE(guest.bits(port).pending);
}

TEST_F(Scheduling, AVcpuInfoMovesIntoTheGuestsMemoryWithItsEvents) {
    const auto port = guest.bind_ipi(1).number;
    vcpu_register_vcpu_info_t op{.mfn = 5, .offset = 128, .rsvd = 0};
    EXPECT_EQ(guest.call(__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 1, &op), error(Errno::inval))
        << "of another that may be looking at it";
    EXPECT_EQ(guest.call(__HYPERVISOR_vcpu_op, VCPUOP_down, 1), 0);
    EXPECT_EQ(guest.call(__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 1, &op), 0);
    EXPECT_EQ(guest.call(__HYPERVISOR_vcpu_op, VCPUOP_up, 1), 0);
    EXPECT_EQ(guest.call(__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 1, &op), error(Errno::inval)) << "once";
    auto& info = *reinterpret_cast<vcpu_info_t*>(guest.page(5) + 128);
    EXPECT_EQ(info.evtchn_pending_sel, ~0ul) << "look at everything: an event may have come on the way";
    info.evtchn_pending_sel = 0;
    info.evtchn_upcall_pending = 0;
    guest.send(port);
    EXPECT_EQ(info.evtchn_pending_sel, 1u);
    EXPECT_TRUE(hv.upcall_pending(guest.id, VcpuId{1}));
    EXPECT_EQ(guest.call(__HYPERVISOR_vcpu_op, VCPUOP_is_up, 1), 1);
    EXPECT_EQ(guest.call(__HYPERVISOR_vcpu_op, VCPUOP_is_up, 2), error(Errno::noent));
    EXPECT_EQ(hv.audit(), "");
}

TEST_F(Scheduling, TheConsoleIsTheControlDomainsUnlessTheHypervisorIsVerbose) {
    const char text[] = "hello";
    EXPECT_EQ(dom0.call(__HYPERVISOR_console_io, CONSOLEIO_write, 5, text), 0);
    EXPECT_EQ(hv.take_console(dom0.id), "hello");
    EXPECT_EQ(dom0.call(__HYPERVISOR_console_io, 99, 5, text), error(Errno::nosys));
    EXPECT_EQ(guest.call(__HYPERVISOR_console_io, CONSOLEIO_write, 5, text), error(Errno::perm));
}

TEST_F(Scheduling, EveryHypercallIsCountedTracedAndLeavesTheHypervisor) {
    const auto before = hv.counts(guest.id).total();
    const int traced = machine.traced;
    sched(SCHEDOP_yield);
    guest.call(63);
    EXPECT_EQ(hv.counts(guest.id).total(), before + 2);
    EXPECT_EQ(hv.counts(guest.id).by_number[__HYPERVISOR_sched_op], 1u);
    EXPECT_EQ(machine.traced, traced + 2);
    EXPECT_EQ(machine.inside, 0);
}

}  // namespace
}  // namespace xenrig::test
