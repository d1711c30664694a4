#include "sim/hypervisor/vcpu.h"

#include "sim/hypervisor/dispatch.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/guest_access.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/linear_access.h"
#include "sim/hypervisor/shared_words.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

Vcpu::Vcpu(Host& owner, Domain& of, VcpuId number)
    : host(owner),
      domain(of),
      id(number),
      unit(of.share, *this),
      runstates(owner.machine.now()),
      info(number.value < XEN_LEGACY_MAX_VCPUS ? of.shared_info + number.value * kVcpuInfoBytes : own_info.data()) {}

Vcpu::~Vcpu() = default;

LinearCalls& Vcpu::linear_calls() {
    if (!linear_calls_) linear_calls_ = std::make_unique<LinearCalls>(*this);
    return *linear_calls_;
}

std::int64_t Vcpu::call(unsigned number, const HypercallArgs& args) {
    ProcessAccess guest;
    return dispatch(*this, guest, number, args);
}

void Vcpu::has_work(bool any) { host.processors.has_work(*this, any); }

void Vcpu::runner_ends() {
    host.processors.detach(*this);
    cpu = nullptr;
}

std::uint64_t Vcpu::number() const { return std::uint64_t{domain.id.value} << 16 | id.value; }

bool Vcpu::upcall_pending() const {
    return shared::raw::load<std::uint8_t>(info + kUpcallPending) != 0 &&
           shared::raw::load<std::uint8_t>(info + kUpcallMask) == 0;
}

void Vcpu::mark_events_pending() {
    if (shared::raw::rmw<std::uint8_t>(info + kUpcallPending, shared::Rmw::exchange, std::uint8_t{1},
                                       std::uint8_t{0}) != 0)
        return;
    unblock();
    if (cpu) cpu->kick();
}

void Vcpu::unblock() {
    if (polls != Poll::none) {
        polls = Poll::none;
        --domain.vcpus_polling;
    }
    cancel(poll_timer);
    if (blocked.exchange(false) && cpu) cpu->kick();
}

bool Vcpu::set_selector(unsigned bit) { return !test_and_set_bit(info + domain.layout().pending_sel, bit); }

void Vcpu::set_timer(OneShot& which, Nanoseconds deadline, std::function<void()> fire) {
    cancel(which);
    which.pending = host.machine.at(deadline, [this, &which, setting = which.setting, fire = std::move(fire)] {
        const InHypervisor inside(host.machine);
        if (which.setting != setting) return;
        which.pending.reset();
        fire();
    });
}

void Vcpu::cancel(OneShot& which) {
    if (which.pending) host.machine.cancel(*which.pending);
    which.pending.reset();
    ++which.setting;
}

void Vcpu::set_singleshot_timer(Nanoseconds deadline) {
    const auto fire = [this] { domain.events.raise_virq(id, VIRQ_TIMER); };
    if (deadline > host.machine.now()) return set_timer(singleshot_timer, deadline, fire);
    cancel(singleshot_timer);
    fire();
}

void Vcpu::clear_upcall_mask() { shared::raw::store<std::uint8_t>(info + kUpcallMask, 0); }

}  // namespace xenrig::hypervisor
