#include "sim/image/memory_reader.h"

#include <bit>
#include <string>

#include "sim/image/input.h"
#include "sim/image/p2m.h"
#include "sim/image/step.h"
#include "sim/image/visitor.h"

namespace xenrig::image {

namespace {

constexpr std::uint32_t kLibxcTypes = 0x13;

/// What a record's length may be: at least, at most, and a multiple of.
struct Bounds {
    std::uint32_t min, max, unit;
};

constexpr std::uint32_t kPageDataMax = sizeof(CountHeader) + kPagesPerRecordMax * (sizeof(std::uint64_t) + kPageSize);

Bounds bounds(LibxcRecord type) {
    switch (type) {
        case LibxcRecord::page_data:
            return {sizeof(CountHeader) + sizeof(std::uint64_t), kPageDataMax, 8};
        case LibxcRecord::pv_info:
            return {sizeof(PvInfoBody), sizeof(PvInfoBody), 1};
        case LibxcRecord::p2m_frames:
            return {sizeof(P2mHeader) + sizeof(std::uint64_t), kRecordBytesMax, 8};
        case LibxcRecord::shared_info:
            return {kPageSize, kPageSize, 1};
        case LibxcRecord::tsc_info:
            return {24, 24, 1};
        case LibxcRecord::hvm_context:
            return {1, kRecordBytesMax, 1};
        case LibxcRecord::hvm_params:
            return {sizeof(CountHeader), sizeof(CountHeader) + kHvmParamsMax * sizeof(HvmParam), 8};
        case LibxcRecord::cpuid_policy:
            return {24, kRecordBytesMax, 24};
        case LibxcRecord::msr_policy:
            return {16, kRecordBytesMax, 16};
        default:
            return is_vcpu(type) ? Bounds{sizeof(VcpuHeader), kRecordBytesMax, 1} : Bounds{0, 0, 1};
    }
}

Result<> judge_length(LibxcRecord type, std::uint32_t length) {
    const Bounds b = bounds(type);
    if (length >= b.min && length <= b.max && length % b.unit == 0) return {};
    std::string may = b.min == b.max ? std::to_string(b.min) : std::to_string(b.min) + " to " + std::to_string(b.max);
    if (b.unit != 1) may += ", in steps of " + std::to_string(b.unit);
    return fail(Errno::badmsg, "its length is " + std::to_string(length) + ", and may be " + may);
}

PageType page_type(std::uint64_t pfn) { return static_cast<PageType>(pfn >> kPageTypeShift); }

}  // namespace

MemoryReader::MemoryReader(Input& in, Visitor& visitor, Place& place) : in_(in), visitor_(visitor), place_(place) {}

Result<bool> MemoryReader::image_header() {
    place_ = {in_.offset(), "libxc", "image header"};
    const auto part = in_.part(sizeof(ImageHeader));
    if (!part) return false;
    const auto header = read_as<ImageHeader>(*part);
    const std::uint32_t version = std::byteswap(header.version);
    if (header.marker != kImageMarker || std::byteswap(header.ident) != kImageIdent)
        return fail(Errno::badmsg, "the marker of a libxc stream is missing");
    if (version != kImageVersion)
        return fail(Errno::opnotsupp, "its version is " + std::to_string(version) + ", and we read 3");
    if ((std::byteswap(header.options) & kImageBigEndian) != 0) return fail(Errno::opnotsupp, "it is big endian");
    step_ = &MemoryReader::domain_header;
    return true;
}

Result<bool> MemoryReader::domain_header() {
    place_ = {in_.offset(), "libxc", "domain header"};
    const auto part = in_.part(sizeof(DomainHeader));
    if (!part) return false;
    const auto header = read_as<DomainHeader>(*part);
    const ImageInfo info{static_cast<GuestType>(header.type), header.xen_major, header.xen_minor, header.page_shift};
    if (info.type != GuestType::pv && info.type != GuestType::hvm)
        return fail(Errno::badmsg, "type " + std::to_string(header.type) + " is neither PV (1) nor HVM (2)");
    if (info.page_shift != 12) return fail(Errno::badmsg, "pages of 2^" + std::to_string(info.page_shift) + " bytes");
    order_.emplace(info.type);
    step_ = &MemoryReader::record_header;
    return goes_on(visitor_.on_begin(info));
}

Result<bool> MemoryReader::record_header() {
    place_ = {in_.offset(), "libxc", "record header"};
    const auto part = in_.part(sizeof(RecordHeader));
    if (!part) return false;
    const auto header = read_as<RecordHeader>(*part);
    if (header.type >= kLibxcTypes) {
        if ((header.type & kOptionalRecord) == 0)
            return fail(Errno::opnotsupp, "nobody knows mandatory records of type " + std::to_string(header.type));
        to_skip_ = padded(header.length);
        step_ = &MemoryReader::skip;
        return true;
    }
    type_ = static_cast<LibxcRecord>(header.type);
    length_ = header.length;
    place_.part = name(type_);
    if (const char* rule = order_->admit(type_)) return fail(Errno::badmsg, rule);
    if (auto fits = judge_length(type_, length_); !fits) return std::unexpected(fits.error());
    step_ = type_ == LibxcRecord::page_data ? &MemoryReader::page_count : &MemoryReader::body;
    return true;
}

Result<bool> MemoryReader::skip() {
    to_skip_ -= in_.skip(to_skip_);
    if (to_skip_ != 0) return false;
    step_ = &MemoryReader::record_header;
    return true;
}

Result<bool> MemoryReader::body() {
    const auto part = in_.part(padded(length_));
    if (!part) return false;
    step_ = &MemoryReader::record_header;
    return goes_on(apply(part->first(length_)));
}

Result<> MemoryReader::apply(std::span<const std::byte> body) {
    switch (type_) {
        case LibxcRecord::end:
            done_ = true;
            return {};
        case LibxcRecord::static_data_end:
            return visitor_.on_static_data_end();
        case LibxcRecord::pv_info:
            return apply_pv_info(body);
        case LibxcRecord::p2m_frames:
            return apply_p2m_frames(body);
        case LibxcRecord::hvm_params:
            return apply_hvm_params(body);
        default:
            return apply_machine_state(body);
    }
}

Result<> MemoryReader::apply_pv_info(std::span<const std::byte> body) {
    const auto info = read_as<PvInfoBody>(body);
    if (info.guest_width != 4 && info.guest_width != 8) return fail(Errno::badmsg, "guest_width is neither 4 nor 8");
    if (info.pt_levels != 3 && info.pt_levels != 4) return fail(Errno::badmsg, "pt_levels is neither 3 nor 4");
    guest_width_ = info.guest_width;
    return visitor_.on_pv_info({info.guest_width, info.pt_levels});
}

Result<> MemoryReader::apply_p2m_frames(std::span<const std::byte> body) {
    const auto range = read_as<P2mHeader>(body);
    const auto frames_bytes = body.subspan(sizeof range);
    const std::uint64_t frames = frames_bytes.size() / sizeof(std::uint64_t);
    if (range.first > range.last) return fail(Errno::badmsg, "p2m_start_pfn is beyond p2m_end_pfn");
    if (frames != p2m_frame_count(range.first, range.last, guest_width_))
        return fail(Errno::badmsg, std::to_string(frames) + " frames do not hold the entries " +
                                       std::to_string(range.first) + " to " + std::to_string(range.last));
    std::vector<Gfn> list(frames);
    for (std::size_t i = 0; i < list.size(); ++i)
        list[i] = Gfn{read_as<std::uint64_t>(frames_bytes.subspan(i * sizeof(std::uint64_t)))};
    return visitor_.on_p2m_frames(range.first, range.last, list);
}

Result<> MemoryReader::apply_hvm_params(std::span<const std::byte> body) {
    const auto header = read_as<CountHeader>(body);
    const auto entries = body.subspan(sizeof header);
    if (header.count != entries.size() / sizeof(HvmParam) || entries.size() % sizeof(HvmParam) != 0)
        return fail(Errno::badmsg, "its length does not fit " + std::to_string(header.count) + " parameters");
    std::vector<HvmParam> params(header.count);
    std::memcpy(params.data(), entries.data(), entries.size());
    // Xen 4.6 to 4.8 wrote empty records; they say nothing (the specification's errata).
    return params.empty() ? Result<>{} : visitor_.on_hvm_params(params);
}

Result<> MemoryReader::apply_machine_state(std::span<const std::byte> body) {
    VcpuId vcpu{};
    if (is_vcpu(type_)) {
        vcpu = VcpuId{read_as<VcpuHeader>(body).vcpu};
        body = body.subspan(sizeof(VcpuHeader));
        if (body.empty()) return {};
    }
    return visitor_.on_machine_state(static_cast<MachineState>(type_), vcpu, body);
}

Result<bool> MemoryReader::page_count() {
    const auto part = in_.part(sizeof(CountHeader));
    if (!part) return false;
    const std::uint32_t count = read_as<CountHeader>(*part).count;
    if (count == 0) return fail(Errno::badmsg, "it has no pages");
    if (count > kPagesPerRecordMax || sizeof(CountHeader) + count * sizeof(std::uint64_t) > length_)
        return fail(Errno::badmsg, "its length does not fit " + std::to_string(count) + " pages");
    pfns_.resize(count);
    step_ = &MemoryReader::pfns;
    return true;
}

Result<bool> MemoryReader::pfns() {
    const auto part = in_.part(pfns_.size() * sizeof pfns_[0]);
    if (!part) return false;
    std::memcpy(pfns_.data(), part->data(), part->size());
    std::uint64_t length = sizeof(CountHeader) + part->size();
    for (const std::uint64_t pfn : pfns_) {
        const PageType type = page_type(pfn);
        if (!is_known(type))
            return fail(Errno::badmsg, "a page has the unknown type " + std::to_string(pfn >> kPageTypeShift));
        if (has_data(type)) length += kPageSize;
    }
    if (length != length_)
        return fail(Errno::badmsg,
                    "its length is " + std::to_string(length_) + ", its pages need " + std::to_string(length));
    next_pfn_ = 0;
    step_ = &MemoryReader::pages;
    return true;
}

Result<bool> MemoryReader::pages() {
    bool waiting = false;
    while (next_pfn_ < pfns_.size() && !waiting) {
        const std::uint64_t pfn = pfns_[next_pfn_];
        const std::byte* data = nullptr;
        if (has_data(page_type(pfn))) {
            const auto part = in_.part(kPageSize);
            waiting = !part;
            if (waiting) break;
            data = part->data();
        }
        batch_.push_back({Gfn{pfn & kPfnMask}, data, page_type(pfn)});
        ++next_pfn_;
        if (data == nullptr || !in_.copied()) continue;
        if (auto applied = deliver_pages(); !applied) return std::unexpected(applied.error());
    }
    if (auto applied = deliver_pages(); !applied) return std::unexpected(applied.error());
    if (!waiting) step_ = &MemoryReader::record_header;
    return !waiting;
}

Result<> MemoryReader::deliver_pages() {
    if (batch_.empty()) return {};
    auto applied = visitor_.on_pages(batch_);
    batch_.clear();
    return applied;
}

}  // namespace xenrig::image
