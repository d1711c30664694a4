// A disk that a domain is given while it runs: the two directories in the store, which a toolstack makes as a rule, and
// the backend that serves it.
//
// The backend's directory is below backend/xenrig, so that neither a kernel's blkback (backend/vbd) nor QEMU
// (backend/qdisk) takes it for its own; a frontend follows the path in its `backend` node, whatever it is. A directory
// that a killed server left behind is taken over: its frontend's rings are served on, from the first request that has
// no answer.
//
// Threads: run() in a task; unplug() and abandon() from any context.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "xenrig/drivers/blk/blkback.h"
#include "xenrig/platform/lock.h"
#include "xenrig/platform/platform.h"
#include "xenrig/platform/wait_queue.h"

namespace xenrig::cli {

struct DiskPlace {
    DomId backend;
    DomId frontend;
    /// Of the virtual device: 51728 for xvdb.
    std::uint32_t number = 0;

    /// The ends' directories, and the backend's as its own domain may name it.
    std::string front() const;
    std::string back() const;
    std::string device() const;
};

class AttachedDisk {
public:
    enum class End : std::uint8_t {
        unplugged,    ///< the frontend has closed, both directories are gone
        abandoned,    ///< taken away from a frontend that had not closed
        domain_gone,  ///< and so is the backend's directory
        removed,      ///< somebody else removed the backend's directory
    };

    /// `image` stands in `params`; `say` is told of each step.
    AttachedDisk(Platform& platform, DiskPlace place, std::string image, bool read_only, blk::StorageFactory storage,
                 blk::BlkbackOptions options, std::function<void(const std::string&)> say);

    /// Serves until one of the ends has come; gives everything back. ENOENT when there is no such domain.
    Result<End> run();

    /// Asks the frontend to close; the disk goes when it has.
    void unplug();
    /// The disk goes now.
    void abandon();

private:
    class Serving;

    Result<> check_domain();
    Result<> prepare();
    Result<> make_nodes();
    Result<> remove_nodes();
    void poke();

    Platform& platform_;
    Store& store_;
    const DiskPlace place_;
    const std::string image_;
    const bool read_only_;
    const blk::StorageFactory storage_;
    const blk::BlkbackOptions options_;
    const std::function<void(const std::string&)> say_;

    IrqLock lock_{"attached disk"};
    WaitQueue news_{"news of the disk"};
    // Under the lock.
    bool look_ = true;
    bool unplug_ = false;
    bool abandon_ = false;
};

}  // namespace xenrig::cli
