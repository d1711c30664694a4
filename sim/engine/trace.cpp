#include "sim/engine/trace.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace xenrig::engine {

namespace {

/// Both halves of the product. Compilers leave it scalar: one multiplication for 16 bytes, where a 64-bit product for
/// each 8 is made of six narrower ones once it is vectorised.
std::uint64_t folded_product(std::uint64_t a, std::uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

/// 16 bytes into one lane.
void absorb(std::uint64_t& lane, const unsigned char* p) {
    std::uint64_t words[2];
    std::memcpy(words, p, sizeof words);
    lane ^= folded_product(words[0] ^ 0x9e3779b97f4a7c15ull, words[1] ^ lane);
}

}  // namespace

std::uint64_t hash_bytes(const void* data, std::size_t length) {
    const auto* p = static_cast<const unsigned char*>(data);
    std::uint64_t a = length + 0x100000001b3ull, b = 1, c = 2, d = 3;
    std::size_t left = length;
    for (; left >= 64; left -= 64, p += 64) {
        absorb(a, p);
        absorb(b, p + 16);
        absorb(c, p + 32);
        absorb(d, p + 48);
    }
    for (; left >= 16; left -= 16, p += 16) absorb(a, p);
    unsigned char rest[16] = {};
    if (left != 0) std::memcpy(rest, p, left);
    absorb(a, rest);
    std::uint64_t h = 0;
    for (const std::uint64_t lane : {a, b, c, d}) h = (h ^ lane) * 0xff51afd7ed558ccdull, h ^= h >> 33;
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
