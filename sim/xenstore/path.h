// Paths of the store: which strings are paths, and how they come apart.
//
// A path is absolute, relative to the home of the connection, or special ("@..."). Letters are exactly A-Z a-z 0-9 and
// - / _ @ (docs/misc/xenstore.txt; core.c, canonicalize).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace xenrig::xenstore {

/// Whether an absolute or special path has valid letters only, no "//", and no "/" at its end, unless it is "/".
bool well_formed(std::string_view path);
/// The length that the path quota counts: what is below /local/domain/<number>/, or all of it.
std::size_t counted_length(std::string_view path);

/// "/" for "/a", for "/" and for "@releaseDomain".
std::string_view parent_of(std::string_view path);
std::string_view base_name(std::string_view path);

/// The components of an absolute path, one after the other.
class Components {
public:
    explicit Components(std::string_view path) : rest_(path.substr(1)) {}
    bool done() const { return rest_.empty(); }
    std::string_view next() {
        const std::size_t slash = rest_.find('/');
        const std::string_view component = rest_.substr(0, slash);
        rest_.remove_prefix(slash == std::string_view::npos ? rest_.size() : slash + 1);
        return component;
    }

private:
    std::string_view rest_;
};

/// `parent` and a child's name, as one path.
std::string join(std::string_view parent, std::string_view name);

/// A domain's home: "/local/domain/7".
std::string home_of(unsigned domain);

}  // namespace xenrig::xenstore
