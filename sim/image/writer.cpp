#include "sim/image/writer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "sim/image/p2m.h"
#include "sim/image/store_records.h"
#include "xenrig/abi/check.h"

namespace xenrig::image {

Writer::Writer(Sink sink) : sink_(std::move(sink)) {}

void Writer::put(std::span<const std::byte> bytes) {
    sum_.add(bytes);
    bytes_ += bytes.size();
    sink_(bytes);
}

void Writer::put_padded(std::span<const std::byte> bytes) {
    static constexpr std::array<std::byte, 8> kZeroes{};
    if (!bytes.empty()) put(bytes);
    const std::size_t padding = padded(bytes.size()) - bytes.size();
    if (padding != 0) put(std::span(kZeroes).first(padding));
}

void Writer::admit(LibxcRecord record) {
    check(memory_order_.has_value() && !memory_ended_, "begin() comes first, and no record of memory after the store");
    const char* rule = memory_order_->admit(record);
    check(rule == nullptr, rule);
}

void Writer::admit(ImageOrder::Part part) {
    const char* rule = image_order_.admit(part);
    check(rule == nullptr, rule);
}

void Writer::record(LibxcRecord type, std::uint64_t length) {
    check(memory_order_.has_value(), "begin() comes first");
    if (memory_order_->static_data() && !is_static(type)) record(LibxcRecord::static_data_end, 0);
    admit(type);
    check(length <= kRecordBytesMax, "a record of memory has at most 8 MiB, as libxc takes them");
    put(bytes_of(RecordHeader{static_cast<std::uint32_t>(type), static_cast<std::uint32_t>(length)}));
}

void Writer::record(LibxlRecord type, std::uint64_t length) {
    check(length <= ~std::uint32_t{0}, "a record's length has 32 bits");
    put(bytes_of(RecordHeader{static_cast<std::uint32_t>(type), static_cast<std::uint32_t>(length)}));
}

void Writer::begin(const ImageInfo& info) {
    check(info.page_shift == 12, "x86 pages have 4096 bytes");
    admit(ImageOrder::Part::memory);
    memory_order_.emplace(info.type);
    put(bytes_of(LibxlHeader{std::byteswap(kLibxlIdent), std::byteswap(kLibxlVersion), 0}));
    record(LibxlRecord::libxc_context, 0);
    put(bytes_of(ImageHeader{kImageMarker, std::byteswap(kImageIdent), std::byteswap(kImageVersion), 0, 0, 0}));
    put(bytes_of(
        DomainHeader{static_cast<std::uint32_t>(info.type), info.page_shift, 0, info.xen_major, info.xen_minor}));
}

void Writer::pv_info(PvInfo info) {
    record(LibxcRecord::pv_info, sizeof(PvInfoBody));
    put(bytes_of(PvInfoBody{info.guest_width, info.pt_levels, 0, 0}));
    guest_width_ = info.guest_width;
}

void Writer::p2m_frames(std::uint32_t first, std::uint32_t last, std::span<const Gfn> frames) {
    check(first <= last && frames.size() == p2m_frame_count(first, last, guest_width_),
          "one pfn for each frame of the p2m");
    record(LibxcRecord::p2m_frames, sizeof(P2mHeader) + frames.size() * sizeof(std::uint64_t));
    put(bytes_of(P2mHeader{first, last}));
    for (const Gfn frame : frames) put(bytes_of(frame.value));
}

void Writer::pages(std::span<const Page> batch) {
    while (!batch.empty()) {
        const auto now = batch.first(std::min<std::size_t>(batch.size(), kPagesPerRecordMax));
        page_record(now);
        batch = batch.subspan(now.size());
    }
}

void Writer::page_record(std::span<const Page> batch) {
    pfns_.clear();
    std::uint64_t with_data = 0;
    for (const Page& page : batch) {
        check(is_known(page.type) && (page.data != nullptr) == has_data(page.type),
              "a page has data when its type does");
        check((page.gfn.value & ~kPfnMask) == 0, "a frame's number has 52 bits");
        pfns_.push_back(page.gfn.value | std::uint64_t{std::to_underlying(page.type)} << kPageTypeShift);
        if (page.data != nullptr) ++with_data;
    }
    record(LibxcRecord::page_data, sizeof(CountHeader) + pfns_.size() * sizeof pfns_[0] + with_data * kPageSize);
    put(bytes_of(CountHeader{static_cast<std::uint32_t>(pfns_.size()), 0}));
    put(std::as_bytes(std::span(pfns_)));
    std::array<std::byte, kPageSize> copy;
    for (const Page& page : batch) {
        if (page.data == nullptr) continue;
        std::copy_n(page.data, kPageSize, copy.begin());
        put(copy);
    }
}

void Writer::hvm_params(std::span<const HvmParam> params) {
    check(params.size() <= kHvmParamsMax, "more parameters than any Xen has");
    if (params.empty()) return;
    record(LibxcRecord::hvm_params, sizeof(CountHeader) + params.size_bytes());
    put(bytes_of(CountHeader{static_cast<std::uint32_t>(params.size()), 0}));
    put(std::as_bytes(params));
}

void Writer::machine_state(MachineState kind, std::span<const std::byte> state, VcpuId vcpu) {
    if (state.empty()) return;
    const auto type = static_cast<LibxcRecord>(kind);
    if (is_vcpu(type)) {
        record(type, sizeof(VcpuHeader) + state.size());
        put(bytes_of(VcpuHeader{vcpu.value, 0}));
    } else {
        record(type, state.size());
    }
    put_padded(state);
}

void Writer::end_memory() {
    if (memory_ended_) return;
    record(LibxcRecord::end, 0);
    memory_ended_ = true;
}

void Writer::xenstore_records(const StoreRecords& records) {
    end_memory();
    admit(ImageOrder::Part::store);
    const std::vector<std::byte> stream = encode(records);
    record(LibxlRecord::emulator_context, sizeof(EmulatorHeader) + stream.size());
    put(bytes_of(EmulatorHeader{kEmulatorUnknown, kStoreIndex}));
    put_padded(stream);
}

void Writer::guest_context(std::span<const std::byte> guest) {
    end_memory();
    admit(ImageOrder::Part::guest);
    record(LibxlRecord::emulator_context,
           sizeof(EmulatorHeader) + sizeof(GuestHeader) + padded(guest.size()) + sizeof(std::uint64_t));
    put(bytes_of(EmulatorHeader{kEmulatorUnknown, kGuestIndex}));
    put(bytes_of(GuestHeader{kGuestIdent, kGuestVersion, static_cast<std::uint32_t>(guest.size())}));
    put_padded(guest);
    const std::uint64_t sum = sum_.value();
    put(bytes_of(sum));
}

void Writer::end() {
    admit(ImageOrder::Part::end);
    record(LibxlRecord::end, 0);
}

}  // namespace xenrig::image
