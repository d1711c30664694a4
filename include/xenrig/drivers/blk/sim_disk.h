// A disk as bad as disks are allowed to be: it takes its time, completes in any order, forgets at a power cut what was
// not flushed, and fails now and then.
//
// A completed write is in the disk's cache, where reads see it. A flush makes durable what was in the cache when it was
// submitted, and nothing newer. What is decided by nobody is drawn from `pick`, 0 being the mildest answer.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "xenrig/drivers/blk/storage.h"
#include "xenrig/platform/clock.h"

namespace xenrig::blk {

struct SimDiskOptions {
    StorageInfo info;
    /// An operation takes latency_min + k * latency_step, with k drawn below latency_choices: one choice keeps the
    /// order, more of them mix it.
    Nanoseconds latency_min = 50_us;
    Nanoseconds latency_step = 50_us;
    std::uint32_t latency_choices = 1;
    /// One operation in so many fails with EIO, having done nothing; 0 means none.
    std::uint32_t error_one_in = 0;
    /// Without a cache every completed write is durable.
    bool volatile_cache = true;
};

class SimDisk final : public Storage {
public:
    /// A number below n, n at least 1.
    using Pick = std::function<std::uint32_t(std::uint32_t n)>;

    SimDisk(Clock& clock, SimDiskOptions options, Pick pick);
    /// Operations in flight never complete.
    ~SimDisk() override;

    StorageInfo info() const override;
    void submit(StorageOpPtr op) override;
    void watch_size(SizeWatch changed) override;

    /// Makes it so long, whole sectors. What is cut off is gone at once, whatever the cache holds of it, and what is in
    /// flight there fails; after another growth it is zeros.
    void resize(std::uint64_t bytes);

    /// The disk loses power and gets it back. The cache is lost, except sectors that a draw of 1 had already written
    /// back; of a write in flight each sector may have arrived (a draw of 1). All in flight completes with EIO.
    void power_cut();

    /// The controller is reset: nothing in flight ever completes, and of a write each sector may have arrived in the
    /// cache (a draw of 1).
    void reset();

    /// For tests and oracles, no operation of a driver: what reads see, and what a power cut would leave at least.
    void peek(std::uint64_t offset, std::span<std::byte> out) const;
    void peek_durable(std::uint64_t offset, std::span<std::byte> out) const;
    /// Fills the disk, durably.
    void poke(std::uint64_t offset, std::span<const std::byte> in);
    std::size_t volatile_sectors() const;
    std::size_t in_flight() const;

private:
    struct Disk;
    /// Part of it, when it is cut short.
    bool may_arrive(const StorageOp& op) const;

    std::shared_ptr<Disk> disk_;
};

}  // namespace xenrig::blk
