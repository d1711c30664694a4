#include "sim/hypervisor/hvm_records.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "sim/hypervisor/answer.h"
#include "sim/hypervisor/cpu_policy_op.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host_processor.h"

namespace xenrig::hypervisor {

namespace {

constexpr std::uint64_t bit(unsigned n) { return std::uint64_t{1} << n; }

/// CR0's bits that there are; ET always reads as one.
constexpr std::uint64_t kCr0 =
    bit(0) | bit(1) | bit(2) | bit(3) | bit(4) | bit(5) | bit(16) | bit(18) | bit(29) | bit(30) | bit(31);
constexpr std::uint64_t kProtected = bit(0), kExtensionType = bit(4), kPaging = bit(31);

/// CR4's bits by the word of features 1d that each needs (hvm_cr4_guest_valid_bits).
struct Cr4Bits {
    std::uint32_t features;
    std::uint64_t bits;
};
constexpr Cr4Bits kCr4[] = {
    {1u << 1, bit(0) | bit(1)},    // VME: VME, PVI
    {1u << 4, bit(2)},             // TSC: TSD
    {1u << 2, bit(3)},             // DE
    {1u << 3, bit(4)},             // PSE
    {1u << 6, bit(5)},             // PAE
    {1u << 7 | 1u << 14, bit(6)},  // MCE, MCA: MCE
    {1u << 13, bit(7)},            // PGE
    {~0u, bit(8)},                 // PCE
    {1u << 24, bit(9)},            // FXSR: OSFXSR
    {1u << 25, bit(10)},           // SSE: OSXMMEXCPT
};

/// EFER's bits by the word of features e1d that each needs; none of nested virtualisation.
struct EferBits {
    std::uint32_t features;
    std::uint64_t bits;
};
constexpr std::uint64_t kLme = bit(8), kLma = bit(10);
constexpr EferBits kEfer[] = {{1u << 11, bit(0)}, {1u << 29, kLme | kLma}, {1u << 20, bit(11)}, {1u << 25, bit(14)}};

template <class Table>
std::uint64_t allowed(const Table& table, std::uint32_t features) {
    std::uint64_t bits = 0;
    for (const auto& each : table)
        if ((features & each.features) != 0) bits |= each.bits;
    return bits;
}

}  // namespace

HvmHeader HvmHeader::of_host() {
    constexpr std::uint32_t kMagic = 0x54381286, kVersion = 1;
    return {kMagic, kVersion, ~0ull, system_policy(SystemPolicy::raw).basic[1].a, kTscKhz};
}

hvm_hw_cpu fresh_cpu(const vcpu_guest_context_t* context) {
    hvm_hw_cpu cpu{};
    cpu.cr0 = kExtensionType;
    constexpr std::uint64_t kDr6 = 0xffff0ff0, kDr7 = 0x400, kFlags = 2;
    cpu.dr6 = kDr6;
    cpu.dr7 = kDr7;
    cpu.rflags = kFlags;
    if (!context) return cpu;
    const auto& r = context->user_regs;
    cpu.rax = r.rax, cpu.rbx = r.rbx, cpu.rcx = r.rcx, cpu.rdx = r.rdx;
    cpu.rbp = r.rbp, cpu.rsi = r.rsi, cpu.rdi = r.rdi, cpu.rsp = r.rsp;
    cpu.r8 = r.r8, cpu.r9 = r.r9, cpu.r10 = r.r10, cpu.r11 = r.r11;
    cpu.r12 = r.r12, cpu.r13 = r.r13, cpu.r14 = r.r14, cpu.r15 = r.r15;
    cpu.rip = r.rip;
    cpu.rflags = r.rflags | kFlags;
    cpu.cr0 = context->ctrlreg[0] | kExtensionType;
    cpu.cr2 = context->ctrlreg[2];
    cpu.cr3 = context->ctrlreg[3];
    cpu.cr4 = context->ctrlreg[4];
    return cpu;
}

hvm_hw_lapic fresh_lapic(std::uint32_t vcpu) {
    hvm_hw_lapic lapic{};
    constexpr std::uint64_t kBase = 0xfee00000, kEnabled = 0x800, kBootProcessor = 0x100;
    lapic.apic_base_msr = kBase | kEnabled | (vcpu == 0 ? kBootProcessor : 0);
    constexpr std::uint32_t kDisabledBySoftware = 2, kDivisor = 2;
    lapic.disabled = kDisabledBySoftware;
    lapic.timer_divisor = kDivisor;
    return lapic;
}

hvm_hw_lapic_regs fresh_lapic_registers(std::uint32_t vcpu) {
    hvm_hw_lapic_regs registers{};
    const auto set = [&](std::size_t at, std::uint32_t value) {
        std::memcpy(registers.data + at, &value, sizeof value);
    };
    constexpr std::size_t kId = 0x20, kVersion = 0x30, kFormat = 0xe0, kSpurious = 0xf0, kFirstLocal = 0x320,
                          kLastLocal = 0x370;
    set(kId, vcpu * 2 << 24);
    set(kVersion, 0x50014);
    set(kFormat, ~0u);
    set(kSpurious, 0xff);
    constexpr std::uint32_t kMasked = 0x10000;
    for (std::size_t at = kFirstLocal; at <= kLastLocal; at += 0x10) set(at, kMasked);
    return registers;
}

hvm_hw_mtrr fresh_mtrr() {
    hvm_hw_mtrr mtrr{};
    constexpr std::uint64_t kPat = 0x0007040600070406, kCapabilities = 0x508;
    mtrr.msr_pat_cr = kPat;
    mtrr.msr_mtrr_cap = kCapabilities;
    return mtrr;
}

hvm_vmce_vcpu fresh_vmce() {
    hvm_vmce_vcpu vmce{};
    // Two banks.
    vmce.caps = 2;
    return vmce;
}

bool acceptable(const hvm_hw_cpu& cpu, const Domain& d) {
    const Features has = policy_of(d).features();
    const bool paging = (cpu.cr0 & kPaging) != 0;
    if (cpu.pad0 != 0 || (cpu.cr0 & ~kCr0) != 0 || (cpu.cr0 & kExtensionType) == 0) return false;
    if (paging && (cpu.cr0 & kProtected) == 0) return false;
    if ((cpu.cr4 & ~allowed(kCr4, has[0])) != 0) return false;
    if ((cpu.msr_efer & ~allowed(kEfer, has[2])) != 0) return false;
    if ((cpu.msr_efer & kLma) != 0 && ((cpu.msr_efer & kLme) == 0 || !paging)) return false;
    if (cpu.cr3 >> (policy_of(d).extended[8].a & 0xff) != 0) return false;
    if ((cpu.flags & ~XEN_X86_FPU_INITIALISED) != 0 || cpu.msr_tsc_aux >> 32 != 0) return false;
    if (cpu.pending_valid == 0) return true;
    constexpr unsigned kTypeMax = 4;
    return cpu.pending_type != 1 && cpu.pending_type <= kTypeMax && cpu.pending_reserved == 0 &&
           (cpu.pending_error_valid == 0 || cpu.error_code >> 16 == 0);
}

bool acceptable(const hvm_hw_lapic& lapic) {
    constexpr std::uint64_t kEnabled = 0x800, kX2apic = 0x400;
    return (lapic.apic_base_msr & kEnabled) != 0 || (lapic.apic_base_msr & kX2apic) == 0;
}

bool acceptable(const hvm_hw_mtrr& mtrr) { return (mtrr.msr_mtrr_cap & 0xff) <= std::size(mtrr.msr_mtrr_var) / 2; }

bool acceptable(const hvm_vmce_vcpu& vmce) {
    // How many banks, and that they are controlled; AMD's guests have no more.
    constexpr std::uint64_t kCount = 0xff, kControl = 0x100;
    return (vmce.caps & ~kCount & ~kControl) == 0;
}

std::int64_t check_msrs(std::span<const std::byte> data) {
    constexpr std::size_t kHead = 8;
    if (data.size() < kHead + sizeof(NumberedMsr)) return -error(Errno::inval);
    std::uint32_t count = 0;
    std::memcpy(&count, data.data(), sizeof count);
    if (data.size() != kHead + count * sizeof(NumberedMsr)) return -error(Errno::opnotsupp);
    for (std::uint32_t i = 0; i < count; ++i) {
        NumberedMsr one;
        std::memcpy(&one, data.data() + kHead + i * sizeof one, sizeof one);
        if (one.flags != 0) return -error(Errno::opnotsupp);
    }
    // Of those that Xen would send a guest has none on this processor.
    return -error(Errno::nxio);
}

hvm_hw_cpu as_loaded(hvm_hw_cpu cpu) {
    if ((cpu.flags & XEN_X86_FPU_INITIALISED) == 0) std::ranges::fill(cpu.fpu_regs, std::uint8_t{0});
    cpu.pending_event = 0;
    cpu.error_code = 0;
    return cpu;
}

hvm_hw_mtrr as_saved(hvm_hw_mtrr mtrr) {
    const std::size_t ranges = mtrr.msr_mtrr_cap & 0xff;
    for (std::size_t i = 0; i < std::size(mtrr.msr_mtrr_var) / 2; ++i)
        for (std::size_t half = 0; half < 2; ++half)
            mtrr.msr_mtrr_var[i * 2 + half] = i < ranges ? mtrr.msr_mtrr_var[half] : 0;
    return mtrr;
}

}  // namespace xenrig::hypervisor
