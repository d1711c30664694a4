#include "sim/serve/recording.h"

#include <charconv>
#include <cstring>
#include <string_view>

#include "sim/serve/served_disk.h"

namespace xenrig::serve {

namespace {

constexpr std::size_t kLineMax = 160;
/// NBD has no longer request, and no recorder writes one.
constexpr std::uint32_t kLengthMax = 1u << 26;

constexpr std::string_view kMagic = "xenrig-serve-recording ";

/// Takes `name` and the number behind it off the line's front.
std::optional<std::uint64_t> take_number(std::string_view& line, std::string_view name) {
    std::uint64_t value = 0;
    if (!line.starts_with(name)) return std::nullopt;
    const char* const end = line.data() + line.size();
    const auto parsed = std::from_chars(line.data() + name.size(), end, value);
    if (parsed.ec != std::errc{}) return std::nullopt;
    line.remove_prefix(static_cast<std::size_t>(parsed.ptr - line.data()));
    return value;
}

/// The header behind "xenrig-serve-recording 1".
std::optional<RecordingHeader> parse_header(std::string_view line) {
    constexpr std::string_view kNoSeed = " seed=none";
    RecordingHeader header;
    const auto bytes = take_number(line, " bytes=");
    if (line.starts_with(kNoSeed)) {
        line.remove_prefix(kNoSeed.size());
    } else {
        header.seed = take_number(line, " seed=");
        if (!header.seed) return std::nullopt;
    }
    const auto read_only = take_number(line, " read-only=");
    if (!bytes || !read_only || line != "\n") return std::nullopt;
    header.bytes = *bytes;
    header.read_only = *read_only != 0;
    return header;
}

bool is_request(RecordKind kind) {
    return kind == RecordKind::read || kind == RecordKind::write || kind == RecordKind::flush;
}

}  // namespace

std::string header_line(const RecordingHeader& header) {
    return std::string(kMagic) + "1 bytes=" + std::to_string(header.bytes) +
           " seed=" + (header.seed ? std::to_string(*header.seed) : "none") +
           " read-only=" + (header.read_only ? "1" : "0") + "\n";
}

Result<Recording> Recording::open(const std::string& path) {
    FilePtr file(std::fopen(path.c_str(), "rbe"));
    if (!file) return fail(Errno::noent, path + ": can't read this recording: " + std::strerror(errno));
    char text[kLineMax];
    std::string_view line = std::fgets(text, sizeof text, file.get()) ? text : "";
    const auto version = take_number(line, kMagic);
    if (version && *version != 1)
        return fail(Errno::inval, path + ": a recording of version " + std::to_string(*version) +
                                      ", and this xenrig knows version 1");
    const auto header = version ? parse_header(line) : std::nullopt;
    if (!header) return fail(Errno::inval, path + ": not a recording of xenrig serve");
    return Recording(path, std::move(file), *header);
}

bool Recording::read(void* bytes, std::size_t length) {
    const std::size_t n = std::fread(bytes, 1, length, file_.get());
    if (n != 0 && n != length) torn_ = true;
    return n == length;
}

/// The next record's head in head_; false at the end.
bool Recording::fetch() {
    RecordHead head;
    head_.reset();
    if (!read(&head, sizeof head)) return false;
    head_ = head;
    return true;
}

Result<std::optional<Batch>> Recording::next() {
    if (!head_ && !fetch()) return std::nullopt;
    if (head_->kind == RecordKind::end) {
        trace_hash_ = head_->offset;
        return std::nullopt;
    }
    if (!is_request(head_->kind))
        return fail(Errno::inval, path_ + ": damaged: a record of kind " +
                                      std::to_string(static_cast<unsigned>(head_->kind)) + " where a request belongs");
    Batch batch{.step = head_->step};
    while (head_ && is_request(head_->kind) && head_->step == batch.step) {
        Batch::Asked& asked = batch.asked.emplace_back(*head_);
        if (asked.head.length > kLengthMax)
            return fail(Errno::inval, path_ + ": damaged: a request of " + std::to_string(asked.head.length) +
                                          " bytes at step " + std::to_string(batch.step));
        if (asked.head.kind == RecordKind::write) {
            asked.bytes.resize(asked.head.length);
            if (!read(asked.bytes.data(), asked.bytes.size())) {
                torn_ = true;
                return std::nullopt;
            }
        }
        fetch();
    }
    while (head_ && head_->kind == RecordKind::storage_failed) {
        batch.failures.emplace_back(head_->offset, static_cast<Errno>(head_->length));
        fetch();
    }
    return batch;
}

namespace {

Request::Kind kind_of(RecordKind kind) {
    return kind == RecordKind::read    ? Request::Kind::read
           : kind == RecordKind::write ? Request::Kind::write
                                       : Request::Kind::flush;
}

/// The recorded batch as requests, which point into it.
std::vector<Request> requests_of(Batch& batch) {
    std::vector<Request> requests(batch.asked.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {
        Batch::Asked& asked = batch.asked[i];
        Request& r = requests[i];
        r.kind = kind_of(asked.head.kind);
        r.durable = asked.head.durable != 0;
        r.offset = asked.head.offset;
        if (r.kind == Request::Kind::read) {
            asked.bytes.resize(asked.head.length);
            r.into = asked.bytes;
        } else {
            r.bytes = asked.bytes;
        }
        r.done = [](Request&) {};
    }
    return requests;
}

}  // namespace

Result<ReplayReport> replay(const std::string& path, const std::string& image) {
    auto recording = Recording::open(path);
    if (!recording) return std::unexpected(recording.error());
    const RecordingHeader& header = recording->header();
    auto disk = ServedDisk::open({.image = image, .read_only = header.read_only, .seed = header.seed}, nullptr);
    if (!disk) return std::unexpected(disk.error());
    if ((*disk)->bytes() != header.bytes)
        return fail(Errno::inval, image + ": has " + std::to_string((*disk)->bytes()) +
                                      " bytes, and the recorded disk had " + std::to_string(header.bytes));
    ReplayReport report;
    for (;;) {
        auto batch = recording->next();
        if (!batch) return std::unexpected(batch.error());
        if (!*batch) break;
        if ((*batch)->step != (*disk)->steps())
            return fail(Errno::inval, path + ": batch " + std::to_string(report.batches) + " came at step " +
                                          std::to_string((*batch)->step) + ", and this run stands at step " +
                                          std::to_string((*disk)->steps()) + ": is " + image +
                                          " a copy of the image as it was before the recorded run, and was it made by "
                                          "this version of xenrig?");
        for (const auto& [ordinal, why] : (*batch)->failures) (*disk)->fail_storage_at(ordinal, why);
        std::vector<Request> requests = requests_of(**batch);
        std::vector<Request*> asked;
        asked.reserve(requests.size());
        for (Request& r : requests) asked.push_back(&r);
        if (auto served = (*disk)->serve(asked); !served) return std::unexpected(served.error());
        ++report.batches;
        report.requests += requests.size();
    }
    if (auto closed = (*disk)->close(); !closed) return std::unexpected(closed.error());
    report.trace_hash = (*disk)->trace_hash();
    report.steps = (*disk)->steps();
    report.recorded_hash = recording->trace_hash();
    report.torn = recording->torn();
    return report;
}

}  // namespace xenrig::serve
