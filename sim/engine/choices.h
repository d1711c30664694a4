// The one source of everything that is not determined.
//
// A choice is keyed by its stream (whose decision: "d1v0.run", "disk0.latency") and its ordinal within the stream; 0 is
// always the mildest answer. So a run is its picks that are not 0, and taking one of them away shifts no other.
// A stream knows the next ordinal at which its answer may be other than 0: all before it cost one comparison.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace xenrig::engine {

/// How a source should treat a stream: `schedule` is asked at every shared access and mostly stays, `sync` the same at
/// every lock, of which there are many more; `data` is uniform; `fault` is rare.
enum class StreamKind : std::uint8_t { schedule, sync, data, fault };

/// A stream's name in a token: the hash of its name, so it does not depend on the order in which streams are made.
using StreamKey = std::uint32_t;

StreamKey stream_key(std::string_view name);

/// How old a load's value is, where the memory model allows several.
inline constexpr std::string_view kAgeStream = "memory.age";

/// What gives the answers. Implementations: sources.h.
class Source {
public:
    virtual ~Source() = default;
    /// The first ordinal, not before `from`, at which answer() may be other than 0.
    virtual std::uint64_t next(StreamKey key, StreamKind kind, std::uint64_t from) = 0;
    /// Any number; it is taken modulo `n`.
    virtual std::uint32_t answer(StreamKey key, StreamKind kind, std::uint64_t ordinal, std::uint32_t n) = 0;
};

/// A pick that was not 0.
struct Pick {
    StreamKey key;
    std::uint32_t value;
    std::uint64_t ordinal;
    friend bool operator==(const Pick&, const Pick&) = default;
};

using StreamId = std::uint32_t;

class Choices {
public:
    explicit Choices(Source& source) : source_(source) {}

    /// Streams of one name are one stream.
    StreamId add_stream(std::string_view name, StreamKind kind);

    /// Between 0 and n - 1; n is at least 1.
    std::uint32_t pick(StreamId id, std::uint32_t n) {
        Stream& s = streams_[id];
        const std::uint64_t ordinal = s.ordinal++;
        if (ordinal < s.next) [[likely]]
            return 0;
        return ask(s, ordinal, n);
    }

    /// True when the stream's next answer is 0 for certain, and counts it: the inline half of a choice point, which
    /// need not know how many alternatives there are.
    bool pass(StreamId id) {
        Stream& s = streams_[id];
        if (s.ordinal < s.next) [[likely]] {
            ++s.ordinal;
            return true;
        }
        return false;
    }

    /// The source has other answers from here on: each stream asks it anew.
    void renew();

    /// All that were not 0, in the order of the run.
    const std::vector<Pick>& picks() const { return picks_; }
    /// Choices made, 0 or not.
    std::uint64_t made() const;
    std::string_view stream_name(StreamKey key) const;

private:
    struct Stream {
        std::uint64_t ordinal = 0;
        std::uint64_t next = 0;
        StreamKey key = 0;
        StreamKind kind{};
        std::string name;
    };

    std::uint32_t ask(Stream& s, std::uint64_t ordinal, std::uint32_t n);

    Source& source_;
    std::vector<Stream> streams_;
    std::vector<Pick> picks_;
};

}  // namespace xenrig::engine
