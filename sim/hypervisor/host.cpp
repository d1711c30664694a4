// Domains by number, and the frames that they own.
#include "sim/hypervisor/host.h"

#include "sim/hypervisor/answer.h"
#include "sim/hypervisor/xen_abi.h"
#include "xenrig/abi/check.h"

namespace xenrig::hypervisor {

Host::Host(Machine& under, HostConfig settings)
    : machine(under),
      config(std::move(settings)),
      memory(config.frames, config.first_mfn),
      processors(*this, config.cpus),
      cpupools(config.cpus),
      next_domid_(config.first_domid) {}

Host::~Host() {
    observer = nullptr;
    listener = nullptr;
    processors.stop();
    for (const auto& d : all_)
        for (const auto& v : d->vcpus) {
            cancel_timers(*v);
            processors.detach(*v);
        }
}

Domain* Host::find_any(DomId dom, Domain& self) const { return dom.value == DOMID_SELF ? &self : find(dom); }

Result<DomId> Host::free_domid() {
    DomId dom = next_domid_;
    for (unsigned tries = 0; tries < DOMID_FIRST_RESERVED; ++tries) {
        if (dom.value == 0 || dom.value >= DOMID_FIRST_RESERVED) dom = DomId{1};
        const DomId next{static_cast<std::uint16_t>(dom.value + 1)};
        if (!find(dom)) {
            next_domid_ = next;
            return dom;
        }
        dom = next;
    }
    return fail(Errno::nomem, "every domid is taken");
}

Result<DomId> Host::create(const DomainConfig& settings) {
    constexpr unsigned kVcpusMax = 128;
    if (settings.vcpus == 0 || settings.vcpus > kVcpusMax) return fail(Errno::inval, "a domain has 1 to 128 vCPUs");
    if (settings.bits != 32 && settings.bits != 64) return fail(Errno::inval, "a domain has 32 or 64 bits");
    if (settings.max_grant_frames == 0) return fail(Errno::inval, "a domain has at least one grant frame");
    if (settings.first_port.value == 0 || settings.first_port.value >= settings.bits * settings.bits)
        return fail(Errno::inval, "the first port is one that the layout has, and not 0");
    const auto dom = settings.privileged && !find(DomId{0}) ? Result<DomId>{DomId{0}} : free_domid();
    if (!dom) return dom;
    if (const auto made = create_as(*dom, settings, true); !made) return std::unexpected(made.error());
    return *dom;
}

Result<> Host::create_as(DomId dom, const DomainConfig& settings, bool with_vcpus) {
    const auto shared = memory.allocate(dom, FrameKind::special);
    if (!shared) return fail(Errno::nomem, "no frame is left for shared_info");
    Domain& d = *all_.emplace_back(std::make_unique<Domain>(*this, dom, settings, *shared));
    if (with_vcpus) d.make_vcpus();
    if (observer) observer->frame_allocated(*shared, d.id);
    if (!d.grants.init()) {
        d.life = Life::dead;
        d.grants.release_frames();
        put_frame(*shared);
        return fail(Errno::nomem, "no frame is left for the grant table");
    }
    listed_.set(d.id, &d);
    last_.set(d.id, &d);
    if (settings.privileged && !control_) control_ = &d;
    for (const auto& v : d.vcpus) {
        if (settings.vcpus_up == 0 || v->id.value < settings.vcpus_up) continue;
        v->up = v->initialised = false;
        hold(*v);
    }
    // Built while it can't run; its builder lets it go.
    pause(d);
    if (observer) observer->domain_created(d.id);
    return {};
}

std::vector<DomId> Host::domains() const {
    std::vector<DomId> found;
    listed_.for_each([&](const Domain& d) { found.push_back(d.id); });
    return found;
}

void Host::displace(Domain& d, PhysmapEntry before) {
    if (!before) return;
    if (before.type == PageType::pod) return d.pod.replaced();
    memory.set_gfn(before.frame(), kNoGfn);
    if (before.type == PageType::ram) d.unplaced.push_back(before.frame());
}

void Host::put_frame(Mfn mfn) {
    const DomId owner = memory.owner(mfn);
    const FrameKind kind = memory.kind(mfn);
    const bool freed = memory.put(mfn);
    if (freed && observer) [[unlikely]]
        observer->frame_freed(mfn, owner);
    Domain* d = find(owner);
    if (freed && kind == FrameKind::ram) {
        check(d != nullptr && d->frames != 0, "a domain is listed as long as it owns a frame");
        --d->frames;
    }
    if (d && d->life == Life::released) [[unlikely]]
        finish_if_unused(*d);
}

void Host::set_physmap(Domain& d, Gfn gfn, Mfn mfn, PageType type) {
    check(d.physmap.set(gfn, mfn, type), "who maps a gfn has checked that it can be");
    if (observer) [[unlikely]]
        observer->physmap_changed(d.id, gfn, type == PageType::pod ? Mfn{~0ull} : mfn);
}

void Host::clear_physmap(Domain& d, Gfn gfn) {
    d.physmap.clear(gfn);
    if (observer) [[unlikely]]
        observer->physmap_changed(d.id, gfn, Mfn{~0ull});
}

PhysmapEntry Host::look_up(Domain& d, Gfn gfn) const {
    const PhysmapEntry entry = d.physmap.at(gfn);
    if (entry.type != PageType::pod) [[likely]]
        return entry;
    return d.pod.populate(gfn) ? d.physmap.at(gfn) : PhysmapEntry{};
}

std::optional<Mfn> Host::guest_frame(Domain& d, std::uint64_t gmfn) const {
    if (d.translated()) {
        const PhysmapEntry entry = look_up(d, Gfn{gmfn});
        return entry.own() ? std::optional{entry.frame()} : std::nullopt;
    }
    const Mfn mfn{gmfn};
    return memory.allocated(mfn) && memory.owner(mfn) == d.id ? std::optional{mfn} : std::nullopt;
}

void Host::mark_unseen_writes(Domain& d) {
    d.grants.mark_writable_dirty();
    for (const Mfn mfn : d.events.frames()) mark_dirty(d, mfn);
    if (const auto mfn = d.pirqs.eoi_frame()) mark_dirty(d, *mfn);
    for (const auto& v : d.vcpus)
        if (v->info_frame) mark_dirty(d, *v->info_frame);
}

void Host::send_global_virq(std::uint32_t virq) {
    Domain* to = virq_handlers[virq] ? virq_handlers[virq] : control_;
    if (to && !to->dying()) to->events.raise_virq(VcpuId{0}, virq);
}

void Host::state_changed(Domain& d) {
    send_global_virq(VIRQ_DOM_EXC);
    if (listener) listener(d.id);
}

}  // namespace xenrig::hypervisor
