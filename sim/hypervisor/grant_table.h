// A domain's grant table: the entries its guest writes, what of them is in use, and the domain's own mappings of
// others.
//
// An entry is shared memory that the guest may rewrite at any time; it is taken into use by a compare-and-exchange, and
// from then on only the active entry counts, until its last pin is gone (common/grant_table.c).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/hypervisor/observer.h"
#include "sim/hypervisor/xen_abi.h"
#include "xenrig/abi/types.h"

namespace xenrig::hypervisor {

class Domain;
class Host;
class Vcpu;
struct DomainConfig;

/// GNTST_* of grant_table.h.
using GrantStatus = std::int16_t;

/// How often an entry is in use, by kind; each at most 127, so that a peer can't make it wrap.
struct Pins {
    std::uint8_t host_rw = 0, host_ro = 0, device_rw = 0, device_ro = 0;

    bool any() const { return (host_rw | host_ro | device_rw | device_ro) != 0; }
    bool writable() const { return (host_rw | device_rw) != 0; }
    bool may_overflow() const { return ((host_rw | host_ro | device_rw | device_ro) & 0x80) != 0; }
};

/// What of an entry is in use (struct active_grant_entry).
struct ActiveGrant {
    Pins pins;
    DomId peer{};
    Mfn mfn{};
    /// The bytes of the page that the peer may use.
    std::uint16_t start = 0, length = kPageSize;
    /// Not a whole page of the granter's own: can be copied and not mapped.
    bool sub_page = false;
    /// The grant behind a transitive one.
    Domain* behind = nullptr;
    GrantRef behind_ref{};
};

/// A mapping that this domain made of another's grant (struct grant_mapping); its index is the handle.
struct GrantTrack {
    GrantRef ref{};
    Domain* owner = nullptr;
    std::uint16_t flags = 0;  ///< GNTMAP_*; 0: not in use
    std::uint16_t vcpu = 0;   ///< on whose free list it goes back
    std::uint32_t next_free = 0;
    Gfn at{};  ///< where it is mapped
};

class GrantTable {
public:
    GrantTable(Host& host, Domain& domain);
    /// The first frame; false when the machine has none.
    bool init();
    void release_frames();

    unsigned version() const { return version_; }
    unsigned frames() const { return static_cast<unsigned>(frames_.size()); }
    unsigned frames_max() const;
    std::uint32_t entries() const;
    /// GNTTABOP_setup_table and add_to_physmap; false when the machine is full.
    bool grow(unsigned frames);
    Mfn frame(unsigned index) const { return frames_[index]; }
    unsigned status_frames() const { return static_cast<unsigned>(status_frames_.size()); }
    Mfn status_frame(unsigned index) const { return status_frames_[index]; }
    /// How many frames of status words go with so many frames of entries.
    static unsigned status_frames_for(unsigned frames);

    /// The entry's first byte; it has 8 bytes in version 1 and 16 in version 2.
    std::byte* entry(GrantRef ref) const;
    /// Where READING and WRITING stand: in the entry's flags, or in version 2 in a page of their own.
    std::byte* status(GrantRef ref) const;
    /// GNTTABOP_set_version; the first eight entries survive. 0 or a negated Errno.
    std::int64_t set_version(unsigned version);
    /// GNTTABOP_swap_grant_ref.
    GrantStatus swap(GrantRef a, GrantRef b);
    ActiveGrant& active(GrantRef ref) { return active_[ref.value]; }
    const ActiveGrant& active(GrantRef ref) const { return active_[ref.value]; }

