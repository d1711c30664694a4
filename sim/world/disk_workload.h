// A guest's user of a disk, and the oracle of its data: every read returns what was written last, every operation is
// answered once, and no write that was acknowledged is done again.
//
// Each write fills its block with its own number, so whoever sees the bytes (a read, the storage behind the backend)
// knows which operation they are from. No two operations on one block are under way at the same time: what comes later
// waits, so the disk's final content follows from what was drawn, not from the order of answers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/world/disk_history.h"
#include "xenrig/drivers/blk/blkfront.h"
#include "xenrig/drivers/blk/storage.h"
#include "xenrig/platform/machine.h"
#include "xenrig/platform/platform.h"
#include "xenrig/world/scenario.h"

namespace xenrig::world {

/// A rule's short name, and how it was broken.
using Broken = std::function<void(std::string rule, std::string how)>;

class DiskWorkload {
public:
    /// `disk`: the name of what stands behind the guest's device.
    DiskWorkload(WorkloadSpec spec, std::string disk, Machine& machine, Broken broken);
    ~DiskWorkload();

    const std::string& guest() const { return spec_.guest; }
    const std::string& device() const { return spec_.device; }
    const std::string& disk() const { return disk_; }

    /// Blocks until there is a disk that is not this one, or this one is there again; null asks for the first.
    using NextDisk = std::function<std::shared_ptr<blk::Blkfront>(const blk::Blkfront* not_this)>;

    /// The work itself, in a task of the guest's; returns when all is done and read back.
    void run(Platform& guest, const NextDisk& next_disk);

    /// Bytes of the disk as it really is; none where that changes.
    void expect_size(std::uint64_t bytes) { size_ = bytes; }
    /// What would be an error else: a disk that goes away and comes again. Operations that it leaves unanswered are
    /// begun again on the next one.
    void expect_disk_to_go() { disk_may_go_ = true; }
    /// The storage loses its power between the two: what is under way may fail, what was not flushed may be lost.
    void power_goes();
    void power_lost();
    /// There is no more to come.
    void guest_died();

    bool finished() const { return finished_; }
    unsigned completed() const { return completed_; }
    unsigned in_flight() const { return in_flight_; }
    unsigned failed() const { return failed_; }
    unsigned repeated() const { return repeated_; }
    unsigned lost() const { return lost_; }
    /// Blocks the calling task until so many operations are done, or the work is over.
    void wait_completed(unsigned operations);

    /// Told by the storage of each operation that reaches it.
    void reached_storage(const blk::StorageOp& op);
    /// A hash of the last write of each block; less where that is uncertain.
    std::uint64_t content_hash() const;
    /// Numbers of the writes in the order in which they reached the storage, those that came twice twice.
    const std::vector<std::uint64_t>& executed() const { return executed_; }

private:
    struct Slot;

    /// Of 512 bytes.
    std::uint64_t sector_of(unsigned block) const;
    Result<> connect(const NextDisk& next_disk);
    bool begin(Platform& guest, Slot& slot);
    void finish(Platform& guest, Slot& slot);
    /// The disk went before it answered.
    void abandon(Slot& slot);
    void read_all_back(const NextDisk& next_disk);
    void verify(unsigned block, std::span<const std::byte> data, unsigned cuts_when_begun, const char* when);
    void draw(Slot& slot);

    WorkloadSpec spec_;
    std::string disk_;
    Machine& machine_;
    Broken broken_;
    std::uint32_t kinds_, places_;

    IrqLock lock_{"workload"};
    WaitQueue progress_;
    // Under lock_.
    std::vector<std::unique_ptr<Slot>> slots_;
    unsigned begun_ = 0, completed_ = 0, in_flight_ = 0, failed_ = 0, repeated_ = 0, lost_ = 0;
    bool finished_ = false;
    DiskHistory history_;
    std::vector<bool> busy_;
    std::vector<bool> acknowledged_;
    std::vector<std::uint64_t> executed_;
    /// Of each operation by its number.
    std::vector<unsigned> blocks_of_;

    // The task's own.
    std::optional<std::uint64_t> size_;
    bool disk_may_go_ = false;
    bool front_went_ = false;
    std::shared_ptr<blk::Blkfront> front_;
    /// Those that went away, which their last answers still come from.
    std::vector<std::shared_ptr<blk::Blkfront>> gone_;
};

}  // namespace xenrig::world
