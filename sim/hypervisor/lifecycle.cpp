// Pause, shutdown, resume and death of a domain (domain.c: domain_shutdown, domain_resume, domain_kill,
// domain_destroy).
#include <algorithm>
#include <iterator>
#include <utility>

#include "sim/hypervisor/host.h"
#include "sim/hypervisor/mmu_op.h"
#include "sim/hypervisor/xen_abi.h"
#include "xenrig/abi/check.h"

namespace xenrig::hypervisor {

void Host::hold(Vcpu& v) {
    ++v.holds;
    if (v.cpu) v.cpu->pause();
    processors.settle(v);
}

void Host::let_go(Vcpu& v) {
    check(v.holds != 0, "a vCPU is let go as often as it was held");
    --v.holds;
    if (v.cpu) v.cpu->unpause();
    processors.settle(v);
}

void Host::attach(Vcpu& v, Cpu& cpu) {
    check(v.cpu == nullptr, "a vCPU has one runner");
    v.cpu = &cpu;
    for (unsigned i = 0; i < v.holds; ++i) cpu.pause();
    processors.attach(v, cpu);
}

void Host::detach(Vcpu& v) {
    processors.detach(v);
    Cpu* cpu = std::exchange(v.cpu, nullptr);
    if (!cpu) return;
    for (unsigned i = 0; i < v.holds; ++i) cpu->unpause();
}

void Host::pause(Domain& d) {
    if (d.pauses++ != 0) return;
    for (const auto& v : d.vcpus) hold(*v);
}

void Host::unpause(Domain& d) {
    if (--d.pauses != 0) return;
    d.creation_finished = true;
    for (const auto& v : d.vcpus) let_go(*v);
}

void Host::latch_shutdown_reason(Domain& d, unsigned reason) {
    if (!d.latched_reason) d.latched_reason = reason & 0xff;
}

void Host::shut_down(Domain& d, unsigned reason, Vcpu* caller) {
    latch_shutdown_reason(d, reason);
    if (d.shut_down || d.dying()) return;
    d.shut_down = true;
    d.shutdown_reason = *d.latched_reason;
    for (const auto& v : d.vcpus) {
        if (v.get() == caller)
            v->shutdown_over = false;
        else
            hold(*v);
    }
    if (observer) observer->domain_shut_down(d.id, d.shutdown_reason);
    state_changed(d);
}

void Host::end_shutdown(Domain& d, std::int64_t answer) {
    d.shut_down = false;
    d.latched_reason.reset();
    for (const auto& v : d.vcpus) {
        if (v->shutdown_over) {
            let_go(*v);
        } else {
            v->shutdown_answer = answer;
            v->shutdown_over = true;
            if (v->cpu) v->cpu->kick();
        }
    }
}

void Host::resume(Domain& d) {
    end_shutdown(d, 1);
    if (observer) observer->domain_resumed(d.id);
    if (listener) listener(d.id);
}

void Host::resume_elsewhere(Domain& d) {
    // The old domain never runs again: what holds it now holds an empty shell, not the runners that have moved on.
    const bool was_shut_down = d.shut_down;
    for (const auto& v : d.vcpus) {
        Cpu* cpu = v->cpu;
        detach(*v);
        v->shutdown_answer = 0;
        if (!v->shutdown_over.exchange(true)) {
            ++v->holds;
            if (cpu) cpu->kick();
        }
    }
    d.shut_down = was_shut_down;
}

void Host::cancel_timers(Vcpu& v) {
    v.cancel(v.poll_timer);
    v.cancel(v.periodic_timer);
    v.cancel(v.singleshot_timer);
    if (v.id == VcpuId{0})
        for (auto& watchdog : v.domain.watchdogs) v.cancel(watchdog.timer);
}

void Host::kill(Domain& d) {
    if (d.dying()) return;
    d.life = Life::dying;
    for (const auto& v : d.vcpus) {
        cancel_timers(*v);
        hold(*v);
    }
    if (observer) observer->domain_killed(d.id);
    if (listener) listener(d.id);
}

void Host::release(Domain& d) {
    kill(d);
    if (d.life != Life::dying) return;
    d.events.reset(true);
    d.pirqs.release();
    release_mappings(d);

    for (const auto& v : d.vcpus) {
        processors.detach(*v);
        v->runstate_area = {};
        v->time_area = {};
        v->cpu = nullptr;
        drop_page_tables(*v);
        v->info = v->own_info.data();
        if (v->info_frame) put_frame(*v->info_frame);
        v->info_frame.reset();
    }
    claim(d, 0);
    page_types.unpin_all(d);
    std::vector<Mfn> owned = std::move(d.unplaced);
    std::ranges::copy(d.pod.take_all(), std::back_inserter(owned));
    d.physmap.for_each([&](Gfn, PhysmapEntry entry) {
        if (entry.own()) memory.set_gfn(entry.frame(), kNoGfn);
        if (entry.type == PageType::ram || entry.type == PageType::foreign) owned.push_back(entry.frame());
    });
    d.physmap.reset();
    d.dirty.disable();
    for (const Mfn mfn : owned) put_frame(mfn);

    std::ranges::replace(virq_handlers, &d, static_cast<Domain*>(nullptr));
    d.life = Life::released;
    // DOMDYING_dead: all that could be freed is; whoever still maps one of its frames keeps the rest.
    state_changed(d);
    finish_if_unused(d);
}

void Host::finish_if_unused(Domain& d) {
    if (d.frames != 0 || d.targeted != 0 || memory.uses(d.shared_info_mfn) != 1) return;
    for (unsigned i = 0; i < d.grants.frames(); ++i)
        if (memory.uses(d.grants.frame(i)) != 1) return;
    for (unsigned i = 0; i < d.grants.status_frames(); ++i)
        if (memory.uses(d.grants.status_frame(i)) != 1) return;
    finish(d);
}

void Host::finish(Domain& d) {
    d.life = Life::dead;
    d.shared_info = nullptr;
    put_frame(d.shared_info_mfn);
    d.grants.release_frames();
    listed_.set(d.id, nullptr);
    if (control_ == &d) control_ = nullptr;
    if (observer) observer->domain_destroyed(d.id);
    state_changed(d);
    if (Domain* target = std::exchange(d.target, nullptr)) {
        --target->targeted;
        if (target->life == Life::released) finish_if_unused(*target);
    }
}

}  // namespace xenrig::hypervisor
