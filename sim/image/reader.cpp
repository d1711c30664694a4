#include "sim/image/reader.h"

#include <bit>
#include <optional>
#include <string>

#include "sim/image/input.h"
#include "sim/image/memory_reader.h"
#include "sim/image/step.h"
#include "sim/image/store_records.h"
#include "sim/image/visitor.h"

namespace xenrig::image {

/// The libxl stream: the same machine of steps as MemoryReader, which it drives for the part that is libxc's.
class Reader::Impl {
public:
    Impl(Visitor& visitor, Limits limits) : visitor_(visitor), limits_(limits) {}

    Result<> feed(std::span<const std::byte> piece);
    Result<> finish();
    bool done() const { return done_; }
    std::uint64_t offset() const { return in_.offset(); }

private:
    using Step = Result<bool> (Impl::*)();

    Result<bool> header();
    Result<bool> record_header();
    Result<bool> memory();
    Result<bool> emulator_header();
    Result<bool> store();
    Result<bool> guest_header();
    Result<bool> guest();
    Result<bool> skip();
    Result<bool> after_end();

    Result<bool> begin_record(LibxlRecord type);
    Result<bool> begin_end();
    Result<bool> begin_store();
    Result<bool> begin_guest();
    std::unexpected<Error> at_place(const Error& error);

