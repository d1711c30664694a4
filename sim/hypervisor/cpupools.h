// Pools of processors, each with its scheduler, to which domains belong (sched/cpupool.c). Pool 0 is there from the
// beginning, with every processor.
//
// A pool says where its domains may run; here they run wherever the one scheduler lets them (credit.h).
#pragma once

#include <cstdint>
#include <map>

namespace xenrig::hypervisor {

class Host;

class Cpupools {
public:
    struct Pool {
        /// XEN_SCHEDULER_*
        std::uint32_t scheduler;
        /// A bit a processor.
        std::uint64_t processors;
    };
    /// Up to 64 processors; a number says how many.
    explicit Cpupools(std::uint32_t processors);

    /// A new, empty one; of any number when `id` is kAny, and then it is told. 0 or a negated Errno, like all that
    /// follow.
    std::int64_t create(std::uint32_t& id, std::uint32_t scheduler);
    /// Only an empty one, without domains.
    std::int64_t destroy(const Host& host, std::uint32_t id);
    std::int64_t add(std::uint32_t id, std::uint32_t processor);
    /// Not the last one under domains.
    std::int64_t remove(const Host& host, std::uint32_t id, std::uint32_t processor);
    /// Null where there is none.
    const Pool* find(std::uint32_t id) const;
    /// The first one of that number or a higher one.
    const std::map<std::uint32_t, Pool>& all() const { return pools_; }
    /// In no pool.
    std::uint64_t free() const { return free_; }
    std::uint32_t processors() const { return processors_; }

    static constexpr std::uint32_t kAny = ~0u;

private:
    std::uint32_t processors_;
    std::uint64_t free_ = 0;
    std::map<std::uint32_t, Pool> pools_;
};

/// Domains that belong to a pool.
std::uint32_t domains_in_pool(const Host& host, std::uint32_t id);

}  // namespace xenrig::hypervisor
