// What stands behind a block backend: bytes that are read, written and flushed, now or later.
//
// The rule of durability is a disk's: a completed write may still be lost until a flush that was submitted after its
// completion has completed. Operations in flight at the same time happen in any order.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "xenrig/abi/error.h"

namespace xenrig::blk {

struct StorageOp;
using StorageOpPtr = std::shared_ptr<StorageOp>;

/// One operation. The submitter fills it in and may let go of it; the storage keeps it until it is done.
struct StorageOp {
    /// A discard's bytes are of no use any more and read as zeros, or, where storage can't, as what they were.
    enum class Kind : std::uint8_t { read, write, flush, discard };

    virtual ~StorageOp() = default;

    Kind kind = Kind::read;
    std::uint64_t offset = 0;  ///< bytes, whole sectors; inside the storage
    /// Private memory, alive as long as the operation. Empty for a flush and a discard.
    std::span<std::byte> data;
    /// A discard's, in bytes.
    std::uint64_t length = 0;
    /// A discard's: nobody can bring the bytes back.
    bool secure = false;

    Result<> result;
    /// Called once, when the result stands: perhaps before submit() returns, perhaps as a timer's or an upcall's
    /// handler. Must not block.
    std::function<void(StorageOpPtr)> done;
};

struct StorageInfo {
    std::uint64_t bytes = 0;  ///< a multiple of the sector sizes; may change, see watch_size()
    std::uint32_t sector_bytes = 512;
    std::uint32_t physical_sector_bytes = 512;
    bool read_only = false;
    /// Bytes that a discard gives back at once; 0 where there is none.
    std::uint32_t discard_granularity = 0;
    bool can_discard_securely = false;
};

using SizeWatch = std::weak_ptr<const std::function<void()>>;

class Storage {
public:
    virtual ~Storage() = default;
    virtual StorageInfo info() const = 0;
    /// Errors come in the operation: EIO, also for what has come to lie beyond the end, ENOSPC, EROFS.
    virtual void submit(StorageOpPtr op) = 0;
    /// `changed` is called each time when the size has become another, for as long as its owner keeps it, in any
    /// context; it must not block. Storage that never changes its size need not know.
    virtual void watch_size(SizeWatch changed) { (void)changed; }
};

/// For implementations: those who asked.
class SizeWatchers {
public:
    void add(SizeWatch watch);
    void tell();

private:
    /// For a few instructions at a time.
    std::atomic_flag busy_;
    std::vector<SizeWatch> watches_;
};

/// What a backend's directory says of its storage: nodes `params`, `type` and `mode`.
struct StorageRequest {
    std::string params;
    std::string type;
    bool read_only = false;
};

/// Opens storage, or says what is wrong with it and where.
using StorageFactory = std::function<Result<std::shared_ptr<Storage>>(const StorageRequest&)>;

/// For implementations: sets the result and calls done.
void complete(StorageOpPtr op, Result<> result);

}  // namespace xenrig::blk
