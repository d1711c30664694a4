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
#include <utility>
#include <vector>

#include "xenrig/drivers/blk/blk_op.h"
#include "xenrig/drivers/blk/disk.h"
#include "xenrig/drivers/blk/sector_units.h"
#include "xenrig/drivers/blk/wire.h"
#include "xenrig/platform/platform.h"
#include "xenrig/xenbus/bus.h"
#include "xenrig/xenbus/frontend.h"
#include "xenrig/xenbus/service.h"

namespace xenrig::blk {

/// How much of what a backend offers is used. The first two are Linux's numbers. At most 4,096 indirect segments (eight
/// pages of them, BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST) and order 4.
struct BlkfrontOptions {
    bool persistent_grants = true;
    /// Segments of one request; up to eleven need no indirect page.
    std::uint32_t indirect_segments = 32;
    /// Rings of 2^order pages.
    std::uint32_t ring_page_order = 0;
    std::uint32_t queues = 1;
    /// What the numbers on the wire count; matters for disks with larger sectors than 512 bytes.
    SectorUnits units = kHeadUnits;
    /// Of its kernel's word: what `protocol` says.
    Layout layout = Layout::x86_64;
};

class Blkfront final : public xenbus::FrontendDriver, public Disk {
public:
    Blkfront(Platform& platform, std::string path, xenbus::DeviceLink link, BlkfrontOptions options = {});
    /// What has no answer is answered ENODEV.
    ~Blkfront() override;

    const std::string& path() const { return path_; }

    void submit(BlkOp& op) override;
    Result<DiskInfo> wait_connected() override;

    bool closed() const override { return phase_ == Phase::closed; }
    /// Called in a task of the driver's each time when a closed device begins again, as it does where a toolstack makes
    /// its directory anew or its backend is restarted. Set before the device is used.
    void on_reopen(std::function<void()> reopened) { on_reopen_ = std::move(reopened); }

    /// Blocks the calling task until the disk is connected and has another size than `sectors`; the device's error when
    /// it is closed.
    Result<DiskInfo> wait_resized(std::uint64_t sectors);

    /// While one lives the disk is in use, as by a mounted file system: a backend that wants to close is told "Device
    /// in use; refusing to close" in the error node, and served until the last one goes. One that has closed, or is
    /// gone, asks nobody. Any context; must not outlive the disk.
    class Use {
    public:
        explicit Use(Blkfront& disk) : disk_(&disk) { ++disk.users_; }
        Use(Use&& other) noexcept : disk_(std::exchange(other.disk_, nullptr)) {}
        Use& operator=(Use&&) = delete;
        ~Use() {
            if (disk_ && --disk_->users_ == 0) disk_->link_.poke();
        }

    private:
        Blkfront* disk_;
    };
    Use use() { return Use(*this); }

    /// Asks the toolstack to take the medium out of a drive, as libxl's disk-eject event wants it; ENODEV for a disk
    /// that is none. Returns when it is asked.
    Result<> eject();

    /// Blocking, through pages of their own. `sector` counts 512 bytes, `data` is whole sectors of the disk.
    Result<> read(std::uint64_t sector, std::span<std::byte> data) override;
    Result<> write(std::uint64_t sector, std::span<const std::byte> data) override;
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
    bool degrade(Lane& lane, const BlkOp& op);
    std::optional<Error> refusal(const BlkOp& op) const;
    BlkOp* next(Lane& lane, std::optional<Error>& refused);
    void issue(Lane& lane);
    bool must_wait(Lane& lane, BlkOp& op);
    void operations_over(std::size_t count);
    std::vector<BlkOp*> withdraw(Lane& lane);
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
    std::atomic<unsigned> users_ = 0;
    /// Of this connection: somebody was told.
    bool refused_to_close_ = false;

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

    /// Taken from the queue and not answered; rises under lock_.
    std::atomic<std::size_t> under_way_ = 0;
    /// A barrier, which goes alone, waits for the others to be over, or they for it.
    std::atomic<bool> barrier_waits_ = false, barrier_under_way_ = false;
    /// A ring found no grant or no page, and may when an operation is over.
    std::atomic<bool> starved_ = false;

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
