// What the three kinds of sector numbers of blkif.h count, on a disk whose own sectors are larger than 512 bytes.
//
// The header of Xen's development head says 512 bytes, always, as Linux has it. The header from 4.13 to 4.19 (4.17 is
// libxen-dev's) says `sector-size` bytes where the frontend announces feature-large-sector-size, and drivers in the
// field make of it what they like, so two ends of different kinds see another disk each (the table is from the commit
// that settled it: "blkif: reconcile protocol specification with in-use implementations").
#pragma once

#include <span>

#include "xenrig/drivers/blk/command.h"

namespace xenrig::blk {

struct SectorUnits {
    /// These count `sector-size`, else 512 bytes: the backend's node `sectors`;
    bool size = false;
    /// a request's sector_number, and nr_sectors of a discard;
    bool number = false;
    /// first_sect and last_sect.
    bool segment = false;
    /// A frontend says feature-large-sector-size, and a backend serves no larger sectors to one that doesn't.
    bool announced = false;
    friend bool operator==(const SectorUnits&, const SectorUnits&) = default;
};

/// Linux, and Xen's head.
inline constexpr SectorUnits kHeadUnits{};
/// The header of 4.17, to the letter: QEMU's backend and the Windows frontend.
inline constexpr SectorUnits kXen417Units{.size = true, .number = true, .segment = true, .announced = true};
inline constexpr SectorUnits kFreeBsdUnits{.size = true, .number = true};
inline constexpr SectorUnits kMiniOsUnits{.size = true};
inline constexpr SectorUnits kTapdiskUnits{.number = true};

/// The same for one disk: each is so many times 512 bytes.
struct WireUnits {
    std::uint32_t size = 1, number = 1, segment = 1;
};
WireUnits wire_units(const SectorUnits& units, std::uint32_t sector_bytes);

/// From what the frontend counts to 512 bytes each. What is too large stays too large, for validate() to find.
void scale_numbers(Command& command, const WireUnits& wire);
void scale_segments(std::span<Segment> segments, const WireUnits& wire);

}  // namespace xenrig::blk
