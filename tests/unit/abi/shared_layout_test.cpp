// Structs that a guest of either word shares with Xen: which are alike in both, and where the others differ.
#include "xenrig/abi/shared_layout.h"

#include <gtest/gtest.h>

#include "recorded_layouts.h"

extern "C" {
// xen.h first: the others lean on its types.
#include <xen/xen.h>

#include <xen/arch-x86/hvm/start_info.h>
#include <xen/foreign/x86_32.h>
#include <xen/grant_table.h>
#include <xen/vcpu.h>
}

namespace xenrig::test {
namespace {

#define FIELD(type, member)                                       \
    {                                                             \
        #member, { offsetof(type, member), sizeof(type::member) } \
    }

using Fields = std::map<std::string, RecordedField>;

void expect_recorded(const std::string& name, std::size_t size, const Fields& fields) {
    const auto recorded = recorded_layouts();
    ASSERT_TRUE(recorded.contains(name)) << name;
    EXPECT_EQ(recorded.at(name).size, size) << name;
    EXPECT_EQ(recorded.at(name).fields.size(), fields.size()) << name;
    for (const auto& [field, at] : recorded.at(name).fields) {
        ASSERT_TRUE(fields.contains(field)) << name << '.' << field;
        EXPECT_EQ(fields.at(field), at) << name << '.' << field;
    }
}

TEST(SharedLayouts, TheClockOfAVcpuIsTheSameForBothWords) {
    expect_recorded("vcpu_time_info_t", sizeof(vcpu_time_info_t),
                    {FIELD(vcpu_time_info_t, version), FIELD(vcpu_time_info_t, tsc_timestamp),
                     FIELD(vcpu_time_info_t, system_time), FIELD(vcpu_time_info_t, tsc_to_system_mul),
                     FIELD(vcpu_time_info_t, tsc_shift), FIELD(vcpu_time_info_t, flags)});
}

TEST(SharedLayouts, GrantEntriesOfBothVersionsAreTheSameForBothWords) {
    expect_recorded("grant_entry_v1_t", sizeof(grant_entry_v1_t),
                    {FIELD(grant_entry_v1_t, flags), FIELD(grant_entry_v1_t, domid), FIELD(grant_entry_v1_t, frame)});
    expect_recorded("grant_entry_v2_t", sizeof(grant_entry_v2_t),
                    {FIELD(grant_entry_v2_t, hdr.flags), FIELD(grant_entry_v2_t, hdr.domid),
                     FIELD(grant_entry_v2_t, full_page.frame), FIELD(grant_entry_v2_t, sub_page.page_off),
                     FIELD(grant_entry_v2_t, sub_page.length), FIELD(grant_entry_v2_t, sub_page.frame),
                     FIELD(grant_entry_v2_t, transitive.trans_domid), FIELD(grant_entry_v2_t, transitive.gref)});
    expect_recorded("grant_status_t", sizeof(grant_status_t), {});
}

TEST(SharedLayouts, TheStartOfAPvhGuestIsTheSameForBothWords) {
    expect_recorded("hvm_start_info_t", sizeof(hvm_start_info),
                    {FIELD(hvm_start_info, magic), FIELD(hvm_start_info, version), FIELD(hvm_start_info, flags),
                     FIELD(hvm_start_info, nr_modules), FIELD(hvm_start_info, modlist_paddr),
                     FIELD(hvm_start_info, cmdline_paddr), FIELD(hvm_start_info, rsdp_paddr),
                     FIELD(hvm_start_info, memmap_paddr), FIELD(hvm_start_info, memmap_entries)});
    expect_recorded(
        "hvm_modlist_entry_t", sizeof(hvm_modlist_entry),
        {FIELD(hvm_modlist_entry, paddr), FIELD(hvm_modlist_entry, size), FIELD(hvm_modlist_entry, cmdline_paddr)});
    expect_recorded("hvm_memmap_table_entry_t", sizeof(hvm_memmap_table_entry),
                    {FIELD(hvm_memmap_table_entry, addr), FIELD(hvm_memmap_table_entry, size),
                     FIELD(hvm_memmap_table_entry, type)});
}

TEST(SharedLayouts, TheStartOfAnI386PvGuestIsXensForeignOne) {
    expect_recorded(
        "start_info_t", sizeof(start_info_x86_32),
        {FIELD(start_info_x86_32, nr_pages), FIELD(start_info_x86_32, shared_info), FIELD(start_info_x86_32, flags),
         FIELD(start_info_x86_32, store_mfn), FIELD(start_info_x86_32, store_evtchn),
         FIELD(start_info_x86_32, console.domU.mfn), FIELD(start_info_x86_32, console.domU.evtchn),
         FIELD(start_info_x86_32, pt_base), FIELD(start_info_x86_32, nr_pt_frames), FIELD(start_info_x86_32, mfn_list),
         FIELD(start_info_x86_32, mod_start), FIELD(start_info_x86_32, mod_len), FIELD(start_info_x86_32, cmd_line),
         FIELD(start_info_x86_32, first_p2m_pfn), FIELD(start_info_x86_32, nr_p2m_frames)});
}

TEST(SharedLayouts, TheRunstateOfAnI386HasNoHole) {
    constexpr std::size_t kHole = 4;
    expect_recorded("vcpu_runstate_info_t", sizeof(vcpu_runstate_info_t) - kHole,
                    {FIELD(vcpu_runstate_info_t, state),
                     {"state_entry_time", {offsetof(vcpu_runstate_info_t, state_entry_time) - kHole, 8}},
                     {"time", {offsetof(vcpu_runstate_info_t, time) - kHole, 32}}});
}

TEST(SharedLayouts, PortsAreAWordOfWords) {
    EXPECT_EQ(shared_layout(32).ports(), 1024u);
    EXPECT_EQ(shared_layout(64).ports(), 4096u);
}

#undef FIELD

}  // namespace
}  // namespace xenrig::test
