#include "sim/hypervisor/cpupools.h"

#include <algorithm>
#include <bit>
#include <iterator>

#include "sim/hypervisor/answer.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/tools_abi.h"

namespace xenrig::hypervisor {

namespace {

constexpr std::uint32_t kProcessorsMax = 64;

constexpr std::uint64_t bit(std::uint32_t processor) { return std::uint64_t{1} << processor; }

/// Those that Xen is built with.
bool is_scheduler(std::uint32_t id) { return id == XEN_SCHEDULER_CREDIT || id == XEN_SCHEDULER_CREDIT2; }

}  // namespace

Cpupools::Cpupools(std::uint32_t processors) : processors_(std::clamp(processors, 1u, kProcessorsMax)) {
    pools_[0] = {XEN_SCHEDULER_CREDIT2, ~0ull >> (kProcessorsMax - processors_)};
}

const Cpupools::Pool* Cpupools::find(std::uint32_t id) const {
    const auto found = pools_.find(id);
    return found == pools_.end() ? nullptr : &found->second;
}

std::int64_t Cpupools::create(std::uint32_t& id, std::uint32_t scheduler) {
    if (pools_.size() >= std::size_t{2} * processors_) return -error(Errno::nospc);
    if (id != kAny && pools_.contains(id)) return -error(Errno::exist);
    if (!is_scheduler(scheduler)) return -error(Errno::noent);
    if (id == kAny) id = pools_.rbegin()->first + 1;
    pools_[id] = {scheduler, 0};
    return 0;
}

std::int64_t Cpupools::destroy(const Host& host, std::uint32_t id) {
    const Pool* pool = find(id);
    if (!pool) return -error(Errno::noent);
    if (pool->processors != 0 || domains_in_pool(host, id) != 0) return -error(Errno::busy);
    pools_.erase(id);
    return 0;
}

std::int64_t Cpupools::add(std::uint32_t id, std::uint32_t processor) {
    const auto pool = pools_.find(id);
    if (pool == pools_.end()) return -error(Errno::noent);
    if (processor == kAny) {
        if (free_ == 0) return -error(Errno::nodev);
        processor = static_cast<std::uint32_t>(std::countr_zero(free_));
    }
    if (processor >= processors_) return -error(Errno::inval);
    if ((free_ & bit(processor)) == 0) return -error(Errno::nodev);
    free_ &= ~bit(processor);
    pool->second.processors |= bit(processor);
    return 0;
}

std::int64_t Cpupools::remove(const Host& host, std::uint32_t id, std::uint32_t processor) {
    const auto pool = pools_.find(id);
    if (pool == pools_.end()) return -error(Errno::noent);
    std::uint64_t& has = pool->second.processors;
    if (processor == kAny)
        processor = has == 0 ? processors_ : kProcessorsMax - 1 - static_cast<std::uint32_t>(std::countl_zero(has));
    // Processor 0 stays in pool 0.
    if (processor >= processors_ || (id == 0 && processor == 0)) return -error(Errno::inval);
    if ((has & bit(processor)) == 0) return -error(Errno::addrnotavail);
    if (has == bit(processor) && domains_in_pool(host, id) != 0) return -error(Errno::busy);
    has &= ~bit(processor);
    free_ |= bit(processor);
    return 0;
}

std::uint32_t domains_in_pool(const Host& host, std::uint32_t id) {
    return static_cast<std::uint32_t>(
        std::ranges::count_if(host.domains(), [&](DomId dom) { return host.find(dom)->cpupool == id; }));
}

}  // namespace xenrig::hypervisor
