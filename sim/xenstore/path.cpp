#include "sim/xenstore/path.h"

#include <array>

namespace xenrig::xenstore {
namespace {

constexpr std::array<bool, 256> kValid = [] {
    std::array<bool, 256> valid{};
    for (unsigned c = '0'; c <= '9'; ++c) valid[c] = true;
    for (unsigned c = 'a'; c <= 'z'; ++c) valid[c] = valid[c - 'a' + 'A'] = true;
    for (const char c : {'-', '/', '_', '@'}) valid[static_cast<unsigned char>(c)] = true;
    return valid;
}();

constexpr std::string_view kHomes = "/local/domain/";

}  // namespace

bool well_formed(std::string_view path) {
    // No way out of the loop: paths are short and nearly always good.
    bool good = true;
    char before = '\0';
    for (const char c : path) {
        good &= kValid[static_cast<unsigned char>(c)] & ((c != '/') | (before != '/'));
        before = c;
    }
    return good && (before != '/' || path.size() == 1);
}

std::size_t counted_length(std::string_view path) {
    if (!path.starts_with(kHomes)) return path.size();
    // As sscanf's %5u reads it: a sign and digits, five characters at most.
    std::size_t at = kHomes.size();
    const std::size_t end = at + 5;
    if (at < path.size() && path[at] == '-') ++at;
    const std::size_t digits = at;
    while (at < path.size() && at < end && path[at] >= '0' && path[at] <= '9') ++at;
    if (at == digits || at == path.size() || path[at] != '/') return path.size();
    return path.size() - (at + 1);
}

std::string_view parent_of(std::string_view path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string_view::npos || slash == 0) return "/";
    return path.substr(0, slash);
}

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::string join(std::string_view parent, std::string_view name) {
    std::string path;
    path.reserve(parent.size() + 1 + name.size());
    if (parent != "/") path = parent;
    path += '/';
    path += name;
    return path;
}

std::string home_of(unsigned domain) { return std::string(kHomes) + std::to_string(domain); }

}  // namespace xenrig::xenstore
