#include "sim/hypercalls/bare_kernel.h"

#include <string>

#include "sim/hypercalls/flat_access.h"
#include "xenrig/abi/check.h"
#include "xenrig/platform/machine.h"

namespace xenrig::hypercalls {

/// One caller, no processors, and a clock that stands.
class StillMachine final : public Machine {
public:
    Cpu& add_cpu(std::string) override {
        check_failed("nothing runs beside a bare kernel", std::source_location::current());
    }
    void remove_cpu(Cpu&) override {}
    Nanoseconds now() const override { return Nanoseconds{1'000'000}; }
    TimerId at(Nanoseconds, std::function<void()>) override { return TimerId{++timers_}; }
    bool cancel(TimerId) override { return true; }
    void enter_hypervisor() override {}
    void leave_hypervisor() override {}
    std::uint32_t pick(std::uint32_t, std::uint32_t) override { return 0; }
    std::uint32_t add_stream(std::string) override { return 0; }
    void trace(const char*, std::uint64_t, std::uint64_t, std::uint64_t) override {}

private:
    std::uint64_t timers_ = 0;
};

namespace {
/// dom0_mem=64M
constexpr std::uint64_t kFrames = 64ull << 20 >> 12;
}  // namespace

BareKernel::BareKernel()
    : machine_(std::make_unique<StillMachine>()),
      host_(std::make_unique<hypervisor::Hypervisor>(*machine_, hypervisor::HostConfig{})) {
    const auto dom = host_->create_domain(
        {.name = "dom0", .type = hypervisor::GuestType::pv, .max_frames = kFrames, .privileged = true});
    check(dom.has_value() && host_->populate(*dom, Gfn{0}, kFrames).has_value(), "a fresh host has room for dom0");
    check(host_->unpause(*dom).has_value(), "a domain is built paused");
    dom_ = *dom;
    memory_ = std::make_unique<FlatAccess>(host_->address_space(dom_));

    // setup_table fills in the frame's number behind the struct.
    gnttab_setup_table_t op{};
    constexpr std::uint64_t kList = kScratch + kPageSize / 2;
    op.dom = DOMID_SELF;
    op.nr_frames = 1;
    op.frame_list.p = reinterpret_cast<xen_pfn_t*>(kList);
    check(call_on(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, op, 1) == 0 && op.status == GNTST_okay,
          "a kernel finds its grant table");
    xen_pfn_t frame = 0;
    check(memory_->fetch(frame, kList), "the list is in the kernel's memory");
    grants_ = reinterpret_cast<grant_entry_v1_t*>(host_->memory().page(Mfn{frame}));
}

BareKernel::~BareKernel() = default;

std::int64_t BareKernel::call(unsigned number, std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d) {
    return host_->hypercall(dom_, VcpuId{0}, *memory_, number, HypercallArgs{a, b, c, d, 0});
}

std::int64_t BareKernel::call_on(unsigned number, unsigned operation, void* op, std::size_t bytes,
                                 std::uint64_t count) {
    check(memory_->copy_to_guest(kScratch, op, bytes), "the scratch page is the kernel's own");
    const std::int64_t answer = call(number, operation, kScratch, count);
    // An unmap may have been of this very page; then the kernel learns nothing any more.
    static_cast<void>(memory_->copy_from_guest(op, kScratch, bytes));
    return answer;
}

shared_info_t& BareKernel::shared_info() { return *reinterpret_cast<shared_info_t*>(host_->shared_info(dom_)); }

std::byte* BareKernel::at(std::uint64_t address) {
    std::byte* page = host_->address_space(dom_).page(Gfn{address / kPageSize});
    return page ? page + address % kPageSize : nullptr;
}

std::uint64_t BareKernel::machine_frame(std::uint64_t address) const {
    const auto mfn = host_->lookup(dom_, Gfn{address / kPageSize});
    return mfn ? mfn->value : ~0ull;
}

}  // namespace xenrig::hypercalls
