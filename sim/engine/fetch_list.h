// What one decision has fetched from pages that a peer can write: fetching the same bytes twice is the bug of XSA-155.
//
// A list of ranges for each task, from one new_decision() to the next; ring indices, which are polled, don't count.
#pragma once

#include <cstddef>
#include <source_location>
#include <vector>

namespace xenrig::engine {

class FetchList {
public:
    struct Fetched {
        const std::byte* at;
        std::size_t length;
        std::source_location where;
    };

    /// The earlier fetch that this one repeats in part or whole, or null.
    const Fetched* add(const std::byte* at, std::size_t length, std::source_location where) {
        for (const Fetched& f : list_)
            if (at < f.at + f.length && f.at < at + length) return &f;
        if (list_.size() < kMax) list_.push_back({at, length, where});
        return nullptr;
    }
    void clear() { list_.clear(); }

private:
    static constexpr std::size_t kMax = 64;
    std::vector<Fetched> list_;
};

}  // namespace xenrig::engine
