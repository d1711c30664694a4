// Storage in a file or a block device: pread, pwrite, fdatasync and holes, each completing inside submit().
#pragma once

#include <atomic>
#include <memory>

#include "xenrig/abi/types.h"
#include "xenrig/drivers/blk/storage.h"

namespace xenrig::blk {

class FileDisk final : public Storage {
public:
    /// Every error names the file: missing, no permission, a directory, or a size that is no multiple of 512 bytes.
    static Result<std::shared_ptr<FileDisk>> open(const std::string& path, bool read_only);
    ~FileDisk() override;
    FileDisk(const FileDisk&) = delete;
    FileDisk& operator=(const FileDisk&) = delete;

    StorageInfo info() const override;
    void submit(StorageOpPtr op) override;
    void watch_size(SizeWatch changed) override { watchers_.add(std::move(changed)); }

    /// Makes the file so long, whole sectors of 512 bytes; a block device, or a file that somebody else has changed,
    /// only takes note of the length that it has with take_size().
    Result<> resize(std::uint64_t bytes);
    Result<> take_size();

private:
    FileDisk(std::string path, int fd, StorageInfo info)
        : path_(std::move(path)), fd_(fd), info_(info), bytes_(info.bytes) {}
    Result<> read(std::uint64_t offset, std::span<std::byte> out) const;
    Result<> write(std::uint64_t offset, std::span<const std::byte> in) const;
    Result<> flush() const;
    Result<> discard(std::uint64_t offset, std::uint64_t length) const;

    const std::string path_;
    const int fd_;
    const StorageInfo info_;
    std::atomic<std::uint64_t> bytes_;
    SizeWatchers watchers_;
};

}  // namespace xenrig::blk
