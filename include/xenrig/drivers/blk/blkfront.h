// The frontend of a block device (io/blkif.h): reads, writes and flushes a disk that another domain serves.
//
// One ring of one page. An operation waits in a queue until the ring has room, in order; on the ring it has a record
// of its own in private memory, the shadow, against which each response is checked: a response that answers nothing in
// flight closes the device, with a message in its error node.
//
// A suspend loses nothing and completes nothing twice: responses that came before it count; what then still has no
// response goes back to the head of the queue in the order in which it was submitted, and onto the new ring, before
// anything newer. A flush keeps its place, so it covers every write that was completed when it was submitted.
//
// Threads: submit() and the rest from any task; submit() from upcalls too. The ring and the shadow are touched by one
// service task, or while that is paused; the queue, the properties and the phase are under `lock_`.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "xenrig/drivers/blk/blk_op.h"
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
    bool cdrom = false;
    /// The backend can flush; a flush is answered EOPNOTSUPP where it can't.
    bool can_flush = false;
};

class BlkfrontRing;

class Blkfront final : public xenbus::FrontendDriver {
public:
    Blkfront(Platform& platform, std::string path, xenbus::DeviceLink link);
    /// What has no answer is answered ENODEV.
    ~Blkfront() override;

    const std::string& path() const { return path_; }

    /// Never blocks, never answers before it returns. Before the device is connected, and across a suspend, operations
    /// wait.
    void submit(BlkOp& op);

    /// Blocks the calling task until the device is connected; the device's error when it is closed.
    Result<DiskInfo> wait_connected();

    /// Blocking, through pages of their own. `sector` counts 512 bytes, `data` is whole sectors of the disk.
    Result<> read(std::uint64_t sector, std::span<std::byte> data);
    Result<> write(std::uint64_t sector, std::span<const std::byte> data);
    Result<> flush();

    Result<> allocate(const xenbus::Endpoint& device) override;
    Result<> publish(const xenbus::Endpoint& device, StoreTx tx) override;
    Result<> connect(const xenbus::Endpoint& device) override;
    void backend_changed(const xenbus::Endpoint&) override {}
    bool quiesce() override;
    void disconnect(const Error& why) override;
    void suspend() override;
    void cancel_suspend() override;
    void resume() override;

private:
    enum class Phase : std::uint8_t { connecting, connected, closed };

    void work();
    std::optional<Error> refusal(const BlkOp& op) const;
    void issue();
    void fail_queue();
    void set_phase(Phase phase, const Error& why = {});

    Platform& platform_;
    const std::string path_;
    const xenbus::DeviceLink link_;

    IrqLock lock_{"blkfront"};
    WaitQueue phase_changed_;
    // Under lock_.
    std::deque<BlkOp*> queue_;
    Phase phase_ = Phase::connecting;
    DiskInfo info_;
    Error why_closed_;

    // The service's, or under its pause.
    std::unique_ptr<BlkfrontRing> ring_;
    /// Connected and not closing: new requests may go onto the ring.
    bool issuing_ = false;

    xenbus::Service service_;
};

/// For a bus: {"vbd", blkfront_factory(platform, on_disk)}. `on_disk` learns of each disk when its device appears, in
/// the bus's task; who keeps the pointer may use it even when the device is gone.
xenbus::FrontendFactory blkfront_factory(Platform& platform, std::function<void(std::shared_ptr<Blkfront>)> on_disk);

}  // namespace xenrig::blk
