#include "sim/hypervisor/hvm_context.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "sim/hypervisor/answer.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/host_processor.h"
#include "sim/hypervisor/hvm_records.h"

namespace xenrig::hypervisor {

struct HvmContext::Kind {
    std::uint32_t type;
    std::uint32_t length;
    bool per_vcpu = false;
    std::uint32_t instances = 1;
    /// The device that a domain must have (XEN_X86_EMU_*); 0: every one has it.
    std::uint32_t device = 0;
    /// A shorter record, of an older Xen, is filled with zeroes.
    bool may_be_short = false;
    /// For a record of another length.
    std::int64_t wrong_length = -error(Errno::inval);
    /// Said only after it was loaded, or never.
    bool silent = false;
};

struct HvmContext::Entry {
    std::uint32_t instance;
    /// What the descriptor says, and as much of it as there is.
    std::uint32_t length;
    std::span<const std::byte> data;
};

namespace {

constexpr std::uint32_t kHeader = 1, kCpu = 2, kPic = 3, kLapic = 5, kLapicRegisters = 6, kPciLink = 9, kMtrr = 14,
                        kXsave = 16, kVmce = 18, kMsrs = 20;
/// Without its state, and of as many registers as Xen may send.
constexpr std::uint32_t kXsaveBytes = 24, kMsrsBytes = 8 + 9 * 16;

template <class Record>
std::vector<std::byte> bytes_of(const Record& record) {
    std::vector<std::byte> bytes(sizeof record);
    std::memcpy(bytes.data(), &record, sizeof record);
    return bytes;
}

template <class Record>
Record record_of(std::span<const std::byte> bytes) {
    Record record{};
    std::memcpy(&record, bytes.data(), std::min(bytes.size(), sizeof record));
    return record;
}

void put_entry(std::vector<std::byte>& to, std::uint32_t type, std::uint32_t instance,
               std::span<const std::byte> data) {
    const HvmDescriptor head{static_cast<std::uint16_t>(type), static_cast<std::uint16_t>(instance),
                             static_cast<std::uint32_t>(data.size())};
    const auto bytes = bytes_of(head);
    to.insert(to.end(), bytes.begin(), bytes.end());
    to.insert(to.end(), data.begin(), data.end());
}

}  // namespace

/// Ascending, as they are saved.
std::span<const HvmContext::Kind> HvmContext::kinds() {
    using Bytes = HvmRecordBytes;
    static const Kind kAll[] = {
        {.type = kCpu, .length = Bytes::cpu, .per_vcpu = true, .may_be_short = true},
        {.type = kPic, .length = Bytes::pic, .instances = 2, .device = XEN_X86_EMU_PIC},
        {.type = 4, .length = Bytes::ioapic, .device = XEN_X86_EMU_IOAPIC, .wrong_length = -error(Errno::nodata)},
        {.type = kLapic, .length = Bytes::lapic, .per_vcpu = true, .device = XEN_X86_EMU_LAPIC, .may_be_short = true},
        {.type = kLapicRegisters, .length = Bytes::lapic_registers, .per_vcpu = true, .device = XEN_X86_EMU_LAPIC},
        {.type = 7, .length = Bytes::pci_irq},
        {.type = 8, .length = Bytes::isa_irq},
        {.type = kPciLink, .length = Bytes::pci_link},
        {.type = 10, .length = Bytes::pit, .device = XEN_X86_EMU_PIT, .wrong_length = -error(Errno::nodata)},
        {.type = 11, .length = Bytes::rtc, .device = XEN_X86_EMU_RTC, .may_be_short = true},
        {.type = 12, .length = Bytes::hpet, .device = XEN_X86_EMU_HPET},
        {.type = 13, .length = Bytes::pm_timer, .device = XEN_X86_EMU_PM},
        {.type = kMtrr, .length = Bytes::mtrr, .per_vcpu = true},
        {.type = 15, .length = Bytes::viridian_domain, .may_be_short = true, .silent = true},
        {.type = kXsave, .length = kXsaveBytes, .per_vcpu = true, .silent = true},
        {.type = 17, .length = Bytes::viridian_vcpu, .per_vcpu = true, .may_be_short = true, .silent = true},
        {.type = kVmce,
         .length = Bytes::vmce,
         .per_vcpu = true,
         .may_be_short = true,
         .wrong_length = -error(Errno::perm)},
        {.type = 19, .length = Bytes::tsc_adjust, .per_vcpu = true},
        {.type = kMsrs, .length = kMsrsBytes, .per_vcpu = true, .silent = true},
    };
    return kAll;
}

bool HvmContext::has(const Kind& kind) const { return kind.device == 0 || (domain_.emulation & kind.device) != 0; }

std::uint32_t HvmContext::size_max() const {
    constexpr std::uint32_t kHead = sizeof(HvmDescriptor);
    std::uint32_t bytes = 2 * kHead + sizeof(HvmHeader);
    for (const Kind& kind : kinds()) {
        const auto times = kind.per_vcpu ? static_cast<std::uint32_t>(domain_.vcpus.size()) : kind.instances;
        bytes += times * (kHead + kind.length);
    }
    return bytes;
}

std::vector<std::byte> HvmContext::fresh(const Kind& kind, std::uint32_t instance) const {
    switch (kind.type) {
        case kCpu:
            return bytes_of(fresh_cpu(domain_.vcpus[instance]->context.get()));
        case kLapic:
            return bytes_of(fresh_lapic(instance));
        case kLapicRegisters:
            return bytes_of(fresh_lapic_registers(instance));
        case kMtrr:
            return bytes_of(fresh_mtrr());
        case kVmce:
            return bytes_of(fresh_vmce());
        default:
            return std::vector<std::byte>(kind.length);
    }
}

void HvmContext::append(const Kind& kind, std::uint32_t instance, std::vector<std::byte>& to) const {
    if (!has(kind) || kind.silent) return;
    // The registers of a vCPU that is down are of no use.
    if (kind.type == kCpu && !domain_.vcpus[instance]->up) return;
    const auto found = loaded_.find({kind.type, instance});
    put_entry(to, kind.type, instance, found != loaded_.end() ? found->second : fresh(kind, instance));
}

std::int64_t HvmContext::save(std::vector<std::byte>& to) const {
    if (domain_.dying()) return -error(Errno::inval);
    put_entry(to, kHeader, 0, bytes_of(HvmHeader::of_host()));
    for (const Kind& kind : kinds()) {
        const auto times = kind.per_vcpu ? static_cast<std::uint32_t>(domain_.vcpus.size()) : kind.instances;
        for (std::uint32_t i = 0; i < times; ++i) append(kind, i, to);
    }
    put_entry(to, 0, 0, {});
    return 0;
}

std::int64_t HvmContext::save_one(std::uint32_t type, std::uint32_t instance, std::vector<std::byte>& to) const {
    const auto kind = std::ranges::find(kinds(), type, &Kind::type);
    if (domain_.dying() || kind == kinds().end()) return -error(Errno::inval);
    if (kind->per_vcpu && instance >= domain_.vcpus.size()) return -error(Errno::noent);
    std::vector<std::byte> entry;
    if (kind->per_vcpu || instance < kind->instances) append(*kind, instance, entry);
    if (entry.empty()) return -error(kind->per_vcpu ? Errno::nodata : Errno::noent);
    to.assign(entry.begin() + sizeof(HvmDescriptor), entry.end());
    return 0;
}

std::int64_t HvmContext::check(const Kind& kind, std::span<const std::byte> data) const {
    bool good = true;
    switch (kind.type) {
        case kCpu:
            good = acceptable(record_of<hvm_hw_cpu>(data), domain_);
            break;
        case kLapic:
            good = acceptable(record_of<hvm_hw_lapic>(data));
            break;
        case kPciLink:
            good = std::ranges::all_of(record_of<hvm_hw_pci_link>(data).route, [](std::uint8_t r) { return r < 16; });
            break;
        case kMtrr:
            good = acceptable(record_of<hvm_hw_mtrr>(data));
            break;
        case kVmce:
            good = acceptable(record_of<hvm_vmce_vcpu>(data));
            break;
        case kMsrs:
            return check_msrs(data);
        default:
            break;
    }
    return good ? 0 : -error(Errno::inval);
}

std::int64_t HvmContext::load_entry(const Kind& kind, const Entry& entry) {
    if (!has(kind)) return -error(Errno::nodev);
    if (kind.per_vcpu && entry.instance >= domain_.vcpus.size()) return -error(Errno::inval);
    if (kind.type == kPic && entry.instance >= kind.instances) return -error(Errno::noent);
    // The processor has no xsave.
    if (kind.type == kXsave) return -error(Errno::opnotsupp);
    const bool whole = entry.data.size() == entry.length;
    if (kind.type == kMsrs) {
        if (!whole) return -error(Errno::nodata);
        return check_msrs(entry.data);
    }
    if (!whole || (kind.may_be_short ? entry.length > kind.length : entry.length != kind.length))
        return kind.wrong_length;
    std::vector<std::byte> record(entry.data.begin(), entry.data.end());
    record.resize(kind.length);
    if (const std::int64_t no = check(kind, record); no != 0) return no;
    if (kind.type == kCpu) {
        Vcpu& v = *domain_.vcpus[entry.instance];
        record = bytes_of(as_loaded(record_of<hvm_hw_cpu>(record)));
        v.initialised = true;
        domain_.host.set_up(v, true);
    } else if (kind.type == kMtrr) {
        record = bytes_of(as_saved(record_of<hvm_hw_mtrr>(record)));
    }
    // Who is one of a domain's only is not told apart by what the descriptor says.
    loaded_[{kind.type, kind.per_vcpu || kind.type == kPic ? entry.instance : 0}] = std::move(record);
    return 0;
}

std::int64_t HvmContext::load(std::span<const std::byte> from) {
    if (domain_.dying()) return -error(Errno::inval);
    const auto next = [&from]() -> std::optional<HvmDescriptor> {
        if (from.size() < sizeof(HvmDescriptor)) return std::nullopt;
        const auto head = record_of<HvmDescriptor>(from);
        from = from.subspan(sizeof head);
        return head;
    };
    const auto first = next();
    if (!first || first->type != kHeader || first->length != sizeof(HvmHeader) || from.size() < first->length)
        return -error(Errno::nodata);
    const auto header = record_of<HvmHeader>(from);
    from = from.subspan(sizeof header);
    if (header.magic != HvmHeader::of_host().magic || header.version != HvmHeader::of_host().version)
        return -error(Errno::inval);
    for (const auto& v : domain_.vcpus) domain_.host.set_up(*v, false);
    for (;;) {
        const auto head = next();
        if (!head) return -error(Errno::nodata);
        if (head->type == 0) return 0;
        const auto kind = std::ranges::find(kinds(), head->type, &Kind::type);
        if (kind == kinds().end()) return -error(Errno::inval);
        const Entry entry{head->instance, head->length, from.first(std::min<std::size_t>(head->length, from.size()))};
        if (const std::int64_t no = load_entry(*kind, entry); no != 0) return no;
        from = from.subspan(entry.data.size());
    }
}

}  // namespace xenrig::hypervisor
