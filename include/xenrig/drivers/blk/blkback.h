// The backend of a block device (io/blkif.h): serves a frontend's requests from storage.
//
// One ring of one page; read, write and flush. Each request is copied out of the ring once, validated on the copy,
// done on private memory, and answered once: whatever the frontend writes meanwhile changes nothing. A ring that claims
// the impossible stops, and the device closes with a message in its error node.
//
// Nodes, in the backend's directory: reads `params`, `type`, `mode`; writes `feature-flush-cache` before InitWait,
// `sectors`, `sector-size`, `physical-sector-size` and `info` before Connected. `sectors` counts 512 bytes each.
//
// Threads: the steps run in the device's service task. The ring is touched by one service task of its own; storage may
// complete in any context, which only notes and pokes.
#pragma once

#include <memory>
#include <string>

#include "xenrig/drivers/blk/storage.h"
#include "xenrig/drivers/blk/validate.h"
#include "xenrig/platform/platform.h"
#include "xenrig/xenbus/backend.h"
#include "xenrig/xenbus/bus.h"

namespace xenrig::blk {

class BlkbackRing;

class Blkback final : public xenbus::BackendDriver {
public:
    Blkback(Platform& platform, std::string path, xenbus::DeviceLink link, StorageFactory storage);
    ~Blkback() override;

    Result<> open(const xenbus::Endpoint& device) override;
    Result<> advertise(const xenbus::Endpoint& device, StoreTx tx) override;
    Result<> connect(const xenbus::Endpoint& device) override;
    Result<> publish(const xenbus::Endpoint& device, StoreTx tx) override;
    /// Waits for storage operations in flight.
    void disconnect() override;
    /// And flushes: what was acknowledged is durable before somebody else opens the same storage.
    void close() override;
    void suspend() override;
    void cancel_suspend() override;

private:
    Extent extent() const;

    Platform& platform_;
    const std::string path_;
    const xenbus::DeviceLink link_;
    const StorageFactory open_storage_;
    std::shared_ptr<Storage> storage_;
    std::unique_ptr<BlkbackRing> ring_;
};

/// For a bus: {"vbd", blkback_factory(platform, storage)}.
xenbus::BackendFactory blkback_factory(Platform& platform, StorageFactory storage);

}  // namespace xenrig::blk
