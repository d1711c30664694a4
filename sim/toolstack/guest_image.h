// A guest's way into Xen's saved image and out of it again: what libxc and libxl do (xg_sr_save.c, xg_sr_restore.c,
// libxl_stream_write.c), on sim/image. What is a PV guest's alone is in pv_source.h and pv_restore.h.
//
// The memory, the parameters and the store's records are in it; the Guest itself is objects of this process, and its
// record only says which one it is.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "sim/image/writer.h"
#include "sim/toolstack/host.h"

namespace xenrig::toolstack {

class PvSource;

class GuestSaver {
public:
    /// Everything in tasks of the host's control domain.
    GuestSaver(Host& host, DomId domain, image::Writer::Sink sink);
    ~GuestSaver();

    /// Can it be copied while it runs? A PV guest only when it has said where its list of frames is.
    bool may_begin() const;
    /// These frames as they are now; those that have gone meanwhile are left out. Yields between batches. An error
    /// when a PV guest's own list of its frames makes no sense.
    Result<> copy(std::span<const Gfn> frames);
    /// Page tables that mapped what is not the guest's memory when they were copied: to be copied again.
    std::vector<Gfn> take_deferred();
    /// The guest's RAM that is not what was last copied of it: of a suspended guest, what a dirty log must have named.
    std::vector<Gfn> changed() const;
    /// Parameters, machine state, the store's records, the Guest's own; the end. Of a suspended guest.
    Result<> finish(std::string_view guest);

private:
    Result<> begin();
    using Frame = std::array<std::byte, kPageSize>;
    Result<> translate(std::span<const Mfn> frames, std::span<image::Page> batch, std::span<Frame> copies);
    Result<> finish_pv();
    void finish_hvm();

    Host& host_;
    DomId domain_;
    image::Writer writer_;
    bool begun_ = false;
    /// Of a PV guest.
    std::unique_ptr<PvSource> pv_;
    std::vector<Gfn> deferred_;
    /// Of each frame as it was last written.
    std::map<Gfn, std::uint64_t> sums_;
};

/// Fills a new, paused HVM or PVH domain of the toolstack's making. EBADMSG for an image that is damaged, cut off, or
/// another Guest's; the domain is of no use then. The store's records are looked through and left: a guest that
/// suspends by its own code registers with the new store again (docs/misc/xenstore-ring, "guest-cooperative
/// migration").
Result<> restore_guest(Host& host, DomId domain, std::span<const std::byte> saved, std::string_view guest);

}  // namespace xenrig::toolstack
