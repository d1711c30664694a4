#include "sim/engine/token.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <map>
#include <optional>

namespace xenrig::engine {

namespace {

constexpr std::string_view kVersion = "x1";
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void put_varint(std::string& out, std::uint64_t v) {
    for (; v >= 0x80; v >>= 7) out += static_cast<char>(0x80 | (v & 0x7f));
    out += static_cast<char>(v);
}

/// Bytes consumed from the front; every read fails softly at the end.
struct Reader {
    std::string_view rest;
    bool bad = false;

    std::uint8_t byte() {
        if (rest.empty()) {
            bad = true;
            return 0;
        }
        const auto b = static_cast<std::uint8_t>(rest.front());
        rest.remove_prefix(1);
        return b;
    }
    std::uint64_t varint() {
        std::uint64_t v = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const std::uint8_t b = byte();
            v |= std::uint64_t{b & 0x7fu} << shift;
            if (b < 0x80) return v;
        }
        bad = true;
        return 0;
    }
};

std::string to_base64(std::string_view bytes) {
    std::string out;
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (const char c : bytes) {
        bits = bits << 8 | static_cast<unsigned char>(c);
        held += 8;
        while (held >= 6) out += kAlphabet[bits >> (held -= 6) & 63];
    }
    if (held != 0) out += kAlphabet[bits << (6 - held) & 63];
    return out;
}

std::optional<std::string> from_base64(std::string_view text) {
    std::string out;
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (const char c : text) {
        const auto digit = kAlphabet.find(c);
        if (digit == std::string_view::npos) return std::nullopt;
        bits = bits << 6 | static_cast<std::uint32_t>(digit);
        held += 6;
        if (held >= 8) out += static_cast<char>(bits >> (held -= 8) & 0xff);
    }
    return out;
}

std::string pack(std::span<const Pick> picks) {
    std::map<StreamKey, std::map<std::uint64_t, std::uint32_t>> streams;
    for (const Pick& p : picks) streams[p.key][p.ordinal] = p.value;
    std::string bytes;
    put_varint(bytes, streams.size());
    for (const auto& [key, list] : streams) {
        for (unsigned shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(key >> shift & 0xff);
        put_varint(bytes, list.size());
        std::uint64_t previous = 0;
        for (const auto& [ordinal, value] : list) {
            put_varint(bytes, ordinal - previous);
            put_varint(bytes, value);
            previous = ordinal;
        }
    }
    return bytes;
}

std::optional<std::vector<Pick>> unpack(std::string_view bytes) {
    Reader in{bytes};
    std::vector<Pick> picks;
    for (std::uint64_t streams = in.varint(); streams != 0 && !in.bad; --streams) {
        StreamKey key = 0;
        for (unsigned shift = 0; shift < 32; shift += 8) key |= StreamKey{in.byte()} << shift;
        std::uint64_t ordinal = 0;
        for (std::uint64_t count = in.varint(); count != 0 && !in.bad; --count) {
            ordinal += in.varint();
            picks.push_back({key, static_cast<std::uint32_t>(in.varint()), ordinal});
        }
    }
    if (in.bad || !in.rest.empty()) return std::nullopt;
    return picks;
}

}  // namespace

std::string encode(const Token& token) {
    char hash[9];
    std::snprintf(hash, sizeof hash, "%08x", token.scenario_hash);
    return std::string(kVersion) + "." + token.scenario + "." + hash + "." + token.options + "." +
           to_base64(pack(token.picks));
}

Result<Token> decode(std::string_view text) {
    std::vector<std::string_view> fields;
    for (std::string_view rest = text;;) {
        const auto dot = rest.find('.');
        fields.push_back(rest.substr(0, dot));
        if (dot == std::string_view::npos) break;
        rest.remove_prefix(dot + 1);
    }
    if (fields.size() != 5 || fields[0] != kVersion)
        return fail(Errno::inval, "this is no token: it should read x1.SCENARIO.HASH.OPTIONS.PICKS (was it cut off?)");

    Token token{std::string(fields[1]), 0, std::string(fields[3]), {}};
    const auto [end, error] =
        std::from_chars(fields[2].data(), fields[2].data() + fields[2].size(), token.scenario_hash, 16);
    if (error != std::errc{} || end != fields[2].data() + fields[2].size())
        return fail(Errno::inval,
                    "this token's scenario hash '" + std::string(fields[2]) + "' is no hexadecimal number");
    const auto bytes = from_base64(fields[4]);
    auto picks = bytes ? unpack(*bytes) : std::nullopt;
    if (!picks)
        return fail(Errno::inval, "this token's list of picks is damaged: copy all of it, to the last character");
    // Picks are kept in the order of the run elsewhere; a token has no such order, so it has one of its own.
    token.picks = std::move(*picks);
    return token;
}

}  // namespace xenrig::engine
