// The state in which a PV vCPU starts: what a toolstack may give it, what it is asked for later, and that it takes no
// upcall before it has said where.
#include <gtest/gtest.h>

#include <memory>

#include "fake_machine.h"
#include "guest.h"
#include "sim/hypervisor/tools_abi.h"
#include "xenrig/abi/pv_address_space.h"

namespace xenrig::test {
namespace {

struct PvContext : testing::Test {
    PvContext() {
        context->flags = VGCF_in_kernel | VGCF_online;
        context->ctrlreg[3] = base(3);
        hv.attach_vcpu(guest.id, VcpuId{0}, machine.cpu("guest/0"));
        // As its builder leaves it.
        guest.info().evtchn_upcall_mask = 1;
    }

    std::uint64_t frame(std::uint64_t gfn) { return hv.lookup(guest.id, Gfn{gfn})->value; }
    std::uint64_t base(std::uint64_t gfn) { return frame(gfn) * kPageSize; }
    Answer domctl(std::uint32_t command, vcpu_guest_context_t* with, unsigned vcpu = 0) {
        xen_domctl_t op{};
        op.cmd = command;
        op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
        op.domain = guest.id.value;
        op.u.vcpucontext.vcpu = vcpu;
        op.u.vcpucontext.ctxt.p = with;
        return dom0.call(__HYPERVISOR_domctl, &op);
    }
    Answer set() { return domctl(XEN_DOMCTL_setvcpucontext, context.get()); }
    Answer callback(std::uint16_t type, std::uint64_t address) {
        callback_register_t op{};
        op.type = type;
        op.address = address;
        return guest.call(__HYPERVISOR_callback_op, CALLBACKOP_register, &op);
    }
    /// An event that the guest sends to itself.
    void event() {
        const auto unbound = guest.alloc_unbound(guest.id);
        const auto bound = guest.bind_interdomain(guest.id, unbound.number);
        ASSERT_EQ(bound.rc, 0);
        guest.send(bound.number);
    }
    bool crashed() { return hv.info(guest.id)->shut_down && hv.info(guest.id)->shutdown_reason == SHUTDOWN_crash; }

