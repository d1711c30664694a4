// The frontend of a block device (io/blkif.h): reads, writes, flushes and discards on a disk that another domain
// serves.
//
// One to several rings, which take from one queue, in order. An operation waits there until a ring has room; on the
// ring each of its requests has a record in private memory, the shadow, against which each response is checked: a
// response that answers nothing in flight closes the device, with a message in its error node.
//
// A suspend loses nothing and completes nothing twice: what was answered counts, save reads, whose data may not have
// come along with the answer. What has no answer goes back to the head of the queue in the order in which it was
// submitted, and onto the new rings before anything newer, in requests that suit the new backend. A flush keeps its
// place, so it covers every write that was completed when it was submitted.
//
// Threads: submit() and the rest from any task; submit() from upcalls too. Each ring and its shadow are touched by one
// service task, or while that is paused; the queue, the properties and the phase are under `lock_`.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "xenrig/drivers/blk/blk_op.h"
#include "xenrig/drivers/blk/sector_units.h"
#include "xenrig/platform/platform.h"
#include "xenrig/xenbus/bus.h"
#include "xenrig/xenbus/frontend.h"
#include "xenrig/xenbus/service.h"

namespace xenrig::blk {

/// What the backend says of the disk, in this connection.
struct DiskInfo {
    std::uint64_t sectors = 0;  ///< of 512 bytes
    std::uint32_t sector_bytes = 512;
    std::uint32_t physical_sector_bytes = 512;
    bool read_only = false;
    bool removable = false;
    /// A drive; with no sectors it is empty.
    bool cdrom = false;
    /// The backend can flush, by itself or by a barrier; a flush is answered EOPNOTSUPP where it can't.
    bool can_flush = false;
    bool can_barrier = false;
    /// Bytes that a discard should cover, and where the first of them begin; 0 where the backend can't discard.
    std::uint32_t discard_granularity = 0;
    std::uint32_t discard_alignment = 0;
    bool can_discard_securely = false;
    /// Segments of one operation.
    std::uint32_t segments_max = 0;
};

/// How much of what a backend offers is used. The first two are Linux's numbers.
struct BlkfrontOptions {
    bool persistent_grants = true;
    /// Segments of one request; up to eleven need no indirect page.
    std::uint32_t indirect_segments = 32;
    /// Rings of 2^order pages.
    std::uint32_t ring_page_order = 0;
    std::uint32_t queues = 1;
    /// What the numbers on the wire count; matters for disks with larger sectors than 512 bytes.
    SectorUnits units = kHeadUnits;
};

class Blkfront final : public xenbus::FrontendDriver {
public:
    Blkfront(Platform& platform, std::string path, xenbus::DeviceLink link, BlkfrontOptions options = {});
    /// What has no answer is answered ENODEV.
    ~Blkfront() override;

    const std::string& path() const { return path_; }

    /// Never blocks, never answers before it returns. Before the device is connected, and across a suspend, operations
    /// wait.
    void submit(BlkOp& op);

    /// Blocks the calling task until the device is connected; the device's error when it is closed.
    Result<DiskInfo> wait_connected();

    /// The device was closed, and has not come back; any context.
    bool closed() const { return phase_ == Phase::closed; }
    /// Called in a task of the driver's each time when a closed device begins again, as it does where a toolstack makes
    /// its directory anew or its backend is restarted. Set before the device is used.
    void on_reopen(std::function<void()> reopened) { on_reopen_ = std::move(reopened); }

    /// Blocks the calling task until the disk is connected and has another size than `sectors`; the device's error when
    /// it is closed.
    Result<DiskInfo> wait_resized(std::uint64_t sectors);

    /// Asks the toolstack to take the medium out of a drive, as libxl's disk-eject event wants it; ENODEV for a disk
    /// that is none. Returns when it is asked.
    Result<> eject();

    /// Blocking, through pages of their own. `sector` counts 512 bytes, `data` is whole sectors of the disk.
    Result<> read(std::uint64_t sector, std::span<std::byte> data);
    Result<> write(std::uint64_t sector, std::span<const std::byte> data);
    Result<> flush();
    /// From `sector` on, `units` of 512 bytes: nobody needs what is there.
    Result<> discard(std::uint64_t sector, std::uint64_t units, bool secure = false);

    Result<> allocate(const xenbus::Endpoint& device) override;
    Result<> publish(const xenbus::Endpoint& device, StoreTx tx) override;
    Result<> connect(const xenbus::Endpoint& device) override;
    Result<> backend_changed(const xenbus::Endpoint& device) override;
    bool quiesce() override;
    void disconnect(const Error& why) override;
    void suspend() override;
    void cancel_suspend() override;
    void resume() override;

private:
    enum class Phase : std::uint8_t { connecting, connected, closed };
    struct Lane;
    class AllPaused;

    void work(Lane& lane);
    std::optional<Error> refusal(const BlkOp& op) const;
    void issue(Lane& lane);
    void fail_queue();
    void poke_all();
    void requeue(std::vector<BlkOp*> unanswered);
    void set_phase(Phase phase, const Error& why = {});
    Result<DiskInfo> read_disk(const xenbus::Endpoint& device) const;
    Result<std::uint64_t> in_units(const xenbus::Endpoint& device, std::uint64_t sectors,
                                   std::uint32_t sector_bytes) const;

    Platform& platform_;
    const std::string path_;
    const xenbus::DeviceLink link_;
    const BlkfrontOptions options_;
    std::function<void()> on_reopen_;

    IrqLock lock_{"blkfront"};
    WaitQueue phase_changed_;
    // Under lock_.
    std::deque<BlkOp*> queue_;
    std::atomic<Phase> phase_ = Phase::connecting;
    DiskInfo info_;
    Error why_closed_;
    std::uint64_t turns_ = 0;
    std::size_t pokes_ = 0;
    /// Lanes that have a ring.
    std::size_t lanes_in_use_ = 1;

    /// Connected and not closing: new requests may go onto the rings. Set while all services rest; any of them ends it.
    std::atomic<bool> issuing_ = false;

    /// As many as options_.queues, each with a service and, when it is in use, a ring.
    std::vector<std::unique_ptr<Lane>> lanes_;
};

/// For a bus: {"vbd", blkfront_factory(platform, on_disk)}. `on_disk` learns of each disk when its device appears, in
/// the bus's task; who keeps the pointer may use it even when the device is gone.
xenbus::FrontendFactory blkfront_factory(Platform& platform, std::function<void(std::shared_ptr<Blkfront>)> on_disk,
                                         BlkfrontOptions options = {});

}  // namespace xenrig::blk
