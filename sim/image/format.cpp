#include "sim/image/format.h"

namespace xenrig::image {

std::string_view name(LibxlRecord record) {
    switch (record) {
        case LibxlRecord::end:
            return "END";
        case LibxlRecord::libxc_context:
            return "LIBXC_CONTEXT";
        case LibxlRecord::emulator_xenstore_data:
            return "EMULATOR_XENSTORE_DATA";
        case LibxlRecord::emulator_context:
            return "EMULATOR_CONTEXT";
        case LibxlRecord::checkpoint_end:
            return "CHECKPOINT_END";
        case LibxlRecord::checkpoint_state:
            return "CHECKPOINT_STATE";
    }
    return "?";
}

std::string_view name(LibxcRecord record) {
    switch (record) {
        case LibxcRecord::end:
            return "END";
        case LibxcRecord::page_data:
            return "PAGE_DATA";
        case LibxcRecord::pv_info:
            return "X86_PV_INFO";
        case LibxcRecord::p2m_frames:
            return "X86_PV_P2M_FRAMES";
        case LibxcRecord::vcpu_basic:
            return "X86_PV_VCPU_BASIC";
        case LibxcRecord::vcpu_extended:
            return "X86_PV_VCPU_EXTENDED";
        case LibxcRecord::vcpu_xsave:
            return "X86_PV_VCPU_XSAVE";
        case LibxcRecord::shared_info:
            return "SHARED_INFO";
        case LibxcRecord::tsc_info:
            return "X86_TSC_INFO";
        case LibxcRecord::hvm_context:
            return "HVM_CONTEXT";
        case LibxcRecord::hvm_params:
            return "HVM_PARAMS";
        case LibxcRecord::toolstack:
            return "TOOLSTACK";
        case LibxcRecord::vcpu_msrs:
            return "X86_PV_VCPU_MSRS";
        case LibxcRecord::verify:
            return "VERIFY";
        case LibxcRecord::checkpoint:
            return "CHECKPOINT";
        case LibxcRecord::checkpoint_dirty_pfn_list:
            return "CHECKPOINT_DIRTY_PFN_LIST";
        case LibxcRecord::static_data_end:
            return "STATIC_DATA_END";
        case LibxcRecord::cpuid_policy:
            return "X86_CPUID_POLICY";
        case LibxcRecord::msr_policy:
            return "X86_MSR_POLICY";
    }
    return "?";
}

}  // namespace xenrig::image
