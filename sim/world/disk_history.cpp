#include "sim/world/disk_history.h"

#include <algorithm>

#include "xenrig/abi/check.h"

namespace xenrig::world {

namespace {

void add(std::vector<std::uint64_t>& numbers, std::uint64_t number) {
    if (std::find(numbers.begin(), numbers.end(), number) == numbers.end()) numbers.push_back(number);
}

}  // namespace

DiskHistory::DiskHistory(unsigned blocks, unsigned sectors) : blocks_(blocks) {
    for (Block& b : blocks_) b.sectors.resize(sectors);
}

void DiskHistory::write_begun(unsigned block, std::uint64_t number) {
    Block& b = blocks_[block];
    check(b.under_way == 0, "one write to a block at a time");
    b.under_way = number;
    b.cuts_when_begun = cuts_;
    b.discarded = false;
}

void DiskHistory::discard_begun(unsigned block) {
    Block& b = blocks_[block];
    check(b.under_way == 0, "nothing is written to a block that is discarded");
    for (Sector& s : b.sectors) {
        add(s.now, 0);
        add(s.durable, 0);
    }
    b.discarded = true;
    b.last_change = ++changes_;
}

void DiskHistory::write_acknowledged(unsigned block) {
    Block& b = blocks_[block];
    if (b.cuts_when_begun != cuts_) return write_failed(block);
    for (Sector& s : b.sectors) {
        s.now.assign(1, b.under_way);
        add(s.durable, b.under_way);
    }
    b.under_way = 0;
    b.last_change = ++changes_;
}

void DiskHistory::write_failed(unsigned block) {
    Block& b = blocks_[block];
    for (Sector& s : b.sectors) {
        add(s.now, b.under_way);
        add(s.durable, b.under_way);
    }
    b.under_way = 0;
    b.last_change = ++changes_;
}

void DiskHistory::flush_acknowledged(FlushMark mark) {
    if (mark.cuts != cuts_ || cuts_ % 2 != 0) return;
    for (Block& b : blocks_) {
        if (b.last_change > mark.change) continue;
        for (Sector& s : b.sectors) {
            s.durable = s.now;
            if (b.under_way != 0) add(s.durable, b.under_way);
        }
    }
}

void DiskHistory::barrier_acknowledged(unsigned block, FlushMark begun) {
    write_acknowledged(block);
    flush_acknowledged({changes_, begun.cuts});
}

void DiskHistory::power_goes() {
    check(cuts_ % 2 == 0, "the power goes once at a time");
    ++cuts_;
    forget_what_is_volatile();
}

void DiskHistory::power_lost() {
    check(cuts_ % 2 != 0, "the power goes before it is lost");
    ++cuts_;
    forget_what_is_volatile();
}

void DiskHistory::forget_what_is_volatile() {
    ++changes_;
    for (Block& b : blocks_) {
        for (Sector& s : b.sectors) {
            if (b.under_way != 0) add(s.durable, b.under_way);
            s.now = s.durable;
        }
        b.last_change = changes_;
    }
}

std::span<const std::uint64_t> DiskHistory::possible(unsigned block, unsigned sector) const {
    return blocks_[block].sectors[sector].now;
}

bool DiskHistory::admits(unsigned block, unsigned sector, std::uint64_t number) const {
    const auto numbers = possible(block, sector);
    return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
}

void DiskHistory::seen(unsigned block, unsigned sector, std::uint64_t number) {
    // What is durable stays as wide as it was: a read may have been answered from the cache.
    blocks_[block].sectors[sector].now.assign(1, number);
}

}  // namespace xenrig::world
