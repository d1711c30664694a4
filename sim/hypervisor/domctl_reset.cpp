// XEN_DOMCTL_soft_reset: a guest that has shut down to begin anew, as kexec does, in the same domain and memory
// (domain.c: domain_soft_reset; x86/domain.c: arch_domain_soft_reset).
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/domctl.h"
#include "sim/hypervisor/host.h"

namespace xenrig::hypervisor {

namespace {

/// What its old kernel registered is forgotten: areas that Xen writes into by itself.
void forget_areas(Host& host, Vcpu& v) {
    v.runstate_area = {};
    v.time_area = {};
    if (!v.info_frame) return;
    host.put_frame(*v.info_frame);
    v.info_frame.reset();
    v.info = v.own_info.data();
}

/// Ordinary memory takes the place of shared_info, which the new kernel maps where it likes.
std::int64_t replace_shared_info(Host& host, Domain& d) {
    const Gfn gfn = host.memory.gfn(d.shared_info_mfn);
    if (gfn == kNoGfn) return 0;
    host.clear_physmap(d, gfn);
    host.memory.set_gfn(d.shared_info_mfn, kNoGfn);
    return host.give_frame(d, gfn) ? 0 : -error(Errno::nomem);
}

}  // namespace

std::int64_t soft_reset(Domctl& d, bool goes_on) {
    Domain& domain = *d.domain;
    Host& host = d.call.host;
    if (&domain == &d.call.domain) return -error(Errno::inval);
    if (!domain.vcpus.empty() && !domain.shut_down) return -error(Errno::inval);
    // It is never preempted, so nothing goes on.
    if (goes_on) return -error(Errno::busy);
    domain.events.reset(true);
    for (const auto& v : domain.vcpus) forget_areas(host, *v);
    // Of HVM domains only.
    const std::int64_t result = domain.translated() ? replace_shared_info(host, domain) : -error(Errno::inval);
    if (result != 0)
        host.shut_down(domain, SHUTDOWN_crash, nullptr);
    else if (domain.shut_down)
        host.resume(domain);
    return result;
}

}  // namespace xenrig::hypervisor
