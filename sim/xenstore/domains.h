// The domains that the store knows: those that were introduced, and those that a node's permissions name.
//
// A domain's generation is the store's when it was first heard of. A permission entry in an older node than that was
// meant for an earlier domain of the same number, and grants nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "sim/xenstore/perms.h"
#include "sim/xenstore/quota.h"
#include "xenrig/abi/types.h"

namespace xenrig::xenstore {

class Connection;
class Environment;

/// Bits of the `server_features` of a ring page and of GET_FEATURE (io/xs_wire.h; the last two are head's).
inline constexpr std::uint32_t kFeatureError = 2;
inline constexpr std::uint32_t kFeatureWatchDepth = 4;
inline constexpr std::uint32_t kFeatureDomIdAny = 8;
inline constexpr std::uint32_t kFeatures = kFeatureError | kFeatureWatchDepth | kFeatureDomIdAny;

struct Domain {
    DomId id;
    bool introduced = false;
    bool shutdown = false;
    bool gone = false;  ///< its nodes are being removed; no permission means it any more
    std::uint32_t features = kFeatures;
    std::uint64_t generation = 0;
    Connection* connection = nullptr;  ///< its ring; none for a domain that is only named
    Usage usage;
    Limits limits;

    bool privileged() const { return id.value == 0; }
    /// Whether `value` reaches the domain's limit.
    bool exceeds(Quota q, std::uint64_t value) const {
        const std::uint32_t limit = limits.hard[static_cast<std::size_t>(q)];
        return limit != 0 && !privileged() && value >= limit;
    }
};

class Domains {
public:
    explicit Domains(Environment& environment) : environment_(environment) {}

    Domain* find(std::uint32_t id) const { return id < domains_.size() ? domains_[id].get() : nullptr; }
    /// Makes one that is not introduced.
    Domain& add(DomId id, std::uint64_t generation);
    /// The domain, or a new one if Xen says that it exists; null if not.
    Domain* find_existing(std::uint32_t id, std::uint64_t generation);
    void remove(DomId id) { domains_[id.value] = nullptr; }
    /// Room for every id that may be in use.
    std::uint32_t end() const { return static_cast<std::uint32_t>(domains_.size()); }

    /// Whether an entry of a node of this generation still means the domain that it meant.
    bool means(const Perm& entry, std::uint64_t node_generation) const {
        if (entry.domain == kDomIdAny) return true;
        const Domain* domain = find(entry.domain);
        return domain != nullptr && !domain->gone && domain->generation <= node_generation;
    }
    /// The list without the entries that mean no domain any more.
    Perms current(const Perms& list, std::uint64_t node_generation) const;

    Limits global_limits;
    Usage global_usage;

private:
    Environment& environment_;
    std::vector<std::unique_ptr<Domain>> domains_;
};

}  // namespace xenrig::xenstore
