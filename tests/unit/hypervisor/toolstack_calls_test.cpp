// domctl and sysctl as a toolstack, xenstored and xenconsoled make them: who may, and what comes of it.
// (What each command answers is compared with Xen's answers in fixtures/xen-answers/scripts/domctl*.ops, sysctl.ops.)
#include <gtest/gtest.h>

#include "fake_machine.h"
#include "guest.h"
#include "sim/hypervisor/tools_abi.h"

namespace xenrig::test {
namespace {

struct Toolstack {
    FakeMachine machine;
    Hypervisor xen{machine, HostConfig{.frames = 256}};
    Guest dom0{xen, {.name = "dom0", .type = GuestType::pv, .privileged = true}};
    Guest guest{xen, {.name = "guest"}};

    static xen_domctl_t about(std::uint32_t command, DomId dom) {
        xen_domctl_t op{};
        op.cmd = command;
        op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
        op.domain = dom.value;
        return op;
    }
    Answer domctl(xen_domctl_t& op) { return dom0.call(__HYPERVISOR_domctl, &op); }
    Answer domctl(std::uint32_t command, DomId dom) {
        xen_domctl_t op = about(command, dom);
        return domctl(op);
    }
    xen_domctl_getdomaininfo info(DomId dom) {
        xen_domctl_t op = about(XEN_DOMCTL_getdomaininfo, dom);
        EXPECT_EQ(domctl(op), 0);
        return op.u.getdomaininfo;
    }
    DomId create(std::uint32_t flags, std::uint32_t emulation) {
        xen_domctl_t op = about(XEN_DOMCTL_createdomain, DomId{0});
        op.u.createdomain.flags = flags;
        op.u.createdomain.max_vcpus = 1;
        op.u.createdomain.max_grant_frames = 4;
        op.u.createdomain.max_maptrack_frames = 4;
        op.u.createdomain.grant_opts = XEN_DOMCTL_GRANT_version(2);
        op.u.createdomain.arch.emulation_flags = emulation;
        EXPECT_EQ(domctl(op), 0);
        return DomId{op.domain};
    }
};

TEST(ToolstackCalls, AreTheControlDomainsAlone) {
    Toolstack t;
    xen_domctl_t op = Toolstack::about(XEN_DOMCTL_getdomaininfo, t.guest.id);
    EXPECT_EQ(t.guest.call(__HYPERVISOR_domctl, &op), error(Errno::perm));
    op = Toolstack::about(XEN_DOMCTL_destroydomain, t.dom0.id);
    EXPECT_EQ(t.guest.call(__HYPERVISOR_domctl, &op), error(Errno::perm));
    xen_sysctl_t list{};
    list.cmd = XEN_SYSCTL_getdomaininfolist;
    list.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    EXPECT_EQ(t.guest.call(__HYPERVISOR_sysctl, &list), error(Errno::perm));
    list.interface_version = XEN_SYSCTL_INTERFACE_VERSION - 1;
    EXPECT_EQ(t.guest.call(__HYPERVISOR_sysctl, &list), error(Errno::access)) << "the version is looked at first";
}

TEST(ToolstackCalls, TheStoresDomainMayKnowOfTheOthers) {
    Toolstack t;
    xen_domctl_t op = Toolstack::about(XEN_DOMCTL_createdomain, DomId{0});
    const DomId store = t.create(XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap | XEN_DOMCTL_CDF_xs_domain, XEN_X86_EMU_LAPIC);
    op = Toolstack::about(XEN_DOMCTL_max_vcpus, store);
    op.u.max_vcpus.max = 1;
    ASSERT_EQ(t.domctl(op), 0);
    EXPECT_NE(t.info(store).flags & XEN_DOMINF_xs_domain, 0u);
    op = Toolstack::about(XEN_DOMCTL_getdomaininfo, t.guest.id);
    EXPECT_EQ(hypercall(t.xen.hypercalls(store, VcpuId{0}), __HYPERVISOR_domctl, &op), 0);
    op = Toolstack::about(XEN_DOMCTL_pausedomain, t.guest.id);
    EXPECT_EQ(hypercall(t.xen.hypercalls(store, VcpuId{0}), __HYPERVISOR_domctl, &op), error(Errno::perm));
}

TEST(ToolstackCalls, BuildAPvhDomainThatRunsItsOwnHypercalls) {
    Toolstack t;
    const DomId made = t.create(XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap, XEN_X86_EMU_LAPIC);
    xen_domctl_t op = Toolstack::about(XEN_DOMCTL_max_vcpus, made);
    op.u.max_vcpus.max = 1;
    ASSERT_EQ(t.domctl(op), 0);
    op = Toolstack::about(XEN_DOMCTL_max_mem, made);
    op.u.max_mem.max_memkb = 16 * 4;
    ASSERT_EQ(t.domctl(op), 0);
    EXPECT_TRUE(t.xen.populate(made, Gfn{0}, 16).has_value());
    EXPECT_FALSE(t.xen.populate(made, Gfn{16}, 1).has_value()) << "beyond its maximum";
    EXPECT_EQ(t.info(made).tot_pages, 16u);
    EXPECT_EQ(t.info(made).nr_online_vcpus, 0u);

    vcpu_guest_context_t context{};
    context.flags = VGCF_online;
    op = Toolstack::about(XEN_DOMCTL_setvcpucontext, made);
    op.u.vcpucontext.ctxt.p = &context;
    ASSERT_EQ(t.domctl(op), 0);
    EXPECT_EQ(t.info(made).nr_online_vcpus, 1u);
    EXPECT_EQ(t.domctl(XEN_DOMCTL_unpausedomain, made), 0);
    EXPECT_EQ(t.domctl(XEN_DOMCTL_unpausedomain, made), error(Errno::inval));
    EXPECT_EQ(t.info(made).flags & XEN_DOMINF_paused, 0u);

    evtchn_alloc_unbound_t port{.dom = DOMID_SELF, .remote_dom = 0, .port = 0};
    EXPECT_EQ(
        hypercall(t.xen.hypercalls(made, VcpuId{0}), __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &port), 0);
    EXPECT_EQ(t.domctl(XEN_DOMCTL_destroydomain, made), 0);
    EXPECT_EQ(t.domctl(XEN_DOMCTL_destroydomain, made), error(Errno::srch));
    EXPECT_EQ(t.xen.audit(), "");
}

TEST(ToolstackCalls, AGlobalVirqGoesToItsHandlerUntilThatEnds) {
    Toolstack t;
    const std::uint32_t own = t.dom0.bind_virq(VIRQ_DOM_EXC).number;
    const std::uint32_t theirs = t.guest.bind_virq(VIRQ_DOM_EXC).number;
    xen_domctl_t op = Toolstack::about(XEN_DOMCTL_set_virq_handler, t.guest.id);
    op.u.set_virq_handler.virq = VIRQ_DOM_EXC;
    ASSERT_EQ(t.domctl(op), 0);
    t.dom0.clear_events();
    Guest other(t.xen, {.name = "other"}, 0);
    t.domctl(XEN_DOMCTL_destroydomain, other.id);
    EXPECT_TRUE(t.guest.bits(theirs).pending);
    EXPECT_FALSE(t.dom0.bits(own).pending);
    t.domctl(XEN_DOMCTL_destroydomain, t.guest.id);
    EXPECT_TRUE(t.dom0.bits(own).pending);
}

TEST(ToolstackCalls, ADeviceModelMayReachItsTargetAndNobodyElse) {
    Toolstack t;
    Guest stub(t.xen, {.name = "stub"}), stranger(t.xen, {.name = "stranger"});
    EXPECT_EQ(stub.alloc_unbound(DomId{0}, t.guest.id).rc, error(Errno::perm));
    xen_domctl_t op = Toolstack::about(XEN_DOMCTL_set_target, stub.id);
    op.u.set_target.target = t.guest.id.value;
    ASSERT_EQ(t.domctl(op), 0);
    EXPECT_EQ(t.domctl(op), error(Errno::inval)) << "it has one";
    EXPECT_EQ(stub.alloc_unbound(DomId{0}, t.guest.id).rc, 0);
    EXPECT_EQ(stub.alloc_unbound(DomId{0}, stranger.id).rc, error(Errno::perm));
    t.domctl(XEN_DOMCTL_destroydomain, t.guest.id);
    Guest next(t.xen, {.name = "next"});
    EXPECT_EQ(stub.alloc_unbound(DomId{0}, next.id).rc, error(Errno::perm));
    EXPECT_TRUE(t.xen.info(t.guest.id)->dying) << "its number is its own as long as the device model has it as target";
    t.domctl(XEN_DOMCTL_destroydomain, stub.id);
    EXPECT_FALSE(t.xen.info(t.guest.id));
}

TEST(ToolstackCalls, TheDirtyLogIsReadAsABitmap) {
    Toolstack t;
    xen_domctl_t op = Toolstack::about(XEN_DOMCTL_shadow_op, t.guest.id);
    op.u.shadow_op.op = XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY;
    ASSERT_EQ(t.domctl(op), 0);
    EXPECT_EQ(t.domctl(op), error(Errno::inval)) << "it is on";
    t.xen.address_space(t.guest.id).mark_dirty(Gfn{3});
    t.xen.address_space(t.guest.id).mark_dirty(Gfn{9});
    std::uint8_t bitmap[4]{};
    for (const unsigned how : {XEN_DOMCTL_SHADOW_OP_PEEK, XEN_DOMCTL_SHADOW_OP_CLEAN, XEN_DOMCTL_SHADOW_OP_CLEAN}) {
        op = Toolstack::about(XEN_DOMCTL_shadow_op, t.guest.id);
        op.u.shadow_op.op = how;
        op.u.shadow_op.dirty_bitmap.p = bitmap;
        op.u.shadow_op.pages = 32;
        ASSERT_EQ(t.domctl(op), 0);
        EXPECT_EQ(op.u.shadow_op.pages, 16u) << "it has no more";
        if (how == XEN_DOMCTL_SHADOW_OP_PEEK) {
            EXPECT_EQ(op.u.shadow_op.stats.dirty_count, 2u);
            EXPECT_EQ(bitmap[0], 1 << 3);
            EXPECT_EQ(bitmap[1], 1 << 1);
        }
    }
    EXPECT_EQ(bitmap[0], 0) << "the first clean took them";
}

TEST(ToolstackCalls, TheConsoleIsReadFromWhereTheReaderLeftOff) {
    Toolstack t;
    const auto say = [&](std::string text) {
        t.dom0.call(__HYPERVISOR_console_io, CONSOLEIO_write, text.size(), text.data());
    };
    const auto read = [&](std::uint32_t& index, bool clear) {
        char text[8]{};
        xen_sysctl_t op{};
        op.cmd = XEN_SYSCTL_readconsole;
        op.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
        op.u.readconsole.incremental = 1;
        op.u.readconsole.clear = clear;
        op.u.readconsole.index = index;
        op.u.readconsole.buffer.p = text;
        op.u.readconsole.count = sizeof text;
        EXPECT_EQ(t.dom0.call(__HYPERVISOR_sysctl, &op), 0);
        index = op.u.readconsole.index;
        return std::string(text, op.u.readconsole.count);
    };
    std::uint32_t index = 0;
    say("one two three");
    EXPECT_EQ(read(index, false), "one two ");
    EXPECT_EQ(read(index, false), "three");
    EXPECT_EQ(read(index, false), "");
    say(" four");
    EXPECT_EQ(read(index, true), " four");
    say(std::string(40'000, 'x') + "end");
    std::uint32_t old = 0;
    EXPECT_EQ(read(old, false), "xxxxxxxx") << "what is gone is skipped";
}

}  // namespace
}  // namespace xenrig::test