    /// Takes an entry into use for `peer`: one pin and one use of the frame more, or a status other than okay. Of two
    /// transitive grants in a row the second is refused (may_follow).
    GrantStatus pin(GrantRef ref, Domain& peer, bool writable, PinUse use, bool may_follow = true);
    /// One pin less; the entry's flags are cleared when they say too much. The frame's use is the caller's to end.
    void unpin(GrantRef ref, Domain& peer, bool writable, PinUse use, bool device = false);
    /// A pin taken by pin() is for a device, too, or for it alone (GNTMAP_device_map).
    void pin_device(GrantRef ref, Domain& peer, bool writable);
    void device_alone(GrantRef ref, bool writable);
    /// Locks an entry that accepts a frame from `from` (gnttab_prepare_for_transfer). False when it does not.
    bool commit_transfer(GrantRef ref, const Domain& from);
    /// Where the guest wants the frame of a committed entry.
    Gfn transfer_gfn(GrantRef ref) const;
    /// The frame is there; a PV guest is told its number.
    void complete_transfer(GrantRef ref, Mfn mfn);
    /// Does `peer` use this frame by one of the entries from `first` on?
    bool used_by(const Domain& peer, Mfn mfn, GrantRef first) const;
    /// Frames that a peer may write at this moment, by gfn.
    void mark_writable_dirty();
    bool mapped_writable(Mfn mfn) const;

    /// A handle of `vcpu`'s free list: fresh ones ascending, freed ones come last. Nothing when the limit is reached.
    std::optional<GrantHandle> take_handle(const Vcpu& vcpu);
    void give_handle_back(GrantHandle handle);
    /// Null for a number that was never given out.
    GrantTrack* track(GrantHandle handle);
    GrantHandle handle_at(std::size_t index) const;
    std::vector<GrantTrack>& tracks() { return tracks_; }
    const std::vector<GrantTrack>& tracks() const { return tracks_; }

private:
    /// Takes the entry for `peer` unless it is pinned already, by the rules of the table's version.
    GrantStatus set_status(GrantRef ref, const ActiveGrant& active, const Domain& peer, bool writable, PinUse use);
    GrantStatus set_status_v1(GrantRef ref, const ActiveGrant& active, const Domain& peer, bool writable, PinUse use);
    GrantStatus set_status_v2(GrantRef ref, const ActiveGrant& active, const Domain& peer, bool writable, PinUse use);
    /// Fills in what the entry grants; the entry is taken.
    GrantStatus look_up(GrantRef ref, ActiveGrant& active, Domain& peer, bool writable);
    /// The first writing copy of an entry that is pinned for reading looks at the entry once more: the guest may have
    /// put another frame there since.
    GrantStatus still_grants(GrantRef ref, const ActiveGrant& active);
    GrantStatus follow(GrantRef ref, ActiveGrant& active, Domain& peer, bool writable);
    bool transitive(GrantRef ref) const;
    bool add_status_frames(unsigned frames);
    void drop_status_frames();
    void clear_flags(GrantRef ref, const ActiveGrant& active, bool writable);
    void observe(GrantRef ref, Domain& peer, bool writable, PinUse use, bool pinned);
    std::optional<std::uint32_t> pop_free(std::size_t vcpu);

    Host& host_;
    Domain& domain_;
    unsigned version_ = 1;
    std::vector<Mfn> frames_;
    std::vector<Mfn> status_frames_;
    /// Where each frame lies.
    std::vector<std::byte*> pages_, status_pages_;
    std::vector<ActiveGrant> active_;
    std::vector<GrantTrack> tracks_;
    struct FreeList {
        std::uint32_t head = ~0u, tail = ~0u;
    };
    /// By vCPU.
    std::vector<FreeList> free_;
};

/// GNTTABOP_map_grant_ref's work on one entry; the status is in the struct.
void map_grant(Vcpu& caller, gnttab_map_grant_ref_t& op);
/// GNTTABOP_unmap_grant_ref's; with a new address it is unmap_and_replace.
GrantStatus unmap_grant(Vcpu& caller, const gnttab_unmap_grant_ref_t& op, std::uint64_t new_address = 0);
/// GNTTABOP_copy's.
GrantStatus copy_grant(Domain& caller, const gnttab_copy_t& op);
/// GNTTABOP_transfer's. From some point on a failure costs the caller its frame, as on Xen.
GrantStatus transfer_grant(Domain& caller, const gnttab_transfer_t& op);
/// GNTTABOP_cache_flush's, 0 or a negated Errno. `first` is the entry at which a preempted search goes on.
std::int64_t flush_cache(Domain& caller, const gnttab_cache_flush_t& op, GrantRef first);
/// All mappings that a dying domain holds.
void release_mappings(Domain& d);

}  // namespace xenrig::hypervisor
