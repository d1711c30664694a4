// What is checked: somebody's frontend or backend of a block device, seen through as little as a check needs of it.
//
// A subject stands on a Platform, finds its devices in the store, and does the protocol. A backend is given storage, a
// frontend is asked for reads and writes; all else a check learns as the peer does. Threads: every function runs in a
// task of the subject's own domain and may block; stop and destruction come when its tasks are gone.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "xenrig/abi/error.h"
#include "xenrig/drivers/blk/storage.h"
#include "xenrig/platform/platform.h"

namespace xenrig::conformance {

/// What a frontend tells its users.
struct DiskSeen {
    std::uint64_t bytes = 0;
    std::uint32_t sector_bytes = 0, physical_sector_bytes = 0;
    bool read_only = false;
};

/// One transfer between the disk and `data`, whole sectors of 512 bytes. The pages that it goes through begin with
/// `first` sectors that don't belong to it (0 to 7).
struct UserTransfer {
    bool write = false;
    std::uint64_t sector = 0;
    std::span<std::byte> data;
    unsigned first = 0;
};

class FrontendSubject {
public:
    virtual ~FrontendSubject() = default;
    virtual Result<> start() = 0;
    /// Waits until the disk may be used; an error when it was closed.
    virtual Result<DiskSeen> wait_connected() = 0;
    virtual Result<> transfer(const UserTransfer& t) = 0;
    virtual Result<> flush() = 0;
    /// Nobody needs these sectors, and with `secure` nobody may ever read them. EOPNOTSUPP where the backend can't, and
    /// from who has no such thing.
    virtual Result<> discard(std::uint64_t /*sector*/, std::uint64_t /*sectors*/, bool /*secure*/) {
        return fail(Errno::opnotsupp, "the subject has no discards");
    }
};

class BackendSubject {
public:
    virtual ~BackendSubject() = default;
    virtual Result<> start() = 0;
};

/// How to make them. `device` is the number of the one device there is.
struct Subjects {
    std::function<std::unique_ptr<FrontendSubject>(Platform&, unsigned device)> frontend;
    std::function<std::unique_ptr<BackendSubject>(Platform&, blk::StorageFactory)> backend;
};

/// Xenrig's own drivers.
Subjects own_drivers();

}  // namespace xenrig::conformance
