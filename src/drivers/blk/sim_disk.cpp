#include "xenrig/drivers/blk/sim_disk.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <map>
#include <mutex>

#include "xenrig/abi/check.h"
#include "xenrig/drivers/blk/sparse_bytes.h"
#include "xenrig/platform/lock.h"

namespace xenrig::blk {

namespace {

constexpr std::size_t kSector = 512;

/// A sector as a write left it. Stamps rise with each write that completes.
struct Dirty {
    std::array<std::byte, kSector> bytes;
    std::uint64_t stamp = 0;
};
using DirtySectors = std::map<std::uint64_t, Dirty>;

struct Pending {
    StorageOpPtr op;
    TimerId timer{};
    bool timed = false;
    bool fails = false;
    /// A flush's: the cache when it was submitted.
    DirtySectors covered;
};

std::uint64_t ends_at(const StorageOp& op) { return op.offset + op.data.size() + op.length; }

}  // namespace

/// Shared with the timers, which may outlive the disk.
struct SimDisk::Disk {
    Disk(Clock& c, SimDiskOptions o, Pick p) : clock(c), options(o), pick(std::move(p)), bytes(o.info.bytes) {}

    Clock& clock;
    const SimDiskOptions options;
    const Pick pick;
    std::atomic<std::uint64_t> bytes;
    SizeWatchers watchers;

    mutable IrqLock lock{"simdisk"};
    // Under the lock.
    SparseBytes durable;
    std::map<std::uint64_t, std::uint64_t> durable_stamps;
    DirtySectors cache;
    std::map<std::uint64_t, Pending> pending;
    std::uint64_t stamps = 0;
    std::uint64_t submitted = 0;

