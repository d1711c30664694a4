#include "sim/image/record_order.h"

namespace xenrig::image {

namespace {

bool is_pv_only(LibxcRecord r) {
    return is_vcpu(r) || r == LibxcRecord::pv_info || r == LibxcRecord::p2m_frames || r == LibxcRecord::shared_info;
}

bool is_hvm_only(LibxcRecord r) { return r == LibxcRecord::hvm_context || r == LibxcRecord::hvm_params; }

/// Memory is copied in rounds, the p2m may grow meanwhile, and each vCPU has records of its own.
bool may_repeat(LibxcRecord r) { return r == LibxcRecord::page_data || r == LibxcRecord::p2m_frames || is_vcpu(r); }

}  // namespace

bool is_static(LibxcRecord r) {
    return r == LibxcRecord::pv_info || r == LibxcRecord::cpuid_policy || r == LibxcRecord::msr_policy ||
           r == LibxcRecord::static_data_end;
}

const char* MemoryOrder::admit(LibxcRecord record) {
    if (const char* rule = refuse(record)) return rule;
    seen_ |= 1u << static_cast<unsigned>(record);
    return nullptr;
}

const char* MemoryOrder::refuse(LibxcRecord record) const {
    switch (record) {
        case LibxcRecord::toolstack:
            return "deprecated, and never part of a version 3 stream";
        case LibxcRecord::verify:
            return "pages for debugging cannot be restored";
        case LibxcRecord::checkpoint:
        case LibxcRecord::checkpoint_dirty_pfn_list:
            return "a checkpointed stream cannot be restored";
        default:
            break;
    }
    if (seen(record) && !may_repeat(record)) return "comes a second time";
    if (const char* rule = refuse_static(record)) return rule;
    return guest_ == GuestType::pv ? refuse_pv(record) : refuse_hvm(record);
}

const char* MemoryOrder::refuse_static(LibxcRecord record) const {
    if (static_data() && !is_static(record)) return "comes before STATIC_DATA_END";
    if (!static_data() && is_static(record)) return "comes after STATIC_DATA_END";
    return nullptr;
}

const char* MemoryOrder::refuse_pv(LibxcRecord record) const {
    if (is_hvm_only(record)) return "belongs to an HVM guest, and this one is PV";
    const bool vcpu_seen = seen(LibxcRecord::vcpu_basic) || seen(LibxcRecord::vcpu_extended) ||
                           seen(LibxcRecord::vcpu_xsave) || seen(LibxcRecord::vcpu_msrs);
    if (record == LibxcRecord::static_data_end && !seen(LibxcRecord::pv_info)) return "comes without X86_PV_INFO";
    if (record == LibxcRecord::page_data && !seen(LibxcRecord::p2m_frames)) return "comes before X86_PV_P2M_FRAMES";
    if (record == LibxcRecord::page_data && vcpu_seen) return "comes after a record of a vCPU";
    if (is_vcpu(record) && !seen(LibxcRecord::page_data)) return "comes before any PAGE_DATA";
    if (record == LibxcRecord::end && !seen(LibxcRecord::shared_info)) return "comes without SHARED_INFO";
    if (record == LibxcRecord::end && !seen(LibxcRecord::vcpu_basic)) return "comes without X86_PV_VCPU_BASIC";
    return nullptr;
}

const char* MemoryOrder::refuse_hvm(LibxcRecord record) const {
    if (is_pv_only(record)) return "belongs to a PV guest, and this one is HVM";
    if (record == LibxcRecord::hvm_params && seen(LibxcRecord::hvm_context)) return "comes after HVM_CONTEXT";
    if (record == LibxcRecord::end && !seen(LibxcRecord::hvm_context)) return "comes without HVM_CONTEXT";
    return nullptr;
}

const char* ImageOrder::admit(Part part) {
    switch (part) {
        case Part::memory:
            if (memory_) return "the memory comes a second time";
            memory_ = true;
            return nullptr;
        case Part::store:
            if (!memory_) return "the store's records come before the memory (LIBXC_CONTEXT)";
            if (store_) return "the store's records come a second time";
            if (guest_) return "the store's records come after the Guest, whose checksum must cover them";
            store_ = true;
            return nullptr;
        case Part::guest:
            if (!memory_) return "the Guest comes before the memory (LIBXC_CONTEXT)";
            if (guest_) return "the Guest comes a second time";
            guest_ = true;
            return nullptr;
        case Part::end:
            if (!memory_) return "comes without the memory (LIBXC_CONTEXT)";
            if (!guest_) return "comes without the Guest: Xenrig did not save this image, or not all of it";
            return nullptr;
    }
    return "is no part of an image";
}

}  // namespace xenrig::image
