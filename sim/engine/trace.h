// What happened, step by step: a running hash of all of it, and the last few thousand records for a reader.
//
// Equal choices give equal hashes on any compiler: records hold numbers that every run gives alike (no addresses, no
// source lines, no time of the day).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace xenrig::engine {

enum class Event : std::uint8_t {
    load,
    store,
    rmw,
    barrier,
    step,
    cpu,
    task,
    upcall,
    drain,
    time,
    pick,
    note,
};

struct Record {
    std::uint64_t step;
    std::uint64_t a, b, c;
    /// For notes: a literal. Else null.
    const char* what;
    std::uint16_t cpu;
    Event event;
};

/// A fast hash of bytes, the same on every machine of one endianness: for payload in traces.
std::uint64_t hash_bytes(const void* data, std::size_t length);

class Trace {
public:
    void add(std::uint64_t step, std::uint16_t cpu, Event event, std::uint64_t a, std::uint64_t b, std::uint64_t c,
             const char* what = nullptr) {
        mix(static_cast<std::uint64_t>(event) | std::uint64_t{cpu} << 8 | a << 24);
        mix(b ^ (c << 32 | c >> 32));
        // Field by field: a Record put together elsewhere is read back before its stores have retired.
        Record& r = recent_[count_++ % kRecent];
        r.step = step;
        r.a = a;
        r.b = b;
        r.c = c;
        r.what = what;
        r.cpu = cpu;
        r.event = event;
        if (listener_) [[unlikely]]
            listener_(r);
    }
    /// Hears every record.
    void set_listener(std::function<void(const Record&)> listener) { listener_ = std::move(listener); }
    /// A record with a name, which counts in the hash too.
    void note(std::uint64_t step, std::uint16_t cpu, const char* what, std::uint64_t a, std::uint64_t b,
              std::uint64_t c);

    std::uint64_t hash() const { return hash_; }
    std::uint64_t size() const { return count_; }
    /// The last records, oldest first, at most `n`.
    std::vector<Record> last(std::size_t n) const;

private:
    void mix(std::uint64_t v) {
        hash_ = (hash_ ^ v) * 0x9e3779b97f4a7c15ull;
        hash_ ^= hash_ >> 29;
    }

    static constexpr std::size_t kRecent = 1024;

    std::function<void(const Record&)> listener_;
    std::uint64_t hash_ = 0xcbf29ce484222325ull;
    std::uint64_t count_ = 0;
    /// Not cleared: a world is made and thrown away in microseconds.
    std::unique_ptr<Record[]> recent_ = std::make_unique_for_overwrite<Record[]>(kRecent);
};

/// "1042 d1v0 store ring[12] 4 = 0x7".
std::string describe(const Record& r, std::string_view cpu);

}  // namespace xenrig::engine
