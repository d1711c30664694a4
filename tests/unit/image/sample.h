// Small images with one of everything, and a visitor that keeps all it is told.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sim/image/content.h"
#include "sim/image/store_records.h"
#include "sim/image/visitor.h"
#include "sim/image/writer.h"

namespace xenrig::image::sample {

using Bytes = std::vector<std::byte>;

Bytes page_of(std::size_t seed);
Bytes text(const char* s);
StoreRecords store();

/// An HVM guest: pages with and without data, parameters, context, store, Guest.
void write_hvm(Writer& w);
/// A PV guest, with every record that one may have.
void write_pv(Writer& w);
/// The same with next to no pages.
void write_small_hvm(Writer& w);
void write_small_pv(Writer& w);

/// What `write` makes.
Bytes image(const std::function<void(Writer&)>& write);

/// An image taken apart: the libxl header, then record by record; LIBXC_CONTEXT's piece has libxc's headers too.
std::vector<Bytes> cut(std::span<const std::byte> image);
Bytes join(const std::vector<Bytes>& pieces);
/// A record of that type, for either stream.
Bytes record(std::uint32_t type, std::size_t length);
/// With the right checksum in the Guest's record, after pieces were changed by hand.
Bytes join_sealed(const std::vector<Bytes>& pieces);

struct Kept final : Visitor {
    Result<> on_begin(const ImageInfo& i) override;
    Result<> on_pv_info(PvInfo i) override;
    Result<> on_static_data_end() override;
    Result<> on_p2m_frames(std::uint32_t first, std::uint32_t last, std::span<const Gfn> frames) override;
    Result<> on_pages(std::span<const Page> batch) override;
    Result<> on_hvm_params(std::span<const HvmParam> params) override;
    Result<> on_machine_state(MachineState kind, VcpuId vcpu, std::span<const std::byte> state) override;
    Result<> on_xenstore_records(const StoreRecords& records) override;
    Result<> on_guest_context(std::span<const std::byte> guest) override;
    Result<> on_end() override;

    ImageInfo info;
    std::vector<PvInfo> pv_info;
    std::vector<std::uint64_t> p2m;  ///< first, last, frames
    std::map<Gfn, std::pair<PageType, Bytes>> pages;
    std::vector<HvmParam> params;
    std::map<std::pair<MachineState, VcpuId>, Bytes> states;
    StoreRecords store;
    Bytes guest;
    std::size_t calls = 0;
    bool static_data_ended = false, ended = false;

    /// All but how the pages were cut into calls.
    bool same_content(const Kept& other) const;
};

/// Reads an image that comes in pieces of this many bytes.
Result<> read(std::span<const std::byte> image, Visitor& visitor, std::size_t piece = 4096);

}  // namespace xenrig::image::sample
