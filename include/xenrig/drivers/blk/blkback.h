// The backend of a block device (io/blkif.h): serves a frontend's requests from storage.
//
// One to several rings of one or more pages each. Each request is copied out of its ring once, validated on the copy,
// done on private memory, and answered once: whatever the frontend writes meanwhile changes nothing. A ring that claims
// the impossible stops, and the device closes with a message in its error node.
//
// A device that is `removable` and whose `device-type` is cdrom is a drive: it may be empty, and its medium may change.
//
// Nodes, in the backend's directory: reads `params`, `type`, `mode`, `removable`, `discard-enable`, `media-present`;
// writes features and limits before InitWait, `sectors`, `sector-size`, `physical-sector-size` and `info` before
// Connected.
//
// Threads: the steps run in the device's service task. The ring is touched by one service task of its own; storage may
// complete in any context, which only notes and pokes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "xenrig/drivers/blk/sector_units.h"
#include "xenrig/drivers/blk/storage.h"
#include "xenrig/drivers/blk/validate.h"
#include "xenrig/drivers/blk/wire.h"
#include "xenrig/platform/platform.h"
#include "xenrig/xenbus/backend.h"
#include "xenrig/xenbus/bus.h"

namespace xenrig::blk {

class BlkbackRing;

/// What a backend offers to its frontends. The numbers are Linux's.
struct BlkbackOptions {
    bool flush = true;
    bool barrier = true;
    /// Where storage can.
    bool discard = true;
    std::uint32_t indirect_segments = 256;
    /// Rings of up to 2^4 pages.
    std::uint32_t ring_page_order = 4;
    std::uint32_t queues = 4;
    /// Grants of the frontend's that stay mapped, of a ring; 0 offers no persistent grants.
    std::uint32_t persistent_grants = 1056;
    /// What the numbers on the wire count; matters for disks with larger sectors than 512 bytes.
    SectorUnits units = kHeadUnits;
    /// Of its kernel's word: what a frontend that names no `protocol` is taken to have.
    Layout layout = Layout::x86_64;
};

class Blkback final : public xenbus::BackendDriver {
public:
    Blkback(Platform& platform, std::string path, xenbus::DeviceLink link, StorageFactory storage,
            BlkbackOptions options = {});
    ~Blkback() override;

    Result<> open(const xenbus::Endpoint& device) override;
    Result<> advertise(const xenbus::Endpoint& device, StoreTx tx) override;
    Result<> connect(const xenbus::Endpoint& device) override;
    Result<> publish(const xenbus::Endpoint& device, StoreTx tx) override;
    Result<bool> refresh(const xenbus::Endpoint& device) override;
    /// Waits for storage operations in flight.
    void disconnect() override;
    /// And flushes: what was acknowledged is durable before somebody else opens the same storage.
    void close() override;
    void suspend() override;
    void cancel_suspend() override;

private:
    void watch_storage();
    Result<> watch_medium(const xenbus::Endpoint& device);
    std::string medium_named(const xenbus::Endpoint& device) const;
    static Result<std::shared_ptr<Storage>> no_medium();
    Result<> insert(const xenbus::Endpoint& device, const std::string& params);
    Result<bool> change_medium(const xenbus::Endpoint& device);
    Extent extent() const;
    Offer offer() const;

    Platform& platform_;
    const std::string path_;
    const xenbus::DeviceLink link_;
    const StorageFactory open_storage_;
    std::shared_ptr<Storage> storage_;
    /// What the storage tells, in any context.
    struct News;
    std::shared_ptr<News> news_;
    std::shared_ptr<const std::function<void()>> on_resize_;
    const BlkbackOptions options_;
    /// discard-enable, of the toolstack's.
    bool may_discard_ = true;
    bool removable_ = false;
    /// It is a drive; the frontend's directory only says that it is one.
    bool cdrom_ = false;
    bool said_cdrom_ = false;
    /// A drive's medium, as `params` names it; empty when there is none.
    std::string medium_;
    std::vector<Watch> medium_watches_;
    std::vector<std::unique_ptr<BlkbackRing>> rings_;
};

/// For a bus: {"vbd", blkback_factory(platform, storage)}.
xenbus::BackendFactory blkback_factory(Platform& platform, StorageFactory storage, BlkbackOptions options = {});

}  // namespace xenrig::blk