    Visitor& visitor_;
    Limits limits_;
    Input in_;
    Place place_{0, "libxl", "header"};
    Step step_ = &Impl::header;
    ImageOrder order_;
    std::optional<MemoryReader> memory_;
    std::uint32_t length_ = 0;  ///< of the record's body; from its emulator header on, of what is left of it
    std::uint32_t guest_length_ = 0;
    std::uint64_t to_skip_ = 0;
    bool done_ = false;
    std::optional<Error> error_;
};

std::unexpected<Error> Reader::Impl::at_place(const Error& error) {
    error_ = Error{error.code, "saved image, offset " + std::to_string(place_.offset) + ", " +
                                   std::string(place_.stream) + " " + std::string(place_.part) + ": " + error.message};
    return std::unexpected(*error_);
}

Result<> Reader::Impl::feed(std::span<const std::byte> piece) {
    if (error_) return std::unexpected(*error_);
    in_.piece(piece);
    for (;;) {
        const Result<bool> went_on = (this->*step_)();
        if (!went_on) return at_place(went_on.error());
        if (!*went_on) return {};
    }
}

Result<> Reader::Impl::finish() {
    if (error_) return std::unexpected(*error_);
    if (done_) return {};
    return at_place({Errno::nodata, "the image ends inside it, at offset " + std::to_string(in_.end()) +
                                        ": it was cut off, save it again"});
}

Result<bool> Reader::Impl::header() {
    const auto part = in_.part(sizeof(LibxlHeader));
    if (!part) return false;
    const auto header = read_as<LibxlHeader>(*part);
    const std::uint32_t version = std::byteswap(header.version), options = std::byteswap(header.options);
    if (std::byteswap(header.ident) != kLibxlIdent)
        return fail(Errno::badmsg, "this is no image: 'LibxlFmt' is missing");
    if (version != kLibxlVersion)
        return fail(Errno::opnotsupp, "its version is " + std::to_string(version) + ", and we read 2");
    if ((options & kLibxlBigEndian) != 0) return fail(Errno::opnotsupp, "it is big endian");
    if ((options & kLibxlLegacy) != 0) return fail(Errno::opnotsupp, "it was converted from Xen's legacy format");
    step_ = &Impl::record_header;
    return true;
}

Result<bool> Reader::Impl::record_header() {
    place_ = {in_.offset(), "libxl", "record header"};
    const auto part = in_.part(sizeof(RecordHeader));
    if (!part) return false;
    const auto header = read_as<RecordHeader>(*part);
    length_ = header.length;
    if ((header.type & kOptionalRecord) != 0) {
        to_skip_ = padded(length_);
        step_ = &Impl::skip;
        return true;
    }
    const auto type = static_cast<LibxlRecord>(header.type);
    if (name(type) == "?")
        return fail(Errno::opnotsupp, "nobody knows mandatory records of type " + std::to_string(header.type));
    place_.part = name(type);
    return begin_record(type);
}

Result<bool> Reader::Impl::begin_record(LibxlRecord type) {
    switch (type) {
        case LibxlRecord::end:
            return begin_end();
        case LibxlRecord::libxc_context:
            if (const char* rule = order_.admit(ImageOrder::Part::memory)) return fail(Errno::badmsg, rule);
            if (length_ != 0) return fail(Errno::badmsg, "it has a body");
            memory_.emplace(in_, visitor_, place_);
            step_ = &Impl::memory;
            return true;
        case LibxlRecord::emulator_context:
            if (length_ < sizeof(EmulatorHeader)) return fail(Errno::badmsg, "it is too short for an emulator's id");
            step_ = &Impl::emulator_header;
            return true;
        case LibxlRecord::emulator_xenstore_data:
            return fail(Errno::opnotsupp, "it is the state of a device model, and our guests have none");
        case LibxlRecord::checkpoint_end:
        case LibxlRecord::checkpoint_state:
            return fail(Errno::opnotsupp, "a checkpointed stream cannot be restored");
    }
    return fail(Errno::badmsg, "a record of an unknown type");
}

Result<bool> Reader::Impl::begin_end() {
    if (const char* rule = order_.admit(ImageOrder::Part::end)) return fail(Errno::badmsg, rule);
    if (length_ != 0) return fail(Errno::badmsg, "it has a body");
    if (auto applied = visitor_.on_end(); !applied) return std::unexpected(applied.error());
    done_ = true;
    step_ = &Impl::after_end;
    return true;
}

Result<bool> Reader::Impl::after_end() {
    if (in_.empty()) return false;
    return fail(Errno::badmsg, "bytes follow it");
}

Result<bool> Reader::Impl::skip() {
    to_skip_ -= in_.skip(to_skip_);
    if (to_skip_ != 0) return false;
    step_ = &Impl::record_header;
    return true;
}

Result<bool> Reader::Impl::memory() {
    auto went_on = memory_->step();
    if (memory_->done()) step_ = &Impl::record_header;
    return went_on;
}

Result<bool> Reader::Impl::emulator_header() {
    const auto part = in_.part(sizeof(EmulatorHeader));
    if (!part) return false;
    const auto header = read_as<EmulatorHeader>(*part);
    length_ -= static_cast<std::uint32_t>(sizeof header);
    if (header.emulator != kEmulatorUnknown)
        return fail(Errno::opnotsupp, "it is the state of emulator " + std::to_string(header.emulator) +
                                          ", and our guests have no device model");
    if (header.index == kStoreIndex) return begin_store();
    if (header.index == kGuestIndex) return begin_guest();
    return fail(Errno::badmsg, "index " + std::to_string(header.index) + " is neither the Guest (0) nor its store (1)");
}

Result<bool> Reader::Impl::begin_store() {
    place_.part = "EMULATOR_CONTEXT (store)";
    if (const char* rule = order_.admit(ImageOrder::Part::store)) return fail(Errno::badmsg, rule);
    if (length_ > limits_.xenstore_bytes)
        return fail(Errno::badmsg, std::to_string(length_) + " bytes, and at most " +
                                       std::to_string(limits_.xenstore_bytes) + " are taken");
    step_ = &Impl::store;
    return true;
}

Result<bool> Reader::Impl::store() {
    const auto part = in_.part(padded(length_));
    if (!part) return false;
    const auto records = decode(part->first(length_));
    if (!records) return std::unexpected(records.error());
    step_ = &Impl::record_header;
    return goes_on(visitor_.on_xenstore_records(*records));
}

Result<bool> Reader::Impl::begin_guest() {
    place_.part = "EMULATOR_CONTEXT (Guest)";
    if (const char* rule = order_.admit(ImageOrder::Part::guest)) return fail(Errno::badmsg, rule);
    if (length_ < sizeof(GuestHeader)) return fail(Errno::badmsg, "it is too short for the Guest's header");
    step_ = &Impl::guest_header;
    return true;
}

Result<bool> Reader::Impl::guest_header() {
    const auto part = in_.part(sizeof(GuestHeader));
    if (!part) return false;
    const auto header = read_as<GuestHeader>(*part);
    length_ -= static_cast<std::uint32_t>(sizeof header);
    if (header.ident != kGuestIdent) return fail(Errno::opnotsupp, "it is no Guest of Xenrig");
    if (header.version != kGuestVersion)
        return fail(Errno::opnotsupp, "another version of Xenrig saved this Guest: restore it there");
    if (header.length > limits_.guest_context_bytes)
        return fail(Errno::badmsg, std::to_string(header.length) + " bytes, and at most " +
                                       std::to_string(limits_.guest_context_bytes) + " are taken");
    if (length_ != padded(header.length) + sizeof(std::uint64_t))
        return fail(Errno::badmsg, "its length does not fit the Guest's");
    guest_length_ = header.length;
    step_ = &Impl::guest;
    return true;
}

Result<bool> Reader::Impl::guest() {
    Checksum sum = in_.sum();
    const auto part = in_.part(length_);
    if (!part) return false;
    const auto summed = part->first(length_ - sizeof(std::uint64_t));
    sum.add(summed);
    if (sum.value() != read_as<std::uint64_t>(part->subspan(summed.size())))
        return fail(Errno::badmsg, "the image is damaged somewhere before this: the checksum is another one");
    step_ = &Impl::record_header;
    return goes_on(visitor_.on_guest_context(part->first(guest_length_)));
}

Reader::Reader(Visitor& visitor, Limits limits) : impl_(std::make_unique<Impl>(visitor, limits)) {}
Reader::~Reader() = default;

Result<> Reader::feed(std::span<const std::byte> piece) { return impl_->feed(piece); }
Result<> Reader::finish() { return impl_->finish(); }
bool Reader::done() const { return impl_->done(); }
std::uint64_t Reader::offset() const { return impl_->offset(); }

}  // namespace xenrig::image
