// XEN_DOMCTL_createdomain: what a configuration must be (domain.c: sanitise_domain_config; x86/domain.c:
// arch_sanitise_domain_config, emulation_flags_ok; grant_table_init).
#include <cstring>

#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/domctl.h"
#include "sim/hypervisor/host.h"

namespace xenrig::hypervisor {

namespace {

constexpr std::uint32_t kKnownFlags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap | XEN_DOMCTL_CDF_s3_integrity |
                                      XEN_DOMCTL_CDF_oos_off | XEN_DOMCTL_CDF_xs_domain | XEN_DOMCTL_CDF_iommu |
                                      XEN_DOMCTL_CDF_nested_virt | XEN_DOMCTL_CDF_vpmu;
constexpr std::uint32_t kPvhEmulation = XEN_X86_EMU_LAPIC;
constexpr std::uint32_t kHvmEmulation = XEN_X86_EMU_ALL & ~XEN_X86_EMU_VPCI;

bool sane(const xen_domctl_createdomain& c) {
    const bool hvm = (c.flags & XEN_DOMCTL_CDF_hvm) != 0, hap = (c.flags & XEN_DOMCTL_CDF_hap) != 0;
    constexpr std::uint32_t kHvmVcpus = 128, kPvVcpus = 8192;
    // No IOMMU, performance counters, tboot, nested virtualisation or trace buffers on this host.
    constexpr std::uint32_t kMissing =
        XEN_DOMCTL_CDF_s3_integrity | XEN_DOMCTL_CDF_iommu | XEN_DOMCTL_CDF_nested_virt | XEN_DOMCTL_CDF_vpmu;
    if ((c.flags & ~kKnownFlags) != 0 || (c.flags & kMissing) != 0) return false;
    // It has HAP and no shadow page tables.
    if (hvm != hap && !(hvm && !hap)) return false;
    return c.iommu_opts == 0 && c.vmtrace_size == 0 && c.max_vcpus != 0 &&
           c.max_vcpus <= (hvm ? kHvmVcpus : kPvVcpus) &&
           (c.arch.misc_flags & ~std::uint32_t{XEN_X86_MISC_FLAGS_MAX}) == 0;
}

bool emulation_fits(const xen_domctl_createdomain& c) {
    const std::uint32_t flags = c.arch.emulation_flags;
    if ((c.flags & XEN_DOMCTL_CDF_hvm) == 0) return flags == 0 || flags == XEN_X86_EMU_PIT;
    // Without HAP it would need shadow page tables.
    return (c.flags & XEN_DOMCTL_CDF_hap) != 0 && (flags == kPvhEmulation || flags == kHvmEmulation);
}

/// Below zero: the hypervisor's own limit. Nothing when it is more than that, or none.
bool limit(std::int32_t asked, unsigned most, unsigned& limit) {
    limit = asked < 0 ? most : static_cast<unsigned>(asked);
    return limit <= most;
}

}  // namespace

std::int64_t create_domain(Domctl& d) {
    Host& host = d.call.host;
    const xen_domctl_createdomain& c = d.op.u.createdomain;
    DomId dom{d.op.domain};
    if (dom.value != 0 && dom.value < DOMID_FIRST_RESERVED) {
        if (host.find(dom)) return -error(Errno::exist);
    } else {
        // A number is used up even if nothing comes of it.
        const auto free = host.free_domid();
        if (!free) return -error(Errno::nomem);
        dom = *free;
    }
    if (!sane(c)) return -error(Errno::inval);

    DomainConfig config;
    config.name = "domain " + std::to_string(dom.value);
    const bool hvm = (c.flags & XEN_DOMCTL_CDF_hvm) != 0;
    config.type = !hvm ? GuestType::pv : c.arch.emulation_flags == kPvhEmulation ? GuestType::pvh : GuestType::hvm;
    config.vcpus = c.max_vcpus;
    config.max_frames = 0;
    const unsigned version = XEN_DOMCTL_GRANT_version(c.grant_opts);
    constexpr unsigned kGrantFramesMax = 64, kMaptrackFramesMax = 1024;
    if (!emulation_fits(c)) return -error(Errno::opnotsupp);
    if (version == 0 || version > 2 || !limit(c.max_grant_frames, kGrantFramesMax, config.max_grant_frames) ||
        config.max_grant_frames == 0 || !limit(c.max_maptrack_frames, kMaptrackFramesMax, config.max_maptrack_frames))
        return -error(Errno::inval);
    const Cpupools::Pool* pool = host.cpupools.find(c.cpupool_id);
    if (!pool) return -error(Errno::srch);
    if (pool->processors == 0) return -error(Errno::nodev);

    const auto made = host.create_as(dom, config, false);
    if (!made) return -error(made.error().code);
    Domain& created = *host.find(dom);
    std::memcpy(created.handle.data(), c.handle, created.handle.size());
    created.xenstore = (c.flags & XEN_DOMCTL_CDF_xs_domain) != 0;
    created.cpupool = c.cpupool_id;
    created.emulation = c.arch.emulation_flags;
    // Out of sync page tables are for guests with shadow ones.
    if (!hvm) d.op.u.createdomain.flags |= XEN_DOMCTL_CDF_oos_off;
    d.op.domain = dom.value;
    d.answered = true;
    return 0;
}

}  // namespace xenrig::hypervisor
