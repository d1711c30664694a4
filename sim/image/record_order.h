// Which record may follow which, for the writer and the reader alike (docs/specs/libxc-migration-stream, "Layout").
//
// Version 3 puts STATIC_DATA_END between what never changes while the guest runs and all the rest; a PV guest's records
// build on each other in a fixed order, an HVM guest's parameters come before its context. What belongs to a
// checkpointed stream, to debugging or to the other kind of guest has no place in a saved image.
#pragma once

#include <cstdint>

#include "sim/image/content.h"

namespace xenrig::image {

/// Comes before STATIC_DATA_END, or is it.
bool is_static(LibxcRecord record);

/// The records of the libxc stream.
class MemoryOrder {
public:
    explicit MemoryOrder(GuestType guest) : guest_(guest) {}

    /// Null when the record may come now; else the rule that it breaks, and the order stays as it was.
    const char* admit(LibxcRecord record);
    bool static_data() const { return !seen(LibxcRecord::static_data_end); }

private:
    bool seen(LibxcRecord r) const { return (seen_ >> static_cast<unsigned>(r) & 1) != 0; }
    const char* refuse(LibxcRecord record) const;
    const char* refuse_static(LibxcRecord record) const;
    const char* refuse_pv(LibxcRecord record) const;
    const char* refuse_hvm(LibxcRecord record) const;

    GuestType guest_;
    std::uint32_t seen_ = 0;
};

/// The parts of the libxl stream: memory, then the store's records if there are any, then the Guest.
class ImageOrder {
public:
    enum class Part : std::uint8_t { memory, store, guest, end };

    const char* admit(Part part);

private:
    bool memory_ = false, store_ = false, guest_ = false;
};

}  // namespace xenrig::image
