// vcpu_op and its neighbours: vCPUs up and down, what they did with their time, timers (vcpu.h).
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <memory>

#include "fake_machine.h"
#include "guest.h"

namespace xenrig::test {
namespace {

struct Vcpus : testing::Test {
    Answer op(int which, unsigned vcpu, const void* arg = nullptr) {
        return guest.call(__HYPERVISOR_vcpu_op, which, vcpu, arg);
    }

    FakeMachine machine;
    Hypervisor hv{machine, {}};
    Guest dom0{hv, {.name = "dom0", .privileged = true}};
    Guest guest{hv, {.name = "guest", .type = GuestType::pv, .vcpus = 3, .vcpus_up = 1}};
    FakeCpu& cpu1 = machine.cpu("guest/1");
};

TEST_F(Vcpus, ANewVcpuIsInitialisedOnceBroughtUpAndTakenDown) {
    hv.attach_vcpu(guest.id, VcpuId{1}, cpu1);
    hv.unpause(guest.id).value();
    EXPECT_EQ(op(VCPUOP_is_up, 0), 1);
    EXPECT_EQ(op(VCPUOP_is_up, 1), 0);
    EXPECT_EQ(cpu1.pauses, 1);
    EXPECT_EQ(op(VCPUOP_up, 1), error(Errno::inval)) << "nobody said what it is to run";
    const auto context = std::make_unique<vcpu_guest_context_t>();
    EXPECT_EQ(op(VCPUOP_initialise, 1, reinterpret_cast<void*>(8)), error(Errno::fault));
    EXPECT_EQ(op(VCPUOP_initialise, 1, context.get()), error(Errno::inval)) << "in a program, without its tables";
    context->flags = VGCF_in_kernel;
    EXPECT_EQ(op(VCPUOP_initialise, 1, context.get()), error(Errno::inval)) << "without any tables";
    context->ctrlreg[3] = hv.lookup(guest.id, Gfn{3})->value * kPageSize;
    EXPECT_EQ(op(VCPUOP_initialise, 1, context.get()), 0);
    EXPECT_EQ(op(VCPUOP_initialise, 1, context.get()), error(Errno::exist));
    EXPECT_EQ(op(VCPUOP_up, 1), 0);
    EXPECT_EQ(op(VCPUOP_up, 1), 0) << "up is up";
    EXPECT_EQ(cpu1.pauses, 0);
    EXPECT_EQ(op(VCPUOP_is_up, 1), 1);
    EXPECT_EQ(op(VCPUOP_down, 1), 0);
    EXPECT_EQ(op(VCPUOP_down, 1), 0);
    EXPECT_EQ(cpu1.pauses, 1);
    EXPECT_EQ(op(VCPUOP_is_up, 1), 0);
    EXPECT_EQ(op(VCPUOP_down, 3), error(Errno::noent));
}

TEST_F(Vcpus, TheLastVcpuThatGoesDownTakesTheDomainWithIt) {
    EXPECT_EQ(op(VCPUOP_down, 0), 0);
    EXPECT_TRUE(hv.info(guest.id)->shut_down);
    EXPECT_EQ(hv.info(guest.id)->shutdown_reason, unsigned{SHUTDOWN_poweroff});
}

TEST_F(Vcpus, ARunstateHasTheTimeOfEachState) {
    vcpu_runstate_info_t info{};
    machine.pass(3_ms);
    hv.unpause(guest.id).value();
    machine.pass(4_ms);
    EXPECT_EQ(op(VCPUOP_get_runstate_info, 0, &info), 0);
    EXPECT_EQ(info.state, RUNSTATE_running);
    EXPECT_EQ(info.state_entry_time, (machine.now() - 4_ms).value);
    EXPECT_EQ(info.time[RUNSTATE_offline], (3_ms).value);
    EXPECT_EQ(info.time[RUNSTATE_running], (4_ms).value);
    EXPECT_EQ(op(VCPUOP_get_runstate_info, 2, &info), 0);
    EXPECT_EQ(info.state, RUNSTATE_offline) << "it is not up";
    EXPECT_EQ(info.time[RUNSTATE_offline], (7_ms).value);
}

TEST_F(Vcpus, TheClockOfAVcpuIsInItsInfoAndInTheAreaThatItRegistered) {
    hv.unpause(guest.id).value();
    machine.pass(2_ms);
    vcpu_time_info_t area{};
    vcpu_register_time_memory_area_t where{};
    where.addr.h.p = &area;
    EXPECT_EQ(op(VCPUOP_register_vcpu_time_memory_area, 0, &where), 0);
    EXPECT_EQ(area.system_time, machine.now().value);
    EXPECT_EQ(area.version % 2, 0u);
    const auto ticks = [](const vcpu_time_info_t& t, std::uint64_t tsc) {
        const std::uint64_t delta = (tsc - t.tsc_timestamp) << t.tsc_shift;
        return t.system_time + (delta * t.tsc_to_system_mul >> 32);
    };
    EXPECT_EQ(ticks(area, area.tsc_timestamp + 1'000), area.system_time + 1'000);
    EXPECT_NE(guest.info().time.version, 0u) << "as soon as it ran";
}

TEST_F(Vcpus, AssistsAreThoseOfTheKindOfGuest) {
    const auto assist = [](Guest& g, unsigned command, unsigned type) {
        return g.call(__HYPERVISOR_vm_assist, command, type);
    };
    Guest pvh(hv, {.name = "pvh"});
    Guest small(hv, {.name = "small", .type = GuestType::pv, .bits = 32});
    EXPECT_EQ(assist(guest, VMASST_CMD_enable, VMASST_TYPE_m2p_strict), 0);
    EXPECT_EQ(assist(small, VMASST_CMD_enable, VMASST_TYPE_m2p_strict), error(Errno::inval));
    EXPECT_EQ(assist(pvh, VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), error(Errno::inval));
    EXPECT_EQ(assist(pvh, VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag), 0);
    EXPECT_EQ(assist(pvh, 7, VMASST_TYPE_runstate_update_flag), error(Errno::nosys));
}

TEST_F(Vcpus, TimersOfAnothersVcpuAreItsOwnAffair) {
    vcpu_set_singleshot_timer_t shot{.timeout_abs_ns = 1, .flags = VCPU_SSHOTTMR_future};
    EXPECT_EQ(op(VCPUOP_set_singleshot_timer, 1, &shot), error(Errno::inval));
    EXPECT_EQ(op(VCPUOP_stop_singleshot_timer, 1), error(Errno::inval));
    const auto port = guest.bind_virq(VIRQ_TIMER).number;
    EXPECT_EQ(op(VCPUOP_set_singleshot_timer, 0, &shot), 0) << "what is past fires at once, whatever the flag says";
    machine.pass(Nanoseconds{1});
    EXPECT_TRUE(guest.bits(port).pending);
    EXPECT_EQ(op(VCPUOP_send_nmi, 1), 0);
    EXPECT_EQ(op(VCPUOP_send_nmi, 1, &shot), error(Errno::inval));
}

TEST_F(Vcpus, TheNumberOfTheProcessorIsTheControlDomainsToKnow) {
    vcpu_get_physid_t id{.phys_id = 7};
    EXPECT_EQ(op(VCPUOP_get_physid, 0, &id), error(Errno::inval));
    EXPECT_EQ(dom0.call(__HYPERVISOR_vcpu_op, VCPUOP_get_physid, 0, &id), 0) << "it is pinned where there is but one";
    EXPECT_EQ(id.phys_id, 0u);
}

TEST_F(Vcpus, WhatIsReadFromTheConsoleIsNoMoreThanANumberCanSay) {
    char text[4];
    EXPECT_EQ(dom0.call(__HYPERVISOR_console_io, CONSOLEIO_read, 4, text), 0) << "nobody typed";
    EXPECT_EQ(dom0.call(__HYPERVISOR_console_io, CONSOLEIO_read, 0x80000000u, text), error(Errno::toobig));
}

}  // namespace
}  // namespace xenrig::test
