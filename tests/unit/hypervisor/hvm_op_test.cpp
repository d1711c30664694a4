// hvm_op: parameters with their checks, and what a translated guest asks of its memory and interrupts.
#include <gtest/gtest.h>

#include "fake_machine.h"
#include "guest.h"

namespace xenrig::test {
namespace {

struct HvmOp : testing::Test {
    FakeMachine machine;
    Hypervisor hv{machine, {.frames = 256}};
    Guest dom0{hv, {.name = "dom0", .type = GuestType::pv, .privileged = true}};
    Guest hvm{hv, {.name = "hvm", .type = GuestType::hvm, .vcpus = 2}};
    Guest pvh{hv, {.name = "pvh"}};

    Answer set(Guest& who, const Guest& whose, unsigned index, std::uint64_t value) {
        xen_hvm_param_t p{.domid = whose.id.value, .pad = 0, .index = index, .value = value};
        return who.call(__HYPERVISOR_hvm_op, HVMOP_set_param, &p);
    }
    std::uint64_t get(Guest& who, const Guest& whose, unsigned index) {
        xen_hvm_param_t p{.domid = whose.id.value, .pad = 0, .index = index, .value = 0x5555};
        EXPECT_EQ(who.call(__HYPERVISOR_hvm_op, HVMOP_get_param, &p), 0);
        return p.value;
    }
    bool crashed(const Guest& who) {
        const auto info = *hv.info(who.id);
        return info.shut_down && info.shutdown_reason == SHUTDOWN_crash;
    }
};

TEST_F(HvmOp, ABuilderSetsWhatAGuestMayNotAndEachValueIsChecked) {
    EXPECT_EQ(set(hvm, hvm, HVM_PARAM_TIMER_MODE, 1), error(Errno::perm));
    EXPECT_EQ(set(dom0, hvm, HVM_PARAM_TIMER_MODE, HVMPTM_one_missed_tick_pending), 0);
    EXPECT_EQ(set(dom0, hvm, HVM_PARAM_TIMER_MODE, HVMPTM_one_missed_tick_pending + 1), error(Errno::inval));
    EXPECT_EQ(set(dom0, hvm, HVM_PARAM_VIRIDIAN, HVMPV_time_ref_count), error(Errno::inval)) << "without the base";
    EXPECT_EQ(set(dom0, hvm, HVM_PARAM_VIRIDIAN, HVMPV_base_freq), 0);
    EXPECT_EQ(set(dom0, hvm, HVM_PARAM_VIRIDIAN, HVMPV_base_freq | HVMPV_no_freq), error(Errno::exist)) << "once";
    EXPECT_EQ(set(dom0, hvm, 24, 1), error(Errno::inval)) << "retired";
    EXPECT_EQ(set(dom0, dom0, HVM_PARAM_STORE_PFN, 1), error(Errno::inval)) << "a PV domain has none";
    EXPECT_EQ(set(hvm, pvh, HVM_PARAM_CALLBACK_IRQ, 1), error(Errno::perm));
}

TEST_F(HvmOp, OnlyTheVirtualPmTimerMovesItsPorts) {
    EXPECT_EQ(set(hvm, hvm, HVM_PARAM_ACPI_IOPORTS_LOCATION, 1), 0);
    EXPECT_EQ(set(hvm, hvm, HVM_PARAM_ACPI_IOPORTS_LOCATION, 2), error(Errno::inval));
    EXPECT_EQ(set(pvh, pvh, HVM_PARAM_ACPI_IOPORTS_LOCATION, 1), error(Errno::nodev));
}

TEST_F(HvmOp, TheAreaForRealModeHasASizeAndNonsenseEndsTheGuest) {
    EXPECT_EQ(set(hvm, hvm, HVM_PARAM_VM86_TSS, 0x1000), 0);
    EXPECT_EQ(get(hvm, hvm, HVM_PARAM_VM86_TSS), 0x1000u);
    EXPECT_EQ(get(hvm, hvm, HVM_PARAM_VM86_TSS_SIZED), 0x1000u | 128ull << 32);
    EXPECT_EQ(set(hvm, hvm, HVM_PARAM_VM86_TSS_SIZED, 0x2000 | 0xfffffull << 32), 0);
    EXPECT_EQ(get(hvm, hvm, HVM_PARAM_VM86_TSS_SIZED) >> 32, 104u + 32 + 8192 + 1) << "as much as is of use";
    EXPECT_EQ(set(dom0, hvm, HVM_PARAM_VM86_TSS_SIZED, 0x2000), error(Errno::inval));
    EXPECT_FALSE(crashed(hvm)) << "it was not the guest itself";
    EXPECT_EQ(set(hvm, hvm, HVM_PARAM_VM86_TSS_SIZED, 0x2000), error(Errno::inval));
    EXPECT_TRUE(crashed(hvm));
}

TEST_F(HvmOp, AnUpcallVectorIsOneOfTheLocalApics) {
    const auto vector = [&](Guest& who, std::uint32_t vcpu, std::uint8_t v) {
        xen_hvm_evtchn_upcall_vector_t op{.vcpu = vcpu, .vector = v};
        return who.call(__HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &op);
    };
    EXPECT_EQ(vector(hvm, 1, 0x10), 0);
    EXPECT_EQ(vector(hvm, 1, 0xf), error(Errno::inval));
    EXPECT_EQ(vector(hvm, 2, 0x10), error(Errno::noent));
    EXPECT_EQ(vector(dom0, 0, 0x10), error(Errno::inval));
}

TEST_F(HvmOp, AGfnsTypeIsWhatStandsThere) {
    const auto type = [&](std::uint64_t gfn) {
        xen_hvm_get_mem_type_t op{.domid = DOMID_SELF, .mem_type = 0x55, .pad = {}, .pfn = gfn};
        EXPECT_EQ(hvm.call(__HYPERVISOR_hvm_op, HVMOP_get_mem_type, &op), 0);
        return op.mem_type;
    };
    EXPECT_EQ(type(3), HVMMEM_ram_rw);
    EXPECT_EQ(type(0x7777), HVMMEM_mmio_dm);
    pvh.grant(8, hvm.id, 3, GTF_permit_access | GTF_readonly);
    const auto mapping = hvm.map(pvh.id, 8, 0x1000, GNTMAP_host_map | GNTMAP_readonly);
    EXPECT_EQ(type(0x1000), HVMMEM_ram_ro);
    hvm.unmap(mapping.number, 0x1000);
}

}  // namespace
}  // namespace xenrig::test
