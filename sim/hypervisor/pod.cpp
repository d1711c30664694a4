#include "sim/hypervisor/pod.h"

#include <algorithm>
#include <utility>

#include "sim/hypervisor/answer.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

PodCache::PodCache(Host& host, Domain& domain) : host_(host), domain_(domain) { recent_.fill(kNoGfn); }

/// What the guest gets from here reads as zeroes, whoever had it before.
void PodCache::add(Mfn mfn) {
    host_.memory.set_gfn(mfn, kNoGfn);
    host_.memory.clear(mfn);
    cache_.push_back(mfn);
}

std::int64_t PodCache::mark(Gfn gfn, unsigned order) {
    const std::uint64_t count = std::uint64_t{1} << order;
    if (!domain_.translated() || gfn >= Physmap::kEnd || Physmap::kEnd.value - gfn.value < count)
        return -error(Errno::inval);
    for (std::uint64_t i = 0; i < count; ++i)
        if (domain_.physmap.at(Gfn{gfn.value + i}).type == PageType::ram) return -error(Errno::busy);
    for (std::uint64_t i = 0; i < count; ++i) {
        const Gfn at{gfn.value + i};
        if (domain_.physmap.at(at).type == PageType::pod) continue;
        if (!domain_.physmap.fits(at)) return -error(Errno::nomem);
        host_.set_physmap(domain_, at, Mfn{0}, PageType::pod);
        ++entries_;
    }
    return 0;
}

std::int64_t PodCache::resize(std::uint64_t target) {
    while (cache_.size() < target) {
        const auto mfn = host_.allocate(domain_);
        if (!mfn) return -error(Errno::nomem);
        add(*mfn);
    }
    shrink(target);
    return 0;
}

void PodCache::shrink(std::uint64_t target) {
    while (cache_.size() > target) {
        const Mfn mfn = cache_.front();
        cache_.pop_front();
        host_.put_frame(mfn);
    }
}

std::int64_t PodCache::set_target(std::uint64_t frames) {
    const std::uint64_t populated = domain_.frames - cache_.size();
    if (populated != 0 && entries_ == 0) return 0;
    if (domain_.dying() || frames < domain_.frames) return 0;
    std::uint64_t target = frames - populated;
    // The balloon driver fills in what lies beyond the entries. While the domain is built there may be more frames.
    if (populated != 0 && target > entries_) target = entries_;
    return resize(target);
}

/// Makes one page that the guest has left as zeroes an entry again (p2m_pod_zero_check).
void PodCache::reclaim(Gfn gfn) {
    const PhysmapEntry entry = domain_.physmap.at(gfn);
    if (entry.type != PageType::ram) return;
    const Mfn mfn = entry.frame();
    // Somebody else may see it, and write it when we have looked.
    if (host_.memory.uses(mfn) != 1 || !host_.memory.zero(mfn)) return;
    host_.set_physmap(domain_, gfn, Mfn{0}, PageType::pod);
    add(mfn);
    ++entries_;
}

/// At least one of those populated last; all of them while the cache is empty (pod_eager_reclaim).
void PodCache::reclaim_recent() {
    std::size_t looked = 0;
    do {
        Gfn& gfn = recent_[(next_recent_ + looked++) % kRecent];
        if (gfn != kNoGfn) reclaim(gfn);
        gfn = kNoGfn;
    } while (cache_.empty() && looked < kRecent);
}

/// From the highest gfn down, a thousand at least, and further while nothing was found (p2m_pod_emergency_sweep).
void PodCache::sweep() {
    constexpr std::uint64_t kLimit = 1024, kStride = 16;
    if (sweep_from_ == 0) sweep_from_ = highest_;
    const std::uint64_t limit = sweep_from_ > kLimit ? sweep_from_ - kLimit : 0;
    std::array<Gfn, kStride> found;
    std::size_t n = 0;
    std::uint64_t gfn = sweep_from_;
    for (; gfn > 0; --gfn) {
        if (domain_.physmap.at(Gfn{gfn}).type == PageType::ram) found[n++] = Gfn{gfn};
        if (n == kStride)
            while (n != 0) reclaim(found[kStride - n--]);
        if (gfn < limit && !cache_.empty()) break;
    }
    for (std::size_t i = 0; i < n; ++i) reclaim(found[i]);
    sweep_from_ = gfn == 0 ? 0 : gfn - 1;
}

bool PodCache::populate(Gfn gfn, Vcpu* caller) {
    if (domain_.dying()) return false;
    if (entries_ > cache_.size()) reclaim_recent();
    if (cache_.empty()) sweep();
    if (cache_.empty()) {
        host_.shut_down(domain_, SHUTDOWN_crash, caller);
        return false;
    }
    highest_ = std::max(highest_, gfn.value);
    const Mfn mfn = cache_.front();
    cache_.pop_front();
    host_.memory.set_gfn(mfn, gfn);
    host_.set_physmap(domain_, gfn, mfn, PageType::ram);
    domain_.dirty.mark(gfn);
    --entries_;
    recent_[next_recent_++] = gfn;
    next_recent_ %= kRecent;
    return true;
}

std::uint64_t PodCache::decrease(Gfn gfn, unsigned order) {
    if (entries_ == 0 || domain_.dying()) return 0;
    std::uint64_t done = 0;
    for (std::uint64_t i = 0; i < std::uint64_t{1} << order; ++i) {
        const Gfn at{gfn.value + i};
        const PhysmapEntry entry = domain_.physmap.at(at);
        if (entry.type == PageType::pod) {
            host_.clear_physmap(domain_, at);
            --entries_;
            ++done;
        } else if (entry.type == PageType::ram && entries_ > cache_.size()) {
            host_.clear_physmap(domain_, at);
            add(entry.frame());
            ++done;
        }
    }
    // What is not owed any more is free.
    if (entries_ < cache_.size()) shrink(entries_);
    return done;
}

std::deque<Mfn> PodCache::take_all() {
    entries_ = 0;
    return std::exchange(cache_, {});
}

}  // namespace xenrig::hypervisor
