#include "sim/hypervisor/credit.h"

#include <algorithm>
#include <utility>

namespace xenrig::hypervisor {

namespace {

constexpr std::uint64_t kCreditsPerMs = 10;
constexpr std::int64_t kCreditsPerSlice = kCreditsPerMs * (kCreditSlice.value / (1_ms).value);

}  // namespace

CreditScheduler::CreditScheduler(std::uint32_t processors, std::function<std::uint32_t(std::uint32_t)> pick)
    : runs_(processors), pick_(std::move(pick)) {}

void CreditScheduler::insert(Unit& unit) {
    auto& queue = runs_[unit.processor].queue;
    auto at =
        std::find_if(queue.begin(), queue.end(), [&](const Unit* other) { return unit.priority > other->priority; });
    // Who yields lets one of lower priority go first, once.
    if (unit.yields && at != queue.end()) ++at;
    queue.insert(at, &unit);
}

bool CreditScheduler::queued(const Unit& unit) const {
    const auto& queue = runs_[unit.processor].queue;
    return std::find(queue.begin(), queue.end(), &unit) != queue.end();
}

void CreditScheduler::unqueue(Unit& unit) { std::erase(runs_[unit.processor].queue, &unit); }

std::vector<std::uint32_t> CreditScheduler::idlers_for(const Unit& unit) const {
    std::vector<std::uint32_t> found;
    for (std::uint32_t p = 0; p < runs_.size(); ++p)
        if (!runs_[p].current && runs_[p].queue.empty() && allowed(unit, p)) found.push_back(p);
    return found;
}

std::uint32_t CreditScheduler::best_processor(const Unit& unit) const {
    if (unit.pinned) return *unit.pinned;
    const Processor& own = runs_[unit.processor];
    const bool alone = (!own.current || own.current == &unit) && own.queue.empty();
    const auto idlers = idlers_for(unit);
    return alone || idlers.empty() ? unit.processor : idlers.front();
}

std::optional<std::uint32_t> CreditScheduler::wake(Unit& unit, bool boosts) {
    unit.runnable = true;
    if (unit.running || unit.parked || queued(unit)) return std::nullopt;
    if (boosts && unit.priority == CreditPriority::under) unit.priority = CreditPriority::boost;
    if (!allowed(unit, unit.processor)) unit.processor = *unit.pinned;
    return tickle(unit);
}

std::optional<std::uint32_t> CreditScheduler::tickle(Unit& unit) {
    const Unit* current = runs_[unit.processor].current;
    if (!current) {
        insert(unit);
        return unit.processor;
    }
    const auto idlers = idlers_for(unit);
    if (!idlers.empty()) {
        // Xen queues it here and lets the idler steal it.
        const std::uint32_t n = static_cast<std::uint32_t>(idlers.size());
        unit.processor = idlers[n == 1 ? 0 : pick_(n)];
        insert(unit);
        return unit.processor;
    }
    insert(unit);
    return unit.priority > current->priority ? std::optional{unit.processor} : std::nullopt;
}

std::optional<std::uint32_t> CreditScheduler::sleep(Unit& unit) {
    unit.runnable = false;
    if (unit.running) return unit.processor;
    unqueue(unit);
    return std::nullopt;
}

void CreditScheduler::remove(Unit& unit) {
    unit.parked = false;
    unqueue(unit);
    if (unit.active) stop_accounting(unit);
}

void CreditScheduler::burn(Unit& unit, Nanoseconds now) const {
    if (now <= unit.started) return;
    const std::uint64_t value = (now - unit.started).value * kCreditsPerMs + unit.residual;
    const std::uint64_t credits = value / (1_ms).value;
    unit.residual = value % (1_ms).value;
    unit.credit -= static_cast<std::int64_t>(credits);
    unit.started = now;
}

CreditScheduler::Decision CreditScheduler::schedule(std::uint32_t processor, Nanoseconds now) {
    Processor& here = runs_[processor];
    Unit* const before = here.current;
    if (before) {
        burn(*before, now);
        const Nanoseconds ran = now - before->ran_since;
        if (!before->yields && before->runnable && !before->parked && ran < kCreditRateLimit)
            return {before, kCreditRateLimit - ran};
        before->running = false;
        if (before->runnable && !before->parked) insert(*before);
        before->yields = false;
    }
    Unit* next = here.queue.empty() ? nullptr : here.queue.front();
    if (!next || next->priority <= CreditPriority::over) {
        Unit* stolen = steal(processor, next ? next->priority : CreditPriority::idle);
        if (stolen) next = stolen;
    }
    here.current = next;
    if (!next) return {nullptr, {}};
    unqueue(*next);
    next->processor = processor;
    next->running = true;
    next->started = now;
    if (next != before) next->ran_since = now;
    return {next, kCreditSlice};
}

CreditScheduler::Unit* CreditScheduler::steal(std::uint32_t for_processor, CreditPriority than) {
    const auto n = static_cast<std::uint32_t>(runs_.size());
    for (std::uint32_t i = 1; i <= n; ++i) {
        const std::uint32_t peer = (bias_ + i) % n;
        if (peer == for_processor || !runs_[peer].current) continue;
        for (Unit* unit : runs_[peer].queue) {
            if (unit->priority <= than) break;
            if (!allowed(*unit, for_processor)) continue;
            unqueue(*unit);
            bias_ = peer;
            return unit;
        }
    }
    return nullptr;
}

bool CreditScheduler::tick(std::uint32_t processor, Nanoseconds now) {
    Processor& here = runs_[processor];
    bool move = false;
    if (Unit* unit = here.current) {
        if (unit->priority == CreditPriority::boost) unit->priority = CreditPriority::under;
        burn(*unit, now);
        if (!unit->active)
            start_accounting(*unit);
        else
            move = best_processor(*unit) != processor;
    }
    if (here.sorted != sorts_) {
        here.sorted = sorts_;
        std::stable_partition(here.queue.begin(), here.queue.end(),
                              [](const Unit* u) { return u->priority >= CreditPriority::under; });
    }
    return move;
}

void CreditScheduler::start_accounting(Unit& unit) {
    unit.active = true;
    if (unit.share.active.empty()) active_.push_front(&unit.share);
    unit.share.active.push_front(&unit);
    weight_ += unit.share.weight;
}

void CreditScheduler::stop_accounting(Unit& unit) {
    unit.active = false;
    unit.share.active.remove(&unit);
    weight_ -= unit.share.weight;
    if (unit.share.active.empty()) active_.remove(&unit.share);
}

void CreditScheduler::set_weight(Share& share, std::uint32_t weight) {
    weight_ -= share.weight * share.active.size();
    share.weight = weight;
    weight_ += share.weight * share.active.size();
}

std::vector<std::uint32_t> CreditScheduler::account() {
    std::vector<std::uint32_t> tickled;
    const auto up = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
    std::int64_t total = kCreditsPerSlice * static_cast<std::int64_t>(runs_.size());
    if (balance_ < 0) total -= balance_;
    if (weight_ == 0) {
        balance_ = 0;
        return tickled;
    }
    const auto weight_total = static_cast<std::int64_t>(weight_);
    std::int64_t weight_left = weight_total;
    const std::int64_t before = std::exchange(balance_, 0);
    bool extra = false;
    const std::vector<Share*> shares(active_.begin(), active_.end());
    for (Share* share : shares) {
        const auto units = static_cast<std::int64_t>(share->active.size());
        const std::int64_t weight = share->weight * units;
        weight_left -= weight;
        std::int64_t peak = units * kCreditsPerSlice;
        if (before < 0) peak += up(-before * weight, weight_total);
        std::int64_t cap = 0;
        if (share->cap != 0) {
            cap = up(share->cap * kCreditsPerSlice, 100);
            peak = std::min(peak, cap);
            cap = up(cap, units);
        }
        std::int64_t fair = up(total * weight, weight_total);
        if (fair < peak) {
            extra = true;
        } else {
            if (weight_left != 0) total += up((fair - peak) * weight_total, weight_left);
            // Who leaves credits unused comes first the next time.
            if (extra) {
                active_.remove(share);
                active_.push_front(share);
            }
            fair = peak;
        }
        account(*share, up(fair, units), cap, tickled);
    }
    ++sorts_;
    return tickled;
}

void CreditScheduler::account(Share& share, std::int64_t fair, std::int64_t cap, std::vector<std::uint32_t>& tickled) {
    const std::vector<Unit*> units(share.active.begin(), share.active.end());
    for (Unit* unit : units) {
        unit->credit += fair;
        if (unit->credit < 0) {
            unit->priority = CreditPriority::over;
            if (share.cap != 0 && unit->credit < -cap && !unit->parked) {
                unit->parked = true;
                unit->running ? tickled.push_back(unit->processor) : unqueue(*unit);
            }
            unit->credit = std::max(unit->credit, -kCreditsPerSlice);
        } else {
            unit->priority = CreditPriority::under;
            // Unparked, and not boosted for it.
            if (std::exchange(unit->parked, false) && unit->runnable && !unit->running)
                if (const auto processor = tickle(*unit)) tickled.push_back(*processor);
            if (unit->credit > kCreditsPerSlice) {
                stop_accounting(*unit);
                unit->credit /= 2;
            }
        }
        balance_ += unit->credit;
    }
}

}  // namespace xenrig::hypervisor
