// Both directories of a device at each change of the store: what anybody who looks could have seen, and nothing else.
//
// sample() is called before each step of the world, outside any vCPU; a transaction's writes come at once, as they do
// for a reader.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace xenrig::xenstore {
class Store;
}

namespace xenrig::conformance {

using Nodes = std::map<std::string, std::string>;

struct StoreMoment {
    Nodes frontend, backend;
};

class StoreHistory {
public:
    StoreHistory(xenstore::Store& store, std::string frontend, std::string backend)
        : store_(store), frontend_(std::move(frontend)), backend_(std::move(backend)) {}

    void sample();
    const std::vector<StoreMoment>& moments() const { return moments_; }

    /// The values that a node took, one after the other: "1 2 4". `whose` is &StoreMoment::frontend or backend.
    std::vector<std::string> values(Nodes StoreMoment::* whose, const std::string& node) const;
    /// The first moment at which the state is one of these characters; null when it never was.
    const StoreMoment* first(Nodes StoreMoment::* whose, const std::string& states) const;

private:
    Nodes look(const std::string& path) const;

    xenstore::Store& store_;
    const std::string frontend_, backend_;
    std::uint64_t generation_ = ~0ull;
    std::vector<StoreMoment> moments_;
};

/// The node's value, or "" when it is not there.
std::string value_of(const Nodes& nodes, const std::string& name);

/// "1 2 4": for a report.
std::string joined(const std::vector<std::string>& words);

}  // namespace xenrig::conformance
