// Writes a saved image as one stream of bytes, in the order in which a live migration knows them.
//
//   Writer w(sink);  w.begin(info);  w.pages(batch) …  w.hvm_params(…);  w.machine_state(hvm_context, …);
//   w.xenstore_records(…);  w.guest_context(…);  w.end();
//
// Nothing is kept but the running Checksum: a page is copied once into a buffer, and what is summed is what goes to the
// sink, even when the guest writes the page while the sink blocks. The order of records is RecordOrder's, and breaking
// it is the caller's bug (check). STATIC_DATA_END and the END of the memory are put where the format wants them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "sim/image/checksum.h"
#include "sim/image/content.h"
#include "sim/image/record_order.h"

namespace xenrig::image {

struct StoreRecords;

class Writer {
public:
    /// Takes the bytes in order; may block its task. Its errors are its own to keep (File::commit()).
    using Sink = std::function<void(std::span<const std::byte>)>;

    explicit Writer(Sink sink);

    /// The headers of both streams.
    void begin(const ImageInfo& info);

    /// X86_PV_INFO.
    void pv_info(PvInfo info);
    /// X86_PV_P2M_FRAMES: the pfns of the frames that hold the p2m's entries `first` to `last`, inclusive.
    void p2m_frames(std::uint32_t first, std::uint32_t last, std::span<const Gfn> frames);
    /// PAGE_DATA; a page may come again, and the last one counts. More than kPagesPerRecordMax make several records.
    void pages(std::span<const Page> batch);
    /// HVM_PARAMS.
    void hvm_params(std::span<const HvmParam> params);
    /// `vcpu` for X86_PV_VCPU_* alone. An empty state is left out, as the format asks.
    void machine_state(MachineState kind, std::span<const std::byte> state, VcpuId vcpu = {});

    /// Ends the memory, if that is not done; an EMULATOR_CONTEXT with the stream of encode().
    void xenstore_records(const StoreRecords& records);
    /// Ends the memory, if that is not done; an EMULATOR_CONTEXT with these bytes and the Checksum of the image so far.
    void guest_context(std::span<const std::byte> guest);
    void end();

    /// Written so far.
    std::uint64_t bytes() const { return bytes_; }

private:
    void admit(LibxcRecord record);
    void admit(ImageOrder::Part part);
    void record(LibxcRecord type, std::uint64_t length);
    void record(LibxlRecord type, std::uint64_t length);
    void page_record(std::span<const Page> batch);
    void end_memory();
    void put(std::span<const std::byte> bytes);
    void put_padded(std::span<const std::byte> bytes);

    Sink sink_;
    Checksum sum_;
    std::uint64_t bytes_ = 0;
    ImageOrder image_order_;
    std::optional<MemoryOrder> memory_order_;
    bool memory_ended_ = false;
    std::uint8_t guest_width_ = 8;
    std::vector<std::uint64_t> pfns_;  ///< of the record being written
};

}  // namespace xenrig::image
