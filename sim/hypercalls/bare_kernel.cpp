#include "sim/hypercalls/bare_kernel.h"

#include "sim/hypercalls/kernel_access.h"
#include "sim/hypercalls/word_structs.h"
#include "sim/hypervisor/xen_abi.h"
#include "xenrig/abi/check.h"

namespace xenrig::hypercalls {

namespace {
constexpr std::uint64_t kPresentWritableUser = 7;
}

BareKernel::BareKernel(hypervisor::Hypervisor& host, DomId dom, const KernelKind& kind)
    : host_(host),
      dom_(dom),
      kind_(kind),
      memory_(std::make_unique<KernelAccess>(host.linear_access(dom, VcpuId{0}), kind.bits)) {
    if (!translated()) load_page_tables();
    const auto number = [](std::int64_t v) { return std::to_string(v); };
    opening_ = "@@START xen " + std::string(kind_.magic) + " privileged=" + (kind_.privileged ? '1' : '0') +
               " domid=" + number(dom_.value) + '\n';
    const std::int64_t shared = translated() ? add_to_physmap(kSharedInfo, XENMAPSPACE_shared_info, 0)
                                             : map_frame(kSharedInfo, frame_at(host_.shared_info(dom_)));
    opening_ += "map shared_info " + number(shared) + '\n';
    const auto [answer, status] = set_up_table();
    opening_ += "setup_table rc=" + number(answer) + " status=" + number(status) + '\n';
    std::uint64_t frame = 0;
    check(memory_->copy_from_guest(&frame, kList, kind_.bits / 8), "the list is in the kernel's memory");
    const std::int64_t grants =
        translated() ? add_to_physmap(kGrants, XENMAPSPACE_grant_table, 0) : map_frame(kGrants, Mfn{frame});
    opening_ += "map grant frame " + number(grants) + '\n';
}

BareKernel::~BareKernel() = default;

std::pair<std::int64_t, std::int64_t> BareKernel::set_up_table() {
    const auto ask = [this]<class Word>(Word) {
        SetupTable<Word> op{};
        op.dom = DOMID_SELF;
        op.nr_frames = 1;
        op.frame_list = static_cast<Word>(kList);
        const std::int64_t rc = call_on(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, op, 1);
        return std::pair<std::int64_t, std::int64_t>{rc, op.status};
    };
    return narrow() ? ask(std::uint32_t{}) : ask(std::uint64_t{});
}

std::int64_t BareKernel::add_to_physmap(std::uint64_t address, unsigned space, std::uint64_t index) {
    const auto ask = [&]<class Word>(Word) {
        AddToPhysmap<Word> op{DOMID_SELF, 0, space, static_cast<Word>(index), static_cast<Word>(address / kPageSize)};
        return call_on(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, op);
    };
    return narrow() ? ask(std::uint32_t{}) : ask(std::uint64_t{});
}

BareKernel::StatusFrames BareKernel::map_status_frame() {
    gnttab_get_status_frames_t op{};
    op.nr_frames = 1;
    op.dom = DOMID_SELF;
    op.frame_list.p = reinterpret_cast<std::uint64_t*>(kList);
    const std::int64_t rc = call_on(__HYPERVISOR_grant_table_op, GNTTABOP_get_status_frames, op, 1);
    StatusFrames answer{rc != 0 ? rc : op.status, 0};
    std::uint64_t frame = 0;
    if (answer.found == GNTST_okay)
        check(translated() || memory_->fetch(frame, kList), "the list is in the kernel's memory");
    answer.mapped = translated() ? add_to_physmap(kStatus, XENMAPSPACE_grant_table, XENMAPIDX_grant_table_status)
                                 : map_frame(kStatus, Mfn{frame});
    status_mapped_ = answer.mapped == 0;
    return answer;
}

void BareKernel::unmap_status_frame() {
    // A translated guest's goes from its physical memory with the frame.
    if (status_mapped_ && !translated()) update_va_mapping(kStatus, 0);
    status_mapped_ = false;
}

/// What start_info says of it.
Mfn BareKernel::frame_at(const std::byte* page) const {
    const hypervisor::MachineMemory& memory = host_.memory();
    const auto index = static_cast<std::uint64_t>(page - memory.pages().data()) / kPageSize;
    return Mfn{memory.first().value + index};
}

std::int64_t BareKernel::map_frame(std::uint64_t address, Mfn mfn) {
    return update_va_mapping(address, mfn.value * kPageSize | kPresentWritableUser);
}

std::int64_t BareKernel::update_va_mapping(std::uint64_t address, std::uint64_t entry) {
    if (narrow()) return call(__HYPERVISOR_update_va_mapping, address, entry & 0xffff'ffff, entry >> 32, UVMF_INVLPG);
    return call(__HYPERVISOR_update_va_mapping, address, entry, UVMF_INVLPG);
}

/// Of some it is in the struct that the first argument points to.
std::uint32_t BareKernel::operation_of(unsigned number, std::uint64_t first) {
    switch (number) {
        case __HYPERVISOR_domctl:
        case __HYPERVISOR_sysctl:
        case __HYPERVISOR_platform_op:
        case __HYPERVISOR_mmuext_op:
        case __HYPERVISOR_mmu_update: {
            std::uint32_t command = 0;
            if (!memory_->fetch(command, first)) return ~0u;
            return number == __HYPERVISOR_mmu_update ? command & 3 : command;
        }
        case __HYPERVISOR_memory_op:
            return first & 0x3f;
        case __HYPERVISOR_set_timer_op:
        case __HYPERVISOR_vm_assist:
        case __HYPERVISOR_multicall:
        case __HYPERVISOR_update_va_mapping:
        case __HYPERVISOR_update_va_mapping_otherdomain:
        case __HYPERVISOR_set_trap_table:
        case __HYPERVISOR_set_gdt:
        case __HYPERVISOR_update_descriptor:
        case __HYPERVISOR_set_segment_base:
        case __HYPERVISOR_stack_switch:
        case __HYPERVISOR_fpu_taskswitch:
        case __HYPERVISOR_set_debugreg:
        case __HYPERVISOR_get_debugreg:
        case __HYPERVISOR_dm_op:
        case __HYPERVISOR_xenpmu_op:
        case __HYPERVISOR_xsm_op:
        case __HYPERVISOR_arch_1:
        case __HYPERVISOR_event_channel_op_compat:
        case __HYPERVISOR_physdev_op_compat:
        case __HYPERVISOR_sched_op_compat:
        case __HYPERVISOR_arch_0:
        case __HYPERVISOR_kexec_op:
        case __HYPERVISOR_xenoprof_op:
            return 0;
        default:
            return static_cast<std::uint32_t>(first);
    }
}

std::int64_t BareKernel::call(unsigned number, std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d) {
    const std::uint64_t mask = narrow() ? 0xffff'ffff : ~0ull;
    const std::uint32_t operation = operation_of(number, a & mask);
    const std::int64_t answer =
        host_.hypercall(dom_, VcpuId{0}, *memory_, number, HypercallArgs{a & mask, b & mask, c & mask, d & mask, 0});
    asked_.push_back({number, operation, narrow() ? static_cast<std::int32_t>(answer) : answer});
    return asked_.back().answer;
}

std::int64_t BareKernel::call_on(unsigned number, unsigned operation, void* op, std::size_t bytes,
                                 std::uint64_t count) {
    check(memory_->copy_to_guest(kScratch, op, bytes), "the scratch page is the kernel's own");
    const std::int64_t answer = call(number, operation, kScratch, count);
    // An unmap may have been of this very page; then the kernel learns nothing any more.
    static_cast<void>(memory_->copy_from_guest(op, kScratch, bytes));
    return answer;
}

bool BareKernel::read(std::uint64_t address, void* to, std::size_t bytes) {
    return memory_->copy_from_guest(to, address, bytes);
}
bool BareKernel::write(std::uint64_t address, const void* from, std::size_t bytes) {
    return memory_->copy_to_guest(address, from, bytes);
}

bool BareKernel::can_go_on() {
    std::byte one{};
    return read(kScratch, &one, 1) && write(kScratch, &one, 1);
}

std::byte* BareKernel::page_frame(std::int64_t index) {
    const std::uint64_t address = page_address(index);
    if (translated()) return host_.address_space(dom_).page(Gfn{address / kPageSize});
    const Mfn mfn{frame_of(address)};
    return host_.memory().allocated(mfn) ? host_.memory().page(mfn) : nullptr;
}

std::uint64_t BareKernel::frame_of(std::uint64_t address) const {
    const std::uint64_t page = address / kPageSize;
    return translated() ? page : p2m_[page];
}

}  // namespace xenrig::hypercalls
