// A disk image through Asio's random-access file: reads and writes are under way side by side, by io_uring, and where
// the kernel refuses that (a container's seccomp filter, an old kernel) by pread and pwrite, one after the other.
//
// Either way one thread of its own does it, and calls `done`. So it is for platforms of real threads; a deterministic
// world takes FileDisk, which completes inside submit().
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "xenrig/drivers/blk/storage.h"

namespace xenrig::asio {

enum class FileWay : std::uint8_t { io_uring, thread };

class FileStorage final : public blk::Storage {
public:
    /// As FileDisk::open(). Without `way` it is io_uring where that is to be had; asked for, its absence is EOPNOTSUPP.
    /// `on_thread` runs first on the thread that calls `done`: for a platform that must know it.
    static Result<std::shared_ptr<FileStorage>> open(const std::string& path, bool read_only,
                                                     std::optional<FileWay> way = {},
                                                     std::function<void()> on_thread = {});
    /// Waits for what is under way. Not from `done`.
    ~FileStorage() override;
    FileStorage(const FileStorage&) = delete;
    FileStorage& operator=(const FileStorage&) = delete;

    FileWay way() const;
    blk::StorageInfo info() const override;
    /// From any thread.
    void submit(blk::StorageOpPtr op) override;
    void watch_size(blk::SizeWatch changed) override;

    /// FileDisk's.
    Result<> resize(std::uint64_t bytes);
    Result<> take_size();

private:
    struct Io;
    explicit FileStorage(std::unique_ptr<Io> io);
    std::unique_ptr<Io> io_;
};

}  // namespace xenrig::asio
