// A live migration, as libxl and libxc do one: pre-copy under a dirty log, suspend, the last copy, and the domain's new
// life elsewhere.
//
// The old backends end before the new domain runs: an old write that is still under way then would land on top of a
// newer one. On a real host the hotplug script's sharing check and the device teardown keep the two apart.

#include <algorithm>

#include "sim/toolstack/guest_image.h"
#include "sim/toolstack/pv_restore.h"
#include "sim/toolstack/toolstack.h"

namespace xenrig::toolstack {

Result<> Migration::copy_the_rest(GuestSaver& saver, std::span<const Gfn> dirty) {
    const std::vector<Gfn> earlier = saver.take_deferred();
    if (auto copied = saver.copy(dirty); !copied) return copied;
    if (auto copied = saver.copy(earlier); !copied) return copied;
    if (const auto still = saver.take_deferred(); !still.empty())
        return fail(Errno::range, "guest '" + spec.name + "' maps what is not its memory by its page table at page " +
                                      std::to_string(still.front().value));
    return saver.finish(spec.name);
}

Result<DomId> Migration::run() {
    Host& source = from.host();
    Host& target = to.host();
    hypervisor::Hypervisor& xen = source.xen();

    const bool pv = spec.type == hypervisor::GuestType::pv;
    if (pv && spec.bits != 64)
        return fail(Errno::opnotsupp, "guest '" + spec.name + "' is a 32-bit PV guest, which can't be moved");
    std::vector<std::byte> image;
    GuestSaver saver(source, domain,
                     [&](std::span<const std::byte> b) { image.insert(image.end(), b.begin(), b.end()); });
    if (auto logging = xen.enable_log_dirty(domain); !logging) return std::unexpected(logging.error());
    // All RAM once; what is written from here on is in the log. A PV guest that is not so far yet is copied when it has
    // suspended.
    const bool live = saver.may_begin();
    if (live)
        if (auto copied = saver.copy(xen.ram(domain)); !copied) {
            xen.disable_log_dirty(domain);
            return std::unexpected(copied.error());
        }

    if (auto suspended = from.suspend(domain); !suspended) {
        xen.disable_log_dirty(domain);
        return std::unexpected(suspended.error());
    }
    const std::vector<Gfn> dirty = live ? xen.clean_dirty(domain) : xen.ram(domain);
    // Peers run on, and the log knows of their writes when they unmap.
    for (const Gfn gfn : live ? saver.changed() : std::vector<Gfn>{})
        if (!std::ranges::binary_search(dirty, gfn) && !xen.dirty(domain, gfn) && !xen.written_by_peers(domain, gfn))
            missed({gfn});
    if (auto copied = copy_the_rest(saver, dirty); !copied) {
        (void)from.cancel_suspend(domain);
        return std::unexpected(copied.error());
    }
    if (saved) saved(image);

    if (auto removed = from.remove_devices(domain); !removed) return std::unexpected(removed.error());
    FillDomain fill;
    if (pv) fill = [&](DomId made) { return restore_pv(target, made, image, spec.name); };
    const auto moved = to.build(spec, fill);
    if (!moved) {
        (void)from.cancel_suspend(domain);
        return moved;
    }
    const Result<> filled = pv ? Result<>{} : restore_guest(target, *moved, image, spec.name);
    if (!filled) {
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
