// A recording, read batch by batch, and the run that it is replayed in.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sim/serve/recorder.h"

namespace xenrig::serve {

/// The file's first line: "xenrig-serve-recording 1 bytes=16777216 seed=7 read-only=0", without a seed "seed=none".
std::string header_line(const RecordingHeader& header);

/// Requests that entered the world at one step.
struct Batch {
    struct Asked {
        RecordHead head;
        std::vector<std::byte> bytes;
    };
    std::uint64_t step = 0;
    std::vector<Asked> asked;
    /// Storage operations, by ordinal, that failed while it was worked on.
    std::vector<std::pair<std::uint64_t, Errno>> failures;
};

class Recording {
public:
    /// EINVAL, naming the file, when it is none or of another version.
    static Result<Recording> open(const std::string& path);

    const RecordingHeader& header() const { return header_; }

    /// Nothing at the end. A last batch that is not whole, because the recorder was killed, counts as the end.
    /// EINVAL for what no recorder writes.
    Result<std::optional<Batch>> next();

    /// Known once the end was reached, and only if the world had ended in order.
    std::optional<std::uint64_t> trace_hash() const { return trace_hash_; }
    /// The end was reached, and something lay behind the last whole batch.
    bool torn() const { return torn_; }

private:
    Recording(std::string path, FilePtr file, RecordingHeader header)
        : path_(std::move(path)), file_(std::move(file)), header_(header) {}
    bool fetch();
    bool read(void* bytes, std::size_t length);

    std::string path_;
    FilePtr file_;
    RecordingHeader header_;
    /// The record that was read and belongs to what comes next.
    std::optional<RecordHead> head_;
    std::optional<std::uint64_t> trace_hash_;
    bool torn_ = false;
};

struct ReplayReport {
    std::uint64_t trace_hash = 0, steps = 0;
    std::uint64_t batches = 0, requests = 0;
    /// The recorded run's, when it ended in order.
    std::optional<std::uint64_t> recorded_hash;
    bool torn = false;

    bool same() const { return !recorded_hash || *recorded_hash == trace_hash; }
};

/// Runs a recording again on `image`, which it writes to: a copy of what the image was when the recording began.
/// EINVAL where the run leaves the recorded one: another image, or another xenrig.
Result<ReplayReport> replay(const std::string& recording, const std::string& image);

}  // namespace xenrig::serve
