// What a toolstack keeps with a domain and takes away from it: saved hardware, rights, pools of processors, a second
// beginning. (What each command answers is compared with Xen's answers in fixtures/xen-answers/scripts.)
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "fake_machine.h"
#include "guest.h"
#include "sim/hypervisor/hvm_records.h"
#include "sim/hypervisor/tools_abi.h"

namespace xenrig::test {
namespace {

struct ToolstackState : testing::Test {
    FakeMachine machine;
    Hypervisor xen{machine, HostConfig{.frames = 512, .cpus = 3}};
    Guest dom0{xen, {.name = "dom0", .type = GuestType::pv, .privileged = true}};
    Guest guest{xen, {.name = "guest", .vcpus = 2}};

    void TearDown() override { EXPECT_EQ(xen.audit(), ""); }

    xen_domctl_t op{};
    xen_domctl_t& about(std::uint32_t command, DomId dom) {
        op = {};
        op.cmd = command;
        op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
        op.domain = dom.value;
        return op;
    }
    Answer ask() { return dom0.call(__HYPERVISOR_domctl, &op); }
    xen_sysctl_t pool{};
    Answer pools(std::uint32_t operation, std::uint32_t id, std::uint32_t processor = 0, DomId dom = DomId{0}) {
        std::uint64_t map = 0;
        pool = {};
        pool.cmd = XEN_SYSCTL_cpupool_op;
        pool.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
        pool.u.cpupool_op.op = operation;
        pool.u.cpupool_op.cpupool_id = id;
        pool.u.cpupool_op.sched_id = XEN_SCHEDULER_CREDIT;
        pool.u.cpupool_op.cpu = processor;
        pool.u.cpupool_op.domid = dom.value;
        pool.u.cpupool_op.cpumap.bitmap.p = reinterpret_cast<std::uint8_t*>(&map);
        pool.u.cpupool_op.cpumap.nr_bits = 64;
        const Answer rc = dom0.call(__HYPERVISOR_sysctl, &pool);
        processors = map;
        return rc;
    }
    std::uint64_t processors = 0;

