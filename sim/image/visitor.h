// What a Reader calls, in the image's order, with parts that are whole and checked.
//
// Spans hold for the call only. An error of the visitor's own stops the reader, which gives the image's offset to it.
// Memory is applied while it comes, as in a live migration: a domain may run only after on_end().
#pragma once

#include <cstddef>
#include <span>

#include "sim/image/content.h"
#include "xenrig/abi/error.h"

namespace xenrig::image {

struct StoreRecords;

class Visitor {
public:
    virtual ~Visitor() = default;

    virtual Result<> on_begin(const ImageInfo&) { return {}; }
    virtual Result<> on_pv_info(PvInfo) { return {}; }
    /// All that does not change while the guest runs is known.
    virtual Result<> on_static_data_end() { return {}; }
    /// Entries `first` to `last` of the p2m lie in these frames.
    virtual Result<> on_p2m_frames(std::uint32_t /*first*/, std::uint32_t /*last*/, std::span<const Gfn>) { return {}; }
    /// Which gfns a domain may have is for the visitor to judge: they are any number of 52 bits here.
    virtual Result<> on_pages(std::span<const Page>) { return {}; }
    virtual Result<> on_hvm_params(std::span<const HvmParam>) { return {}; }
    virtual Result<> on_machine_state(MachineState, VcpuId, std::span<const std::byte>) { return {}; }
    virtual Result<> on_xenstore_records(const StoreRecords&) { return {}; }
    /// The checksum of all that came before is right.
    virtual Result<> on_guest_context(std::span<const std::byte>) { return {}; }
    virtual Result<> on_end() { return {}; }
};

}  // namespace xenrig::image
