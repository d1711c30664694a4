// What payloads and paths are made of, for the plain model: strings that end in a nul, names between slashes, numbers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "tests/model/conversation.h"

namespace xenrig::model {

/// DOMID_ANY, and DOMID_SELF: in permissions, everybody; in requests, the caller.
inline constexpr std::uint32_t kAnyDomain = 0x7FF5, kSelf = 0x7FF0;
/// XENSTORE_SERVER_FEATURE_*.
inline constexpr std::uint32_t kFeatures = 14, kFeatureWatchDepth = 4, kFeatureAnyDomain = 8;

inline std::string parent_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}
inline std::string name_in(const std::string& path) { return path.substr(path.rfind('/') + 1); }
inline std::string below(const std::string& path, const std::string& child) {
    return (path == "/" ? "" : path) + "/" + child;
}
inline std::string home_of(std::uint16_t id) { return "/local/domain/" + std::to_string(id); }
inline std::uint16_t id_of(const std::string& connection) { return is_ring(connection) ? domain_of(connection) : 0; }

/// How many levels `path` lies below `top`; less than 0 if it does not.
inline int levels_below(const std::string& top, const std::string& path) {
    if (path == top) return 0;
    const std::string start = top == "/" ? top : top + "/";
    if (!path.starts_with(start) || path.front() != top.front()) return -1;
    return 1 + static_cast<int>(std::count(path.begin() + static_cast<std::ptrdiff_t>(start.size()), path.end(), '/'));
}

inline std::vector<std::string> strings_of(const std::string& payload) {
    std::vector<std::string> strings(1);
    for (const char c : payload) {
        if (c == '\0')
            strings.emplace_back();
        else
            strings.back() += c;
    }
    strings.pop_back();
    return strings;
}
inline bool is_one_string(const std::string& payload) {
    return !payload.empty() && payload.find('\0') == payload.size() - 1;
}
inline long number_in(const std::string& text) { return std::strtol(text.c_str(), nullptr, 10); }
inline std::string with_nul(std::string text) { return text.append(1, '\0'); }

/// A transaction's list may hold a name twice: of a child that was removed outside and then made anew in it.
inline void erase_first(std::vector<std::string>& names, const std::string& name) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found != names.end()) names.erase(found);
}

inline std::optional<std::uint16_t> parse_domain(const std::string& text) {
    char* end = nullptr;
    const unsigned long id = std::strtoul(text.c_str(), &end, 10);
    if (*end != '\0' || id > UINT16_MAX) return std::nullopt;
    return static_cast<std::uint16_t>(id);
}

}  // namespace xenrig::model
