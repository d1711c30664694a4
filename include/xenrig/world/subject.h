// What is checked: somebody's frontend or backend of a block device, seen through as little as its users need of it.
//
// A subject stands on a Platform, is given its devices, and does the protocol. A backend is given storage, a frontend
// is asked for reads and writes; all else is learned as the peer learns it. Threads: every function runs in a task of
// the subject's own domain and may block; destruction comes when its tasks are gone.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "xenrig/abi/error.h"
#include "xenrig/drivers/blk/storage.h"
#include "xenrig/platform/platform.h"

namespace xenrig::world {

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

    /// Before its domain is suspended: on return it touches no shared page and does not talk to the store.
    virtual void suspend() {}
    /// `cancelled`: all is as it was. Otherwise windows, grants and ports are of an epoch that is over.
    virtual void resume(bool /*cancelled*/) {}
};

class BackendSubject {
public:
    virtual ~BackendSubject() = default;
    virtual Result<> start() = 0;
};

/// How to make them. A role without a maker is Xenrig's own driver's to play.
struct Subjects {
    /// "my blkfront": for reports.
    std::string name;
    /// `device`: the number of the one device that it is for.
    std::function<std::unique_ptr<FrontendSubject>(Platform&, unsigned device)> frontend;
    /// Of all block devices of its domain.
    std::function<std::unique_ptr<BackendSubject>(Platform&, blk::StorageFactory)> backend;
    /// The frontend can be suspended, and go on elsewhere.
    bool frontend_suspends = false;
};

/// Loads a library that exports `xenrig_subject` (xenrig/c/subject.h); it stays as long as the result or what it made.
/// ENOENT: no such file. EINVAL: what it exports is not what this Xenrig takes, and the message says what to do.
Result<Subjects> load_subject(const std::string& path);

}  // namespace xenrig::world