    void read(std::uint64_t offset, std::span<std::byte> out) const;
    void write(std::uint64_t offset, std::span<const std::byte> in);
    void discard(std::uint64_t offset, std::uint64_t length);
    void make_durable(std::uint64_t sector, const Dirty& dirty);
    Result<> perform(Pending& done);
    void expire(std::uint64_t id);
};

void SimDisk::Disk::read(std::uint64_t offset, std::span<std::byte> out) const {
    durable.read(offset, out);
    const std::uint64_t first = offset / kSector;
    for (auto it = cache.lower_bound(first); it != cache.end() && it->first * kSector < offset + out.size(); ++it)
        std::memcpy(out.data() + (it->first * kSector - offset), it->second.bytes.data(), kSector);
}

void SimDisk::Disk::write(std::uint64_t offset, std::span<const std::byte> in) {
    ++stamps;
    for (std::size_t at = 0; at < in.size(); at += kSector) {
        Dirty dirty{.stamp = stamps};
        std::memcpy(dirty.bytes.data(), in.data() + at, kSector);
        const std::uint64_t sector = (offset + at) / kSector;
        if (options.volatile_cache)
            cache[sector] = dirty;
        else
            make_durable(sector, dirty);
    }
}

/// As a write of zeros: until a flush a power cut may bring the old bytes back.
void SimDisk::Disk::discard(std::uint64_t offset, std::uint64_t length) {
    const std::array<std::byte, kSector> zeros{};
    for (std::uint64_t at = 0; at < length; at += kSector) write(offset + at, zeros);
}

/// Of two write-backs of one sector the later write wins, whichever comes first.
void SimDisk::Disk::make_durable(std::uint64_t sector, const Dirty& dirty) {
    std::uint64_t& stamp = durable_stamps[sector];
    if (stamp > dirty.stamp) return;
    stamp = dirty.stamp;
    durable.write(sector * kSector, dirty.bytes);
    if (const auto cached = cache.find(sector); cached != cache.end() && cached->second.stamp == dirty.stamp)
        cache.erase(cached);
}

Result<> SimDisk::Disk::perform(Pending& done) {
    if (done.fails) return fail(Errno::io, "the simulated disk failed");
    if (ends_at(*done.op) > bytes) return fail(Errno::io, "beyond the end of the simulated disk");
    switch (done.op->kind) {
        case StorageOp::Kind::read:
            read(done.op->offset, done.op->data);
            break;
        case StorageOp::Kind::write:
            if (options.info.read_only) return fail(Errno::rofs, "the simulated disk is read-only");
            write(done.op->offset, done.op->data);
            break;
        case StorageOp::Kind::flush:
            for (const auto& [sector, dirty] : done.covered) make_durable(sector, dirty);
            break;
        case StorageOp::Kind::discard:
            if (options.info.read_only) return fail(Errno::rofs, "the simulated disk is read-only");
            discard(done.op->offset, done.op->length);
            break;
    }
    return {};
}

void SimDisk::Disk::expire(std::uint64_t id) {
    StorageOpPtr op;
    Result<> result;
    {
        const std::lock_guard held(lock);
        const auto found = pending.find(id);
        if (found == pending.end()) return;
        result = perform(found->second);
        op = std::move(found->second.op);
        pending.erase(found);
    }
    complete(std::move(op), std::move(result));
}

SimDisk::SimDisk(Clock& clock, SimDiskOptions options, Pick pick)
    : disk_(std::make_shared<Disk>(clock, options, std::move(pick))) {
    check(options.info.bytes % kSector == 0, "a disk is whole sectors");
}

SimDisk::~SimDisk() {
    std::map<std::uint64_t, Pending> dropped;
    {
        const std::lock_guard held(disk_->lock);
        dropped.swap(disk_->pending);
    }
    for (auto& [id, pending] : dropped)
        if (pending.timed) disk_->clock.cancel(pending.timer);
}

StorageInfo SimDisk::info() const {
    StorageInfo info = disk_->options.info;
    info.bytes = disk_->bytes;
    return info;
}

void SimDisk::watch_size(SizeWatch changed) { disk_->watchers.add(std::move(changed)); }

void SimDisk::resize(std::uint64_t bytes) {
    check(bytes % kSector == 0, "a disk is whole sectors");
    {
        const std::lock_guard held(disk_->lock);
        const std::uint64_t before = disk_->bytes.exchange(bytes);
        const auto cut = [&](DirtySectors& sectors) {
            sectors.erase(sectors.lower_bound(bytes / kSector), sectors.end());
        };
        cut(disk_->cache);
        for (auto& [id, pending] : disk_->pending) cut(pending.covered);
        if (bytes < before) disk_->durable.discard(bytes, before - bytes);
    }
    disk_->watchers.tell();
}

void SimDisk::submit(StorageOpPtr op) {
    check(op->offset % kSector == 0 && op->data.size() % kSector == 0 && op->length % kSector == 0,
          "a storage operation is whole sectors");
    if (ends_at(*op) > disk_->bytes)
        return complete(std::move(op), fail(Errno::io, "beyond the end of the simulated disk"));
    const auto& options = disk_->options;
    const std::uint64_t steps = options.latency_choices > 1 ? disk_->pick(options.latency_choices) : 0;
    // 0 is the mildest answer, so the last one fails.
    const bool fails = options.error_one_in != 0 && disk_->pick(options.error_one_in) == options.error_one_in - 1;

    std::uint64_t id;
    {
        const std::lock_guard held(disk_->lock);
        id = disk_->submitted++;
        Pending& pending = disk_->pending[id];
        if (op->kind == StorageOp::Kind::flush) pending.covered = disk_->cache;
        pending.op = std::move(op);
        pending.fails = fails;
    }
    const Nanoseconds due = disk_->clock.now() + options.latency_min + Nanoseconds{steps * options.latency_step.value};
    const TimerId timer = disk_->clock.at(due, [disk = std::weak_ptr(disk_), id] {
        if (const auto alive = disk.lock()) alive->expire(id);
    });
    const std::lock_guard held(disk_->lock);
    if (const auto found = disk_->pending.find(id); found != disk_->pending.end()) {
        found->second.timer = timer;
        found->second.timed = true;
    }
}

bool SimDisk::may_arrive(const StorageOp& op) const {
    return op.kind == StorageOp::Kind::write && !disk_->options.info.read_only && ends_at(op) <= disk_->bytes;
}

void SimDisk::power_cut() {
    // Drawn without the lock: a draw is a choice point.
    std::map<std::uint64_t, Pending> cut;
    DirtySectors lost;
    {
        const std::lock_guard held(disk_->lock);
        cut.swap(disk_->pending);
        lost.swap(disk_->cache);
    }
    DirtySectors arrived;
    for (const auto& [sector, dirty] : lost)
        if (disk_->pick(2) == 1) arrived[sector] = dirty;
    for (const auto& [id, pending] : cut) {
        if (!may_arrive(*pending.op)) continue;
        for (std::size_t at = 0; at < pending.op->data.size(); at += kSector) {
            if (disk_->pick(2) != 1) continue;
            Dirty& dirty = arrived[(pending.op->offset + at) / kSector];
            dirty.stamp = ~std::uint64_t{0};
            std::memcpy(dirty.bytes.data(), pending.op->data.data() + at, kSector);
        }
    }
    {
        const std::lock_guard held(disk_->lock);
        for (auto& [sector, dirty] : arrived) {
            if (dirty.stamp == ~std::uint64_t{0}) dirty.stamp = ++disk_->stamps;
            disk_->make_durable(sector, dirty);
        }
    }
    for (auto& [id, pending] : cut) {
        if (pending.timed) disk_->clock.cancel(pending.timer);
        complete(std::move(pending.op), fail(Errno::io, "the simulated disk lost its power"));
    }
}

void SimDisk::reset() {
    std::map<std::uint64_t, Pending> cut;
    {
        const std::lock_guard held(disk_->lock);
        cut.swap(disk_->pending);
    }
    for (const auto& [id, pending] : cut) {
        if (pending.timed) disk_->clock.cancel(pending.timer);
        if (!may_arrive(*pending.op)) continue;
        for (std::size_t at = 0; at < pending.op->data.size(); at += kSector) {
            if (disk_->pick(2) != 1) continue;
            const std::lock_guard held(disk_->lock);
            disk_->write(pending.op->offset + at, pending.op->data.subspan(at, kSector));
        }
    }
}

void SimDisk::peek(std::uint64_t offset, std::span<std::byte> out) const {
    const std::lock_guard held(disk_->lock);
    disk_->read(offset, out);
}

void SimDisk::peek_durable(std::uint64_t offset, std::span<std::byte> out) const {
    const std::lock_guard held(disk_->lock);
    disk_->durable.read(offset, out);
}

void SimDisk::poke(std::uint64_t offset, std::span<const std::byte> in) {
    const std::lock_guard held(disk_->lock);
    for (std::uint64_t s = offset / kSector; s * kSector < offset + in.size(); ++s) disk_->cache.erase(s);
    disk_->durable.write(offset, in);
}

std::size_t SimDisk::volatile_sectors() const {
    const std::lock_guard held(disk_->lock);
    return disk_->cache.size();
}

std::size_t SimDisk::in_flight() const {
    const std::lock_guard held(disk_->lock);
    return disk_->pending.size();
}

}  // namespace xenrig::blk
