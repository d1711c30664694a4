#include "image_file.h"

#include "xenrig/asio/file_storage.h"
#include "xenrig/drivers/blk/file_disk.h"
#include "xenrig/host/platform.h"
#include "xenrig/platform/scheduler.h"

namespace xenrig::cli {

Result<> ImageFile::look(const std::string& path, bool read_only) {
    if (const auto image = blk::FileDisk::open(path, read_only); !image) return std::unexpected(image.error());
    return {};
}

template <class File>
void ImageFile::remember(const std::shared_ptr<File>& file) {
    const std::lock_guard held(lock_);
    take_size_ = [last = std::weak_ptr(file)]() -> Result<std::uint64_t> {
        const auto open = last.lock();
        if (!open)
            return fail(Errno::nodev, "the guest does not use the disk now; it will see the size that it has then");
        if (auto taken = open->take_size(); !taken) return std::unexpected(taken.error());
        return open->info().bytes;
    };
}

Result<std::shared_ptr<blk::Storage>> ImageFile::open(bool read_only) {
    if (io_ == Io::ordered) {
        auto file = blk::FileDisk::open(path_, read_only);
        if (!file) return std::unexpected(file.error());
        remember(*file);
        return *file;
    }
    auto file = asio::FileStorage::open(path_, read_only, {}, [this] { scheduler = &platform_.outside(); });
    if (!file) return std::unexpected(file.error());
    remember(*file);
    return *file;
}

std::string ImageFile::take_size() {
    std::function<Result<std::uint64_t>()> take;
    {
        const std::lock_guard held(lock_);
        take = take_size_;
    }
    if (!take) return "the guest has not used the disk yet";
    const auto bytes = take();
    return bytes ? "the disk has " + std::to_string(*bytes) + " bytes now" : bytes.error().message;
}

}  // namespace xenrig::cli
