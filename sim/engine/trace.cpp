#include "sim/engine/trace.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace xenrig::engine {

std::uint64_t hash_bytes(const void* data, std::size_t length) {
    const auto* p = static_cast<const unsigned char*>(data);
    std::uint64_t lanes[4] = {length, 1, 2, 3};
    std::size_t i = 0;
    for (; i + 32 <= length; i += 32) {
        for (std::size_t lane = 0; lane < 4; ++lane) {
            std::uint64_t v;
            std::memcpy(&v, p + i + 8 * lane, 8);
            lanes[lane] = (lanes[lane] ^ v) * 0x9e3779b97f4a7c15ull;
            lanes[lane] ^= lanes[lane] >> 32;
        }
    }
    for (; i < length; ++i) lanes[0] = (lanes[0] ^ p[i]) * 0x100000001b3ull;
    std::uint64_t h = 0;
    for (const std::uint64_t lane : lanes) h = (h ^ lane) * 0xff51afd7ed558ccdull, h ^= h >> 33;
    return h;
}

void Trace::note(std::uint64_t step, std::uint16_t cpu, const char* what, std::uint64_t a, std::uint64_t b,
                 std::uint64_t c) {
    mix(hash_bytes(what, std::strlen(what)));
    add(step, cpu, Event::note, a, b, c, what);
}

std::vector<Record> Trace::last(std::size_t n) const {
    const std::uint64_t kept = std::min<std::uint64_t>({n, count_, kRecent});
    std::vector<Record> records;
    records.reserve(kept);
    for (std::uint64_t i = count_ - kept; i < count_; ++i) records.push_back(recent_[i % kRecent]);
    return records;
}

std::string describe(const Record& r, std::string_view cpu) {
    static constexpr const char* kNames[] = {"load", "store",  "rmw",   "barrier", "step", "cpu",
                                             "task", "upcall", "drain", "time",    "pick", "note"};
    char line[160];
    std::snprintf(line, sizeof line, "%8llu %-8.*s %-10s %#llx %#llx %#llx", static_cast<unsigned long long>(r.step),
                  static_cast<int>(cpu.size()), cpu.data(), r.what ? r.what : kNames[static_cast<std::size_t>(r.event)],
                  static_cast<unsigned long long>(r.a), static_cast<unsigned long long>(r.b),
                  static_cast<unsigned long long>(r.c));
    return line;
}

}  // namespace xenrig::engine
