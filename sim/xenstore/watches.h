// Who watches what: an index in which a change meets only the watches on its own way up to the root.
//
// A watch is on a path, existing or not, and fires for changes there and below, down to `depth` levels. Watches on
// other paths cost a change nothing: the walk ends at the first component that nobody watches. Events go out in the
// order of the connections, and of one connection's registrations (watch.c).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace xenrig::xenstore {

class Connection;

struct Watch {
    Connection* owner = nullptr;
    std::uint64_t order = 0;  ///< counts registrations, over all connections
    std::string path;         ///< absolute or special
    std::string token;
    std::size_t prefix = 0;  ///< bytes that the client's own, relative path leaves out
    int depth = -1;          ///< levels below the path; -1 is all
};

/// Which watches a change is for.
enum class Match : std::uint8_t {
    subtree,   ///< at the path and above
    exact,     ///< at the path alone
    depth,     ///< a special event that names its domain: at the path, and above if the watch asked for a depth
    no_depth,  ///< a special event without a domain: at the path, if the watch asked for no depth
};

class WatchIndex {
public:
    void add(Watch& watch);
    void remove(Watch& watch);
    bool empty() const { return count_ == 0; }

    /// The watches that a change at `path` is for, in the order of their events. The list is the index's own and lasts
    /// until the next call.
    const std::vector<Watch*>& matching(std::string_view path, Match match);
    /// The watches at an absolute path and above it, from the root down, the newest first at each place.
    std::vector<Watch*> down_to(std::string_view path) const;
    /// The watches below an absolute path in the order of the alphabet, the newest first at each place.
    std::vector<Watch*> below(std::string_view path) const;
    /// The watches set at exactly this path.
    const std::vector<Watch*>* at(std::string_view path) const;

private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
    };
    struct Place {
        std::unordered_map<std::string, std::unique_ptr<Place>, Hash, std::equal_to<>> below;
        std::vector<Watch*> here;
    };

    static void collect_below(const Place& place, std::vector<Watch*>& watches);
    static bool remove_below(Place& place, std::string_view rest, const Watch& watch);

    Place root_;     ///< of absolute paths
    Place special_;  ///< of "@..."
    std::size_t count_ = 0;
    std::vector<Watch*> matching_;
};

}  // namespace xenrig::xenstore
