// A live migration, as libxl and libxc do one: pre-copy under a dirty log, suspend, the last copy, and the domain's new
// life elsewhere.
//
// The old backends end before the new domain runs: an old write that is still under way then would land on top of a
// newer one. On a real host the hotplug script's sharing check and the device teardown keep the two apart.

#include <algorithm>

#include "sim/toolstack/guest_image.h"
#include "sim/toolstack/toolstack.h"

namespace xenrig::toolstack {

Result<DomId> Migration::run() {
    Host& source = from.host();
    Host& target = to.host();
    hypervisor::Hypervisor& xen = source.xen();

    if (spec.type == hypervisor::GuestType::pv)
        return fail(Errno::opnotsupp, "guest '" + spec.name + "' is a PV guest, which can't be moved");
    std::vector<std::byte> image;
    GuestSaver saver(source, domain,
                     [&](std::span<const std::byte> b) { image.insert(image.end(), b.begin(), b.end()); });
    if (auto logging = xen.enable_log_dirty(domain); !logging) return std::unexpected(logging.error());
    // All RAM once; what is written from here on is in the log.
    saver.copy(xen.ram(domain));

    if (auto suspended = from.suspend(domain); !suspended) {
        xen.disable_log_dirty(domain);
        return std::unexpected(suspended.error());
    }
    const std::vector<Gfn> dirty = xen.clean_dirty(domain);
    // Peers run on, and the log knows of their writes when they unmap.
    for (const Gfn gfn : saver.changed())
        if (!std::ranges::binary_search(dirty, gfn) && !xen.dirty(domain, gfn) && !xen.written_by_peers(domain, gfn))
            missed({gfn});
    saver.copy(dirty);
    saver.finish(spec.name);
    if (saved) saved(image);

    if (auto removed = from.remove_devices(domain); !removed) return std::unexpected(removed.error());
    const auto moved = to.build(spec);
    if (!moved) {
        (void)from.cancel_suspend(domain);
        return moved;
    }
    if (auto filled = restore_guest(target, *moved, image, spec.name); !filled) {
        (void)to.destroy(*moved);
        (void)from.cancel_suspend(domain);
        return std::unexpected(filled.error());
    }

    bind(target, *moved);
    if (auto resumed = xen.resume_elsewhere(domain); !resumed) return std::unexpected(resumed.error());
    if (auto gone = from.destroy(domain); !gone) return std::unexpected(gone.error());
    if (auto running = target.xen().unpause(*moved); !running) return std::unexpected(running.error());
    return *moved;
}

}  // namespace xenrig::toolstack