    std::vector<std::uint8_t> saved(DomId dom) {
        about(XEN_DOMCTL_gethvmcontext, dom);
        EXPECT_EQ(ask(), 0);
        std::vector<std::uint8_t> bytes(op.u.hvmcontext.size);
        about(XEN_DOMCTL_gethvmcontext, dom).u.hvmcontext = {.size = static_cast<std::uint32_t>(bytes.size())};
        op.u.hvmcontext.buffer.p = bytes.data();
        EXPECT_EQ(ask(), 0);
        bytes.resize(op.u.hvmcontext.size);
        return bytes;
    }
    Answer restore(DomId dom, std::vector<std::uint8_t>& bytes) {
        about(XEN_DOMCTL_sethvmcontext, dom).u.hvmcontext = {.size = static_cast<std::uint32_t>(bytes.size())};
        op.u.hvmcontext.buffer.p = bytes.data();
        return ask();
    }
    /// The registers of a vCPU in a saved context.
    static hvm_hw_cpu* cpu_of(std::vector<std::uint8_t>& bytes, std::uint16_t vcpu) {
        for (std::size_t at = 0; at + sizeof(hypervisor::HvmDescriptor) <= bytes.size();) {
            hypervisor::HvmDescriptor head;
            std::memcpy(&head, bytes.data() + at, sizeof head);
            at += sizeof head;
            if (head.type == 2 && head.instance == vcpu) return reinterpret_cast<hvm_hw_cpu*>(bytes.data() + at);
            at += head.length;
        }
        return nullptr;
    }
};

TEST_F(ToolstackState, AContextThatIsSavedAndRestoredElsewhereIsTheSame) {
    std::vector<std::uint8_t> bytes = saved(guest.id);
    ASSERT_NE(cpu_of(bytes, 1), nullptr);
    cpu_of(bytes, 1)->rip = 0x1234;
    Guest other(xen, {.name = "other", .vcpus = 2});
    ASSERT_EQ(restore(other.id, bytes), 0);
    EXPECT_EQ(saved(other.id), bytes);
    vcpu_guest_context_t registers{};
    about(XEN_DOMCTL_getvcpucontext, other.id).u.vcpucontext.vcpu = 1;
    op.u.vcpucontext.ctxt.p = &registers;
    EXPECT_EQ(ask(), 0);
    EXPECT_EQ(registers.user_regs.rip, 0x1234u);
    EXPECT_NE(registers.flags & VGCF_online, 0u);
}

TEST_F(ToolstackState, AVcpuOfWhichTheContextSaysNothingIsDownAfterwards) {
    std::vector<std::uint8_t> bytes = saved(guest.id);
    constexpr std::size_t kHeader = sizeof(hypervisor::HvmDescriptor) + sizeof(hypervisor::HvmHeader);
    constexpr std::size_t kCpu = sizeof(hypervisor::HvmDescriptor) + sizeof(hvm_hw_cpu);
    bytes.erase(bytes.begin() + kHeader, bytes.begin() + kHeader + kCpu);
    FakeCpu& runner = machine.cpu("v0");
    xen.attach_vcpu(guest.id, VcpuId{0}, runner);
    ASSERT_TRUE(xen.unpause(guest.id));
    EXPECT_EQ(runner.pauses, 0);
    ASSERT_EQ(restore(guest.id, bytes), 0);
    EXPECT_EQ(runner.pauses, 1);
    about(XEN_DOMCTL_getvcpuinfo, guest.id);
    EXPECT_EQ(ask(), 0);
    EXPECT_EQ(op.u.getvcpuinfo.online, 0);
    op.u.getvcpuinfo.vcpu = 1;
    EXPECT_EQ(ask(), 0);
    EXPECT_EQ(op.u.getvcpuinfo.online, 1);
}

TEST_F(ToolstackState, AGuestThatBeginsAnewFindsNoPortsAndMemoryWhereSharedInfoWas) {
    const std::uint32_t port = guest.alloc_unbound(DomId{0}).number;
    ASSERT_EQ(guest.map_special(XENMAPSPACE_shared_info, 0, 100), 0);
    const std::uint64_t frames = xen.info(guest.id)->frames;
    about(XEN_DOMCTL_soft_reset, guest.id);
    EXPECT_EQ(ask(), error(Errno::inval)) << "it runs";
    sched_remote_shutdown_t shutdown{.domain_id = guest.id.value, .reason = SHUTDOWN_soft_reset};
    ASSERT_EQ(dom0.call(__HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, &shutdown), 0);
    EXPECT_EQ(ask(), 0);
    EXPECT_FALSE(xen.info(guest.id)->shut_down);
    EXPECT_EQ(guest.status(port).number, std::uint32_t{EVTCHNSTAT_closed});
    EXPECT_EQ(xen.info(guest.id)->frames, frames + 1);
    EXPECT_NE(guest.page(100), reinterpret_cast<std::byte*>(&guest.shared()));
    EXPECT_EQ(guest.map_special(XENMAPSPACE_shared_info, 0, 101), 0);
}

TEST_F(ToolstackState, APvGuestCantBeginAnewAndCrashes) {
    Guest pv(xen, {.name = "pv", .type = GuestType::pv});
    sched_remote_shutdown_t shutdown{.domain_id = pv.id.value, .reason = SHUTDOWN_soft_reset};
    ASSERT_EQ(dom0.call(__HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, &shutdown), 0);
    about(XEN_DOMCTL_soft_reset, pv.id);
    EXPECT_EQ(ask(), error(Errno::inval));
    EXPECT_TRUE(xen.info(pv.id)->shut_down);
}

TEST_F(ToolstackState, RightsEndWithTheDomainThatHadThem) {
    constexpr std::uint64_t kFrame = 0xc0000;
    const auto map = [&](DomId dom) {
        auto& mapping = about(XEN_DOMCTL_memory_mapping, dom).u.memory_mapping;
        mapping.first_gfn = 0x100;
        mapping.first_mfn = kFrame;
        mapping.nr_mfns = mapping.add_mapping = 1;
        return ask();
    };
    EXPECT_EQ(map(guest.id), error(Errno::perm));
    auto& right = about(XEN_DOMCTL_iomem_permission, guest.id).u.iomem_permission;
    right.first_mfn = kFrame;
    right.nr_mfns = right.allow_access = 1;
    ASSERT_EQ(ask(), 0);
    EXPECT_EQ(map(guest.id), 0);
    ASSERT_TRUE(xen.destroy_domain(guest.id));
    auto& create = about(XEN_DOMCTL_createdomain, guest.id).u.createdomain;
    create.flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap;
    create.max_vcpus = 1;
    create.max_grant_frames = create.max_maptrack_frames = 4;
    create.grant_opts = XEN_DOMCTL_GRANT_version(2);
    create.arch.emulation_flags = XEN_X86_EMU_LAPIC;
    ASSERT_EQ(ask(), 0);
    EXPECT_EQ(map(guest.id), error(Errno::perm)) << "another one of the same number";
}

TEST_F(ToolstackState, ProcessorsMoveBetweenPoolsAndTheLastStaysUnderDomains) {
    ASSERT_EQ(pools(XEN_SYSCTL_CPUPOOL_OP_CREATE, XEN_SYSCTL_CPUPOOL_PAR_ANY), 0);
    EXPECT_EQ(pool.u.cpupool_op.cpupool_id, 1u);
    EXPECT_EQ(pools(XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN, 1, 0, guest.id), error(Errno::noent)) << "no processor there";
    EXPECT_EQ(pools(XEN_SYSCTL_CPUPOOL_OP_ADDCPU, 1, 2), error(Errno::nodev)) << "it is in pool 0";
    EXPECT_EQ(pools(XEN_SYSCTL_CPUPOOL_OP_RMCPU, 0, 0), error(Errno::inval)) << "processor 0 stays";
    EXPECT_EQ(pools(XEN_SYSCTL_CPUPOOL_OP_RMCPU, 0, XEN_SYSCTL_CPUPOOL_PAR_ANY), 0);
    ASSERT_EQ(pools(XEN_SYSCTL_CPUPOOL_OP_FREEINFO, 0), 0);
    EXPECT_EQ(processors, 0b100u);
    EXPECT_EQ(pools(XEN_SYSCTL_CPUPOOL_OP_ADDCPU, 1, 2), 0);
    EXPECT_EQ(pools(XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN, 1, 0, guest.id), 0);
    ASSERT_EQ(pools(XEN_SYSCTL_CPUPOOL_OP_INFO, 1), 0);
    EXPECT_EQ(pool.u.cpupool_op.n_dom, 1u);
    EXPECT_EQ(processors, 0b100u);
    about(XEN_DOMCTL_getdomaininfo, guest.id);
    EXPECT_EQ(ask(), 0);
    EXPECT_EQ(op.u.getdomaininfo.cpupool, 1u);
    EXPECT_EQ(pools(XEN_SYSCTL_CPUPOOL_OP_RMCPU, 1, 2), error(Errno::busy));
    ASSERT_TRUE(xen.destroy_domain(guest.id));
    EXPECT_EQ(pools(XEN_SYSCTL_CPUPOOL_OP_DESTROY, 1), error(Errno::busy));
    EXPECT_EQ(pools(XEN_SYSCTL_CPUPOOL_OP_RMCPU, 1, 2), 0);
    EXPECT_EQ(pools(XEN_SYSCTL_CPUPOOL_OP_DESTROY, 1), 0);
    EXPECT_EQ(pools(XEN_SYSCTL_CPUPOOL_OP_INFO, 1), error(Errno::noent));
}

TEST_F(ToolstackState, AProcessorsPolicyIsFixedOnceTheDomainRan) {
    about(XEN_DOMCTL_set_cpu_policy, guest.id);
    EXPECT_EQ(ask(), 0);
    ASSERT_TRUE(xen.unpause(guest.id));
    EXPECT_EQ(ask(), error(Errno::exist));
}

}  // namespace
}  // namespace xenrig::test
