#include "sim/hypervisor/domain.h"

#include "sim/hypervisor/cpu_policy.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/hvm_context.h"
#include "sim/hypervisor/shared_words.h"

namespace xenrig::hypervisor {

namespace {

/// What libxl gives a domain's paging pool: 1 MiB a vCPU, and two pages for each of its memory's.
std::uint64_t physmap_nodes(const DomainConfig& config) {
    constexpr std::uint64_t kPerVcpu = 256, kFramesPerNode = 128;
    return config.vcpus * kPerVcpu + config.max_frames / kFramesPerNode;
}

}  // namespace

Domain::Domain(Host& owner, DomId number, const DomainConfig& settings, Mfn shared)
    : host(owner),
      id(number),
      config(settings),
      share{.weight = settings.weight, .cap = settings.cap},
      shared_info_mfn(shared),
      shared_info(owner.memory.page(shared)),
      max_frames(settings.max_frames),
      physmap(physmap_nodes(settings)),
      pod(owner, *this),
      events(owner, *this, settings.first_port),
      grants(owner, *this),
      pirqs(owner, *this) {
    params[HVM_PARAM_TRIPLE_FAULT_REASON] = SHUTDOWN_reboot;
}

void Domain::make_vcpus() {
    vcpus.reserve(config.vcpus);
    for (auto v = static_cast<std::uint32_t>(vcpus.size()); v < config.vcpus; ++v)
        vcpus.push_back(std::make_unique<Vcpu>(host, *this, VcpuId{v}));
}

Domain::~Domain() = default;

std::byte* Domain::page(Gfn gfn) {
    PhysmapEntry entry = physmap.at(gfn);
    if (entry.type == PageType::pod) [[unlikely]] {
        const InHypervisor inside(host.machine);
        entry = host.look_up(*this, gfn);
    }
    return entry ? host.memory.page(entry.frame()) : nullptr;
}

void Domain::mark_dirty(Gfn gfn) {
    if (dirty.enabled() && physmap.at(gfn).own()) dirty.mark(gfn);
}

const SharedLayout& Domain::layout() const { return shared_layout(config.bits); }

void Domain::wake_pollers(Port port) {
    if (vcpus_polling == 0) return;
    for (const auto& v : vcpus)
        if (v->polls == Vcpu::Poll::any || (v->polls == Vcpu::Poll::one && v->polled_port == port)) v->unblock();
}

}  // namespace xenrig::hypervisor
