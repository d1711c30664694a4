// A live migration, as libxl and libxc do one: pre-copy under a dirty log, suspend, the last copy, and the domain's new
// life elsewhere.
//
// The old backends end before the new domain runs: an old write that is still under way then would land on top of a
// newer one. On a real host the hotplug script's sharing check and the device teardown keep the two apart.

#include <array>
#include <cstring>
#include <map>

#include "sim/toolstack/toolstack.h"
#include "xenrig/shared/raw.h"

extern "C" {
// xen.h first: the others lean on its types.
#include <xen/xen.h>

#include <xen/hvm/params.h>
}

namespace xenrig::toolstack {

namespace {

using Page = std::array<std::byte, kPageSize>;
using Pages = std::map<Gfn, Page>;

/// Frames copied before others may run.
constexpr std::size_t kBatch = 64;

void copy_frame(Host& host, DomId domain, Gfn gfn, Pages& pages) {
    if (const auto mfn = host.xen().lookup(domain, gfn))
        shared::raw::copy_from_page(host.xen().memory().page(*mfn), pages[gfn].data(), kPageSize);
}

bool unchanged(Host& host, DomId domain, Gfn gfn, const Page& copy) {
    const auto mfn = host.xen().lookup(domain, gfn);
    if (!mfn) return false;
    Page now;
    shared::raw::copy_from_page(host.xen().memory().page(*mfn), now.data(), kPageSize);
    return now == copy;
}

}  // namespace

Result<DomId> Migration::run() {
    Host& source = from.host();
    Host& target = to.host();
    hypervisor::Hypervisor& xen = source.xen();

    Pages pages;
    if (auto logging = xen.enable_log_dirty(domain); !logging) return std::unexpected(logging.error());
    // All RAM once; what is written from here on is in the log.
    for (const Gfn gfn : xen.ram(domain)) {
        copy_frame(source, domain, gfn, pages);
        if (pages.size() % kBatch == 0) scheduler->yield();
    }

    if (auto suspended = from.suspend(domain); !suspended) {
        xen.disable_log_dirty(domain);
        return std::unexpected(suspended.error());
    }
    for (const Gfn gfn : xen.clean_dirty(domain)) copy_frame(source, domain, gfn, pages);
    for (const Gfn gfn : xen.ram(domain)) {
        const auto copy = pages.find(gfn);
        if (copy == pages.end() || !unchanged(source, domain, gfn, copy->second)) missed({gfn});
    }

    if (auto removed = from.remove_devices(domain); !removed) return std::unexpected(removed.error());
    const auto moved = to.build(spec);
    if (!moved) {
        (void)from.cancel_suspend(domain);
        return moved;
    }
    for (const auto& [gfn, page] : pages)
        if (const auto mfn = target.xen().lookup(*moved, gfn))
            shared::raw::copy_to_page(target.xen().memory().page(*mfn), page.data(), kPageSize);

    bind(target, *moved);
    if (auto resumed = xen.resume_elsewhere(domain); !resumed) return std::unexpected(resumed.error());
    if (auto gone = from.destroy(domain); !gone) return std::unexpected(gone.error());
    if (auto running = target.xen().unpause(*moved); !running) return std::unexpected(running.error());
    return *moved;
}

}  // namespace xenrig::toolstack
