// What came into a served world from outside, in a file: enough to run it again, step by step (docs/howto-serve.md has
// the format).
//
// A batch is in the file before the world works on it, so a world that crashes over a request leaves the request
// behind. All numbers are little-endian.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sim/serve/request.h"

namespace xenrig::serve {

/// What a replay has to know before anything is asked.
struct RecordingHeader {
    std::uint64_t bytes = 0;  ///< of the disk
    std::optional<std::uint64_t> seed;
    bool read_only = false;
};

enum class RecordKind : std::uint8_t { read = 'r', write = 'w', flush = 'f', storage_failed = 'x', end = 'e' };

/// A record's fixed part; a write's bytes follow it.
struct RecordHead {
    RecordKind kind{};
    std::uint8_t durable = 0;
    std::uint16_t zero = 0;
    /// Bytes of a read or write; the error number of a failure.
    std::uint32_t length = 0;
    /// Records of requests with the same step are one batch.
    std::uint64_t step = 0;
    /// Bytes; the ordinal of the storage operation that failed; the trace's hash at the end.
    std::uint64_t offset = 0;
};
static_assert(sizeof(RecordHead) == 24);

struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
};
using FilePtr = std::unique_ptr<std::FILE, CloseFile>;

class Recorder {
public:
    /// Makes the file, or empties it. Every error names it.
    static Result<std::unique_ptr<Recorder>> create(const std::string& path, const RecordingHeader& header);

    void asked(std::uint64_t step, std::span<Request* const> batch);
    void storage_failed(std::uint64_t step, std::uint64_t ordinal, Errno why);
    /// The world has ended in order.
    void end(std::uint64_t step, std::uint64_t trace_hash);

    /// The first thing that went wrong; nothing is recorded after it, for a recording with a hole replays as nonsense.
    const Result<>& state() const { return state_; }

private:
    Recorder(std::string path, FilePtr file) : path_(std::move(path)), file_(std::move(file)) {}
    void put(const void* bytes, std::size_t length);
    void put(const RecordHead& head) { put(&head, sizeof head); }
    void flush();

    std::string path_;
    FilePtr file_;
    Result<> state_;
};

}  // namespace xenrig::serve
