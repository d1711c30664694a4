// What a guest may use of the store, and how the limits are named on the wire (GET_QUOTA, CONTROL quota).
//
// A value is refused when it reaches the limit, so a guest gets one less than the number says; 0 is no limit, and
// privileged domains have none. Defaults: domain.c of C xenstored's head.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace xenrig::xenstore {

enum class Quota : std::uint8_t {
    nodes,
    watches,
    outstanding,
    memory,
    transactions,
    transaction_nodes,
    node_permissions,
    path_max,
    node_size,
};
inline constexpr std::size_t kQuotas = 9;

inline constexpr std::uint32_t kQuotaDisabled = UINT32_MAX;

struct QuotaName {
    std::string_view name;
    const char* description;
};
inline constexpr std::array<QuotaName, kQuotas> kQuotaNames{{
    {"nodes", "Nodes per domain"},
    {"watches", "Watches per domain"},
    {"outstanding", "Outstanding requests per domain"},
    {"memory", "Total Xenstore memory per domain"},
    {"transactions", "Active transactions per domain"},
    {"transaction-nodes", "Max. number of accessed nodes per transaction"},
    {"node-permissions", "Max. number of permissions per node"},
    {"path-max", "Max. length of a node path"},
    {"node-size", "Max. size of a node"},
}};

struct Limits {
    std::array<std::uint32_t, kQuotas> hard{1000, 128, 20, 2'621'440, 10, 1024, 5, 2048, 2048};
    /// A soft limit only makes the daemon complain. None but memory has one.
    std::array<std::uint32_t, kQuotas> soft{kQuotaDisabled, kQuotaDisabled, kQuotaDisabled,
                                            2'097'152,      kQuotaDisabled, kQuotaDisabled,
                                            kQuotaDisabled, kQuotaDisabled, kQuotaDisabled};

    /// "memory" or "soft-memory"; null for a name that there is not, or a limit that is disabled.
    std::uint32_t* find(std::string_view name);
};

/// What a domain uses, and the most it has used.
struct Usage {
    std::array<std::uint32_t, kQuotas> value{};
    std::array<std::uint32_t, kQuotas> max{};

    std::uint32_t& operator[](Quota q) { return value[static_cast<std::size_t>(q)]; }
    std::uint32_t operator[](Quota q) const { return value[static_cast<std::size_t>(q)]; }
    /// Never below 0: a domain may lose what was not charged to it, such as a node that was another's when it was
    /// written and whose owner was gone when the transaction ended.
    void add(Quota q, std::int64_t n) {
        const auto i = static_cast<std::size_t>(q);
        value[i] = static_cast<std::uint32_t>(std::clamp<std::int64_t>(value[i] + n, 0, INT32_MAX));
        if (value[i] > max[i]) max[i] = value[i];
    }
    void note_max(Quota q, std::uint32_t n) {
        const auto i = static_cast<std::size_t>(q);
        if (n > max[i]) max[i] = n;
    }
};

}  // namespace xenrig::xenstore
