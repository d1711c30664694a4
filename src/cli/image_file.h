// The image that `xenrig backend` serves, opened anew for each connection of its guest.
//
// Ordered, each operation is done before the next begins, so the answers stand in the ring in the order of the
// requests: then who takes over after a kill -9 knows which requests have no answer. Side by side they do not.
//
// Threads: open() from tasks, take_size() from the command's own thread.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "xenrig/drivers/blk/storage.h"

namespace xenrig::host {
class HostPlatform;
}

namespace xenrig::cli {

class ImageFile {
public:
    enum class Io : std::uint8_t { ordered, side_by_side };

    ImageFile(std::string path, Io io, host::HostPlatform& platform)
        : path_(std::move(path)), io_(io), platform_(platform) {}

    /// Could it be opened now? FileDisk's errors.
    static Result<> look(const std::string& path, bool read_only);

    Result<std::shared_ptr<blk::Storage>> open(bool read_only);
    /// Somebody else has made the file longer or shorter: the guest is told. What to say of it.
    std::string take_size();

private:
    template <class File>
    void remember(const std::shared_ptr<File>& file);

    const std::string path_;
    const Io io_;
    host::HostPlatform& platform_;
    std::mutex lock_;
    /// Of the file that was opened last; ENODEV when it is closed.
    std::function<Result<std::uint64_t>()> take_size_;
};

}  // namespace xenrig::cli