    FakeMachine machine;
    Hypervisor hv{machine, HostConfig{.frames = 256}};
    Guest dom0{hv, {.name = "dom0", .privileged = true}};
    Guest guest{hv, {.name = "guest", .type = GuestType::pv, .vcpus = 2, .vcpus_up = 1}};
    std::unique_ptr<vcpu_guest_context_t> context = std::make_unique<vcpu_guest_context_t>();
};

TEST_F(PvContext, LoadsATopTableOfTheDomainsOwnAndNothingElse) {
    context->ctrlreg[3] = 0x5'0000'0000;
    EXPECT_EQ(set(), error(Errno::inval)) << "no frame";
    context->ctrlreg[3] = hv.lookup(dom0.id, Gfn{3})->value * kPageSize;
    EXPECT_EQ(set(), error(Errno::inval)) << "another domain's";
    context->ctrlreg[3] = base(3);
    context->user_regs.rip = 0x8000'0000'0000;
    EXPECT_EQ(set(), error(Errno::inval)) << "no address of the processor's";
    context->user_regs.rip = 0;
    context->ldt_base = 8;
    EXPECT_EQ(set(), error(Errno::inval));
    context->ldt_base = 0;
    EXPECT_EQ(set(), 0);
    EXPECT_EQ(hv.audit(), "");
}

TEST_F(PvContext, AVcpuThatHasTablesKeepsThem) {
    ASSERT_EQ(set(), 0);
    EXPECT_EQ(set(), 0) << "the same again";
    context->ctrlreg[3] = base(4);
    EXPECT_EQ(set(), error(Errno::opnotsupp));
    vcpu_guest_context_t now{};
    EXPECT_EQ(domctl(XEN_DOMCTL_getvcpucontext, &now), 0);
    EXPECT_EQ(now.ctrlreg[3], base(3));
}

TEST_F(PvContext, SaysWhatTheGuestHasChangedSince) {
    ASSERT_EQ(set(), 0);
    ASSERT_EQ(callback(CALLBACKTYPE_event, 0xffff'8800'0000'1000), 0);
    ASSERT_EQ(callback(CALLBACKTYPE_failsafe, 0xffff'8800'0000'2000), 0);
    mmuext_op_t load{};
    load.cmd = MMUEXT_NEW_BASEPTR;
    load.arg1.mfn = frame(5);
    ASSERT_EQ(guest.call(__HYPERVISOR_mmuext_op, &load, 1, 0, DOMID_SELF), 0);
    sched_shutdown_t suspend{SHUTDOWN_suspend};
    guest.call(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &suspend, 0x1234);
    vcpu_guest_context_t now{};
    EXPECT_EQ(domctl(XEN_DOMCTL_getvcpucontext, &now), 0);
    EXPECT_EQ(now.event_callback_eip, 0xffff'8800'0000'1000u);
    EXPECT_EQ(now.failsafe_callback_eip, 0xffff'8800'0000'2000u);
    EXPECT_EQ(now.ctrlreg[3], base(5));
    EXPECT_EQ(now.user_regs.rdx, 0x1234u) << "the start page's frame, for who saves it";
    EXPECT_EQ(now.flags & VGCF_online, std::uint64_t{VGCF_online});
    EXPECT_EQ(domctl(XEN_DOMCTL_getvcpucontext, &now, 1), error(Errno::nodata));
}

TEST_F(PvContext, ACallbackIsAnAddressOfTheProcessors) {
    EXPECT_EQ(callback(CALLBACKTYPE_event, 0x8000'0000'0000), error(Errno::inval));
    EXPECT_EQ(callback(CALLBACKTYPE_event, 0x7fff'ffff'ffff), 0);
}

TEST_F(PvContext, AnEventWithoutACallbackWaitsWhileUpcallsAreOff) {
    ASSERT_EQ(set(), 0);
    hv.unpause(guest.id).value();
    event();
    EXPECT_FALSE(crashed());
    EXPECT_EQ(guest.info().evtchn_upcall_pending, 1);
    ASSERT_EQ(callback(CALLBACKTYPE_event, 0x1000), 0);
    guest.info().evtchn_upcall_mask = 0;
    EXPECT_TRUE(hv.upcall_pending(guest.id, VcpuId{0}));
    EXPECT_EQ(guest.call(__HYPERVISOR_sched_op, SCHEDOP_yield), 0);
    EXPECT_FALSE(crashed());
}

TEST_F(PvContext, AnUpcallThatNobodyTakesCrashesTheDomain) {
    ASSERT_EQ(set(), 0);
    hv.unpause(guest.id).value();
    guest.info().evtchn_upcall_mask = 0;
    event();
    EXPECT_TRUE(crashed());
}

TEST_F(PvContext, UpcallsThatAreTurnedOnTooEarlyCrashItAtTheNextHypercall) {
    ASSERT_EQ(set(), 0);
    hv.unpause(guest.id).value();
    event();
    ASSERT_FALSE(crashed());
    guest.info().evtchn_upcall_mask = 0;
    guest.call(__HYPERVISOR_sched_op, SCHEDOP_yield);
    EXPECT_TRUE(crashed());
}

TEST_F(PvContext, TheOlderCallSetsBothHandlers) {
    ASSERT_EQ(set(), 0);
    EXPECT_EQ(guest.call(__HYPERVISOR_set_callbacks, 0x3000, 0x4000, 0x5000), 0);
    vcpu_guest_context_t now{};
    EXPECT_EQ(domctl(XEN_DOMCTL_getvcpucontext, &now), 0);
    EXPECT_EQ(now.event_callback_eip, 0x3000u);
    EXPECT_EQ(now.failsafe_callback_eip, 0x4000u);
}

TEST_F(PvContext, LinearSpaceIsWhatTheTablesMap) {
    constexpr std::uint64_t kBase = 0xffff'8800'0000'0000, kRead = 1, kBoth = 3, kInner = 7;
    const auto put = [&](std::uint64_t table, std::uint64_t index, std::uint64_t gfn, std::uint64_t flags) {
        const std::uint64_t e = base(gfn) | flags;
        std::memcpy(guest.page(table) + index * sizeof e, &e, sizeof e);
    };
    // Gfns 3 to 6 are the tables, the top one first; page 0 is gfn 9 and page 1 is gfn 8.
    put(3, 272, 4, kInner);
    put(4, 0, 5, kInner);
    put(5, 0, 6, kInner);
    put(6, 0, 9, kBoth);
    put(6, 1, 8, kRead);
    PvAddressSpace& space = hv.linear_space(guest.id, kBase);
    EXPECT_EQ(space.page(Gfn{0}), nullptr) << "nothing is loaded yet";
    ASSERT_EQ(set(), 0);
    EXPECT_EQ(space.page(Gfn{0}), guest.page(9));
    EXPECT_EQ(space.page(Gfn{1}), guest.page(8));
    EXPECT_EQ(space.page(Gfn{2}), nullptr);
    EXPECT_EQ(space.page(Gfn{512}), nullptr) << "no table there";
    EXPECT_EQ(space.machine_to_phys(Mfn{frame(8)}), Gfn{8});
    EXPECT_EQ(space.machine_to_phys(Mfn{frame(8) + 1000}), PvAddressSpace::kNowhere);
    hv.enable_log_dirty(guest.id).value();
    space.mark_dirty(Gfn{1});
    EXPECT_EQ(hv.clean_dirty(guest.id), std::vector<Gfn>{Gfn{8}}) << "by its pseudo-physical number";
}

}  // namespace
}  // namespace xenrig::test
