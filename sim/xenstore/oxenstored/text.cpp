#include "sim/xenstore/oxenstored/text.h"

#include <algorithm>

#include "sim/xenstore/path.h"

namespace xenrig::xenstore::oxen {
namespace {

constexpr std::size_t kPathMax = 1024;
constexpr std::string_view kHomes = "/local/domain/";
constexpr std::uint64_t kIntMask = UINT64_MAX >> 1;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The length that the limit counts: below a domain's home, or all of it. As Scanf's "%d/" reads the number.
std::size_t counted(std::string_view path) {
    if (!path.starts_with(kHomes)) return path.size();
    std::size_t at = kHomes.size();
    if (at < path.size() && (path[at] == '-' || path[at] == '+')) ++at;
    if (at == path.size() || !is_digit(path[at])) return path.size();
    while (at < path.size() && (is_digit(path[at]) || path[at] == '_')) ++at;
    return at < path.size() && path[at] == '/' ? path.size() - at - 1 : path.size();
}

unsigned digit_value(char c) {
    if (is_digit(c)) return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10;
    if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A') + 10;
    return 16;
}

}  // namespace

std::vector<std::string_view> split(std::string_view payload, std::size_t limit) {
    std::vector<std::string_view> pieces;
    while (pieces.size() + 1 < limit) {
        const std::size_t nul = payload.find('\0');
        if (nul == std::string_view::npos) break;
        pieces.push_back(payload.substr(0, nul));
        payload.remove_prefix(nul + 1);
    }
    pieces.push_back(payload);
    return pieces;
}

Outcome<std::string> parse_path(std::string_view text, std::string_view home) {
    if (text.empty()) return refuse("EINVAL");
    std::string path(text);
    if (text.front() != '/' && text.front() != '@') path.insert(0, std::string(home) + '/');
    if (counted(path) > kPathMax) return refuse("EINVAL");
    if (path.front() == '@') {
        std::ranges::replace(path, '/', '\0');
        return '/' + path;
    }
    if (!well_formed(path)) return refuse("EINVAL");
    return path;
}

std::string shown(std::string_view path) {
    std::string text(path);
    std::ranges::replace(text, '\0', '/');
    return text;
}

std::optional<std::int64_t> int_of_string(std::string_view text) {
    bool negative = false;
    if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
        negative = text.front() == '-';
        text.remove_prefix(1);
    }
    unsigned base = 10;
    bool is_signed = true;
    if (text.size() >= 2 && text[0] == '0') {
        const std::size_t prefix = std::string_view("xXoObBuU").find(text[1]);
        if (prefix != std::string_view::npos) {
            base = prefix < 2 ? 16 : prefix < 4 ? 8 : prefix < 6 ? 2 : 10;
            is_signed = false;
            text.remove_prefix(2);
        }
    }
    if (text.empty() || digit_value(text.front()) >= base) return std::nullopt;
    std::uint64_t value = 0;
    for (const char c : text) {
        if (c == '_') continue;
        const unsigned digit = digit_value(c);
        if (digit >= base || value > (kIntMask - digit) / base) return std::nullopt;
        value = value * base + digit;
    }
    constexpr std::uint64_t kMax = kIntMask >> 1;
    if (is_signed && value > kMax + (negative ? 1 : 0)) return std::nullopt;
    // 63 bits, the highest of which is the sign.
    const std::uint64_t bits = (negative ? 0 - value : value) << 1;
    return static_cast<std::int64_t>(bits) >> 1;
}

std::uint64_t first_number(std::string_view text) {
    const auto first = std::ranges::find_if(text, is_digit);
    std::uint64_t value = 0;
    for (auto at = first; at != text.end() && is_digit(*at); ++at)
        value = (value * 10 + static_cast<unsigned>(*at - '0')) & kIntMask;
    return value;
}

Outcome<Perms> parse_perms(std::string_view text) {
    auto pieces = split(text, SIZE_MAX);
    // What follows the last nul is left out.
    pieces.pop_back();
    if (pieces.empty()) return refuse("EINVAL");
    std::vector<Perm> entries;
    for (const std::string_view piece : pieces) {
        const std::size_t access =
            piece.empty() ? std::string_view::npos : std::string_view("nrwb").find(piece.front());
        if (access == std::string_view::npos) return refuse("EINVAL");
        const auto id = int_of_string(piece.substr(1));
        if (!id) return refuse("EINVAL");
        entries.push_back({static_cast<std::uint32_t>(*id), static_cast<std::uint8_t>(access), false});
    }
    return make_perms(std::move(entries));
}

std::string perms_text(const Perms& perms) {
    std::string text;
    for (const Perm& perm : perms->entries()) {
        const auto id = static_cast<std::uint64_t>(std::int64_t{static_cast<std::int32_t>(perm.domain)}) & kIntMask;
        text.push_back("nrwb"[perm.access & (kRead | kWrite)]);
        text.append(std::to_string(id)).push_back('\0');
    }
    return text;
}

}  // namespace xenrig::xenstore::oxen
