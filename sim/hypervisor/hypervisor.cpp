#include "sim/hypervisor/hypervisor.h"

#include <numeric>
#include <utility>

#include "sim/hypervisor/answer.h"
#include "sim/hypervisor/dispatch.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/hvm_param.h"
#include "sim/hypervisor/linear_access.h"
#include "sim/hypervisor/linear_space.h"
#include "sim/hypervisor/xen_abi.h"
#include "xenrig/abi/check.h"
#include "xenrig/shared/raw.h"

namespace xenrig::hypervisor {

namespace {

std::unexpected<Error> no_domain(DomId dom) {
    return fail(Errno::srch, "there is no domain " + std::to_string(dom.value));
}

Result<> result_of(std::int64_t answer, const char* what) {
    if (answer < 0) return fail(static_cast<Errno>(-answer), what);
    return {};
}

}  // namespace

std::uint64_t HypercallCounts::total() const {
    return std::accumulate(by_number.begin(), by_number.end(), std::uint64_t{0});
}

Hypervisor::Hypervisor(Machine& machine, HostConfig config)
    : host_(std::make_unique<Host>(machine, std::move(config))) {}

Hypervisor::~Hypervisor() = default;

const HostConfig& Hypervisor::config() const { return host_->config; }
Machine& Hypervisor::machine() const { return host_->machine; }
MachineMemory& Hypervisor::memory() { return host_->memory; }

Result<DomId> Hypervisor::create_domain(const DomainConfig& config) {
    const InHypervisor inside(host_->machine);
    return host_->create(config);
}

Result<> Hypervisor::kill_domain(DomId dom) {
    const InHypervisor inside(host_->machine);
    Domain* d = host_->find(dom);
    if (!d) return no_domain(dom);
    host_->kill(*d);
    return {};
}

Result<> Hypervisor::destroy_domain(DomId dom) {
    const InHypervisor inside(host_->machine);
    Domain* d = host_->find(dom);
    if (!d) return no_domain(dom);
    host_->release(*d);
    return {};
}

std::vector<DomId> Hypervisor::domains() const {
    const InHypervisor inside(host_->machine);
    return host_->domains();
}

Result<DomainInfo> Hypervisor::info(DomId dom) const {
    const InHypervisor inside(host_->machine);
    const Domain* d = host_->find(dom);
    if (!d) return no_domain(dom);
    return DomainInfo{.id = d->id,
                      .name = d->config.name,
                      .type = d->config.type,
                      .bits = d->config.bits,
                      .vcpus = d->config.vcpus,
                      .dying = d->dying(),
                      .shut_down = d->shut_down,
                      .shutdown_reason = d->shutdown_reason,
                      .pauses = d->pauses,
                      .frames = d->frames,
                      .max_frames = d->max_frames,
                      .target = d->target ? std::optional{d->target->id} : std::nullopt};
}

bool Hypervisor::alive(DomId dom) const {
    const InHypervisor inside(host_->machine);
    const Domain* d = host_->find(dom);
    return d && !d->dying();
}

DomId Hypervisor::control_domain() const {
    const Domain* control = host_->control();
    return control ? control->id : DomId{DOMID_INVALID};
}

namespace {

Domain& ever(const Host& host, DomId dom) {
    Domain* d = host.last(dom);
    check(d != nullptr, "only a domain that was created is asked for");
    return *d;
}

Vcpu& ever(const Host& host, DomId dom, VcpuId vcpu) {
    Vcpu* v = ever(host, dom).vcpu(vcpu);
    check(v != nullptr, "only a vCPU that the domain has is asked for");
    return *v;
}

}  // namespace

void Hypervisor::attach_vcpu(DomId dom, VcpuId vcpu, Cpu& cpu) {
    const InHypervisor inside(host_->machine);
    host_->attach(ever(*host_, dom, vcpu), cpu);
}

void Hypervisor::detach_vcpu(DomId dom, VcpuId vcpu) {
    const InHypervisor inside(host_->machine);
    host_->detach(ever(*host_, dom, vcpu));
}

Hypercalls& Hypervisor::hypercalls(DomId dom, VcpuId vcpu) {
    const InHypervisor inside(host_->machine);
    return ever(*host_, dom, vcpu);
}

Hypercalls& Hypervisor::linear_hypercalls(DomId dom, VcpuId vcpu) {
    const InHypervisor inside(host_->machine);
    return ever(*host_, dom, vcpu).linear_calls();
}

Interrupts& Hypervisor::interrupts(DomId dom, VcpuId vcpu) {
    const InHypervisor inside(host_->machine);
    return ever(*host_, dom, vcpu);
}

AddressSpace& Hypervisor::address_space(DomId dom) {
    const InHypervisor inside(host_->machine);
    return ever(*host_, dom);
}

PvAddressSpace& Hypervisor::linear_space(DomId dom, std::uint64_t base) {
    const InHypervisor inside(host_->machine);
    Domain& d = ever(*host_, dom);
    check(!d.translated(), "only a PV guest has page tables that the hypervisor knows");
    if (!d.linear) d.linear = std::make_unique<LinearSpace>(d, base);
    check(d.linear->base() == base, "a guest's kernel is linked to one address");
    return *d.linear;
}

VcpuTimes Hypervisor::vcpu_times(DomId dom, VcpuId vcpu) const {
    const InHypervisor inside(host_->machine);
    const RunStates& states = ever(*host_, dom, vcpu).runstates;
    const vcpu_runstate_info_t info = states.info(host_->machine.now());
    return {.spent = {info.time[0], info.time[1], info.time[2], info.time[3]},
            .entered = states.entered(),
            .preempted = states.preempted()};
}

std::int64_t Hypervisor::hypercall(DomId dom, VcpuId vcpu, GuestAccess& guest, unsigned number,
                                   const HypercallArgs& args) {
    return dispatch(ever(*host_, dom, vcpu), guest, number, args);
}

std::unique_ptr<GuestAccess> Hypervisor::linear_access(DomId dom, VcpuId vcpu) {
    return std::make_unique<LinearAccess>(ever(*host_, dom, vcpu));
}

bool Hypervisor::upcall_pending(DomId dom, VcpuId vcpu) const {
    const Domain* d = host_->last(dom);
    const Vcpu* v = d && !d->dying() ? d->vcpu(vcpu) : nullptr;
    return v && v->upcall_pending();
}

Result<> Hypervisor::populate(DomId dom, Gfn first, std::uint64_t count) {
    const InHypervisor inside(host_->machine);
    Domain* d = host_->find(dom);
    if (!d) return no_domain(dom);
    for (std::uint64_t i = 0; i < count; ++i)
        if (!host_->give_frame(*d, Gfn{first.value + i}))
            return fail(Errno::nomem, "domain " + std::to_string(dom.value) + " got " + std::to_string(i) + " of " +
                                          std::to_string(count) + " frames: raise its max_frames or the host's frames");
    return {};
}

Result<Mfn> Hypervisor::lookup(DomId dom, Gfn gfn) const {
    const InHypervisor inside(host_->machine);
    const Domain* d = host_->find(dom);
    if (!d) return no_domain(dom);
    const PhysmapEntry entry = d->physmap.at(gfn);
    if (!entry || entry.type == PageType::pod)
        return fail(Errno::noent, "nothing is at gfn " + std::to_string(gfn.value));
    return entry.frame();
}

std::vector<Gfn> Hypervisor::ram(DomId dom) const {
    const InHypervisor inside(host_->machine);
    std::vector<Gfn> found;
    if (const Domain* d = host_->find(dom))
        d->physmap.for_each([&](Gfn gfn, PhysmapEntry entry) {
            if (entry.type == PageType::ram) found.push_back(gfn);
        });
    return found;
}

Result<> Hypervisor::enable_log_dirty(DomId dom) {
    const InHypervisor inside(host_->machine);
    Domain* d = host_->find(dom);
    if (!d) return no_domain(dom);
    // A store that a vCPU has under way must not land between the copy and the log (paging_log_dirty_enable).
    host_->pause(*d);
    d->dirty.enable();
    host_->mark_unseen_writes(*d);
    host_->unpause(*d);
    return {};
}

void Hypervisor::disable_log_dirty(DomId dom) {
    const InHypervisor inside(host_->machine);
    if (Domain* d = host_->find(dom)) d->dirty.disable();
}

std::vector<Gfn> Hypervisor::clean_dirty(DomId dom) {
    const InHypervisor inside(host_->machine);
    Domain* d = host_->find(dom);
    if (!d) return {};
    // As paging_log_dirty_op does.
    host_->pause(*d);
    std::vector<Gfn> found = d->dirty.clean();
    host_->mark_unseen_writes(*d);
    host_->unpause(*d);
    return found;
}

bool Hypervisor::written_by_peers(DomId dom, Gfn gfn) const {
    const InHypervisor inside(host_->machine);
    const Domain* d = host_->find(dom);
    if (!d) return false;
    const PhysmapEntry entry = d->physmap.at(gfn);
    return entry.type == PageType::ram && d->grants.mapped_writable(Mfn{entry.mfn});
}

bool Hypervisor::dirty(DomId dom, Gfn gfn) const {
    const InHypervisor inside(host_->machine);
    const Domain* d = host_->find(dom);
    return d && d->dirty.marked(gfn);
}

Result<> Hypervisor::pause(DomId dom) {
    const InHypervisor inside(host_->machine);
    Domain* d = host_->find(dom);
    if (!d) return no_domain(dom);
    host_->pause(*d);
    return {};
}

Result<> Hypervisor::unpause(DomId dom) {
    const InHypervisor inside(host_->machine);
    Domain* d = host_->find(dom);
    if (!d) return no_domain(dom);
    if (d->pauses == 0) return fail(Errno::inval, "domain " + std::to_string(dom.value) + " is not paused");
    host_->unpause(*d);
    return {};
}

Result<> Hypervisor::resume(DomId dom) {
    const InHypervisor inside(host_->machine);
    Domain* d = host_->find(dom);
    if (!d) return no_domain(dom);
    // domain_resume() of a domain that is not shut down does nothing.
    if (d->shut_down) host_->resume(*d);
    return {};
}

Result<> Hypervisor::resume_elsewhere(DomId dom) {
    const InHypervisor inside(host_->machine);
    Domain* d = host_->find(dom);
    if (!d) return no_domain(dom);
    if (!d->shut_down) return fail(Errno::inval, "only a suspended domain's guest can live on elsewhere");
    host_->resume_elsewhere(*d);
    return {};
}

void Hypervisor::on_state_change(std::function<void(DomId)> listener) { host_->listener = std::move(listener); }

Result<> Hypervisor::set_param(DomId dom, unsigned index, std::uint64_t value) {
    const InHypervisor inside(host_->machine);
    Domain* d = host_->find(dom);
    if (!d) return no_domain(dom);
    return result_of(set_hvm_param(*d, {}, index, value), "no such parameter for this type of guest");
}

Result<std::uint64_t> Hypervisor::get_param(DomId dom, unsigned index) const {
    const InHypervisor inside(host_->machine);
    const Domain* d = host_->find(dom);
    if (!d) return no_domain(dom);
    std::uint64_t value = 0;
    const auto result = result_of(get_hvm_param(*d, {}, index, value), "no such parameter for this type of guest");
    if (!result) return std::unexpected(result.error());
    return value;
}

Result<Port> Hypervisor::alloc_unbound(DomId dom, DomId remote) {
    const InHypervisor inside(host_->machine);
    Domain* d = host_->find(dom);
    if (!d) return no_domain(dom);
    Port port{};
    const auto result = result_of(d->events.alloc_unbound(remote, port), "the domain has no free port");
    if (!result) return std::unexpected(result.error());
    return port;
}

Result<> Hypervisor::seed_grant(DomId dom, GrantRef ref, DomId to, Gfn frame) {
    const InHypervisor inside(host_->machine);
    Domain* d = host_->find(dom);
    if (!d) return no_domain(dom);
    const PhysmapEntry entry = d->physmap.at(frame);
    if (ref.value >= d->grants.entries() || !entry.own())
        return fail(Errno::inval,
                    "a seeded grant has an entry in the first grant frame and a frame of the domain's own");
    grant_entry_v1_t seed{};
    seed.flags = GTF_permit_access;
    seed.domid = to.value;
    seed.frame = static_cast<std::uint32_t>(d->translated() ? frame.value : entry.frame().value);
    shared::raw::copy_to_page(d->grants.entry(ref), reinterpret_cast<const std::byte*>(&seed), sizeof seed);
    return {};
}

Result<> Hypervisor::raise_interrupt(unsigned gsi) {
    const InHypervisor inside(host_->machine);
    if (!MachineInterrupts::is_line(gsi))
        return fail(Errno::inval,
                    "the machine's interrupt lines are 0 to " + std::to_string(MachineInterrupts::kLines - 1));
    host_->interrupts.raise(static_cast<Irq>(gsi));
    return {};
}

std::byte* Hypervisor::shared_info(DomId dom) {
    const Domain* d = host_->find(dom);
    return d ? d->shared_info : nullptr;
}

std::string Hypervisor::take_console(DomId dom) {
    const InHypervisor inside(host_->machine);
    return std::exchange(ever(*host_, dom).console, {});
}

void Hypervisor::set_fault(HypercallFault fault) { host_->fault = std::move(fault); }

void Hypervisor::set_observer(Observer* observer) { host_->observer = observer; }
const HypercallCounts& Hypervisor::counts() const { return host_->counts; }
const HypercallCounts& Hypervisor::counts(DomId dom) const { return ever(*host_, dom).counts; }

}  // namespace xenrig::hypervisor
