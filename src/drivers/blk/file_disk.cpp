#include "xenrig/drivers/blk/file_disk.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace xenrig::blk {

namespace {

/// The host's error number is Linux's; those that Xen's list has too keep their meaning, the rest is EIO.
Errno errno_of(int host) {
    switch (host) {
        case EPERM:
        case EACCES:
            return Errno::access;
        case ENOENT:
            return Errno::noent;
        case ENOSPC:
        case EDQUOT:
        case EFBIG:
            return Errno::nospc;
        case EROFS:
            return Errno::rofs;
        case EISDIR:
            return Errno::isdir;
        case ENOTDIR:
            return Errno::notdir;
        case EMFILE:
        case ENFILE:
            return Errno::mfile;
        default:
            return Errno::io;
    }
}

std::unexpected<Error> host_error(const std::string& path, const char* what, int host) {
    return fail(errno_of(host), path + ": " + what + ": " + std::strerror(host));
}

/// The length of a disk, as it is now.
Result<std::uint64_t> length_of(const std::string& path, int fd) {
    struct stat st{};
    if (::fstat(fd, &st) != 0) return host_error(path, "can't look at the disk image", errno);
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return fail(Errno::inval, path + ": neither a file nor a block device");
    const off_t size = S_ISBLK(st.st_mode) ? ::lseek(fd, 0, SEEK_END) : st.st_size;
    if (size > 0 && size % 512 == 0) return static_cast<std::uint64_t>(size);
    return fail(Errno::inval, path + ": " + std::to_string(size) +
                                  " bytes are no disk: a disk image is a multiple of 512 bytes and not empty");
}

}  // namespace

Result<std::shared_ptr<FileDisk>> FileDisk::open(const std::string& path, bool read_only) {
    const int fd = ::open(path.c_str(), (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (fd < 0) return host_error(path, "can't open the disk image", errno);
    const auto length = length_of(path, fd);
    if (!length) {
        ::close(fd);
        return std::unexpected(length.error());
    }
    const StorageInfo info{.bytes = *length, .read_only = read_only, .discard_granularity = kPageSize};
    return std::shared_ptr<FileDisk>(new FileDisk(path, fd, info));
}

FileDisk::~FileDisk() { ::close(fd_); }

StorageInfo FileDisk::info() const {
    StorageInfo info = info_;
    info.bytes = bytes_.load(std::memory_order_relaxed);
    return info;
}

Result<> FileDisk::resize(std::uint64_t bytes) {
    if (info_.read_only) return fail(Errno::rofs, path_ + ": opened read-only");
    if (bytes == 0 || bytes % 512 != 0) return fail(Errno::inval, path_ + ": a disk image is whole sectors");
    if (::ftruncate(fd_, static_cast<off_t>(bytes)) != 0) return host_error(path_, "can't resize", errno);
    return take_size();
}

Result<> FileDisk::take_size() {
    const auto length = length_of(path_, fd_);
    if (!length) return std::unexpected(length.error());
    if (bytes_.exchange(*length, std::memory_order_relaxed) != *length) watchers_.tell();
    return {};
}

void FileDisk::submit(StorageOpPtr op) {
    Result<> result;
    // A write there would make the file longer again.
    if (op->offset + op->data.size() + op->length > bytes_.load(std::memory_order_relaxed))
        return complete(std::move(op), fail(Errno::io, path_ + ": beyond its end"));
    switch (op->kind) {
        case StorageOp::Kind::read:
            result = read(op->offset, op->data);
            break;
        case StorageOp::Kind::write:
            result = write(op->offset, op->data);
            break;
        case StorageOp::Kind::flush:
            result = flush();
            break;
        case StorageOp::Kind::discard:
            result = discard(op->offset, op->length);
            break;
    }
    complete(std::move(op), std::move(result));
}

Result<> FileDisk::read(std::uint64_t offset, std::span<std::byte> out) const {
    while (!out.empty()) {
        const ssize_t n = ::pread(fd_, out.data(), out.size(), static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return host_error(path_, "can't read", errno);
        if (n == 0)
            return fail(Errno::io, path_ + ": ends at byte " + std::to_string(offset) + " of " +
                                       std::to_string(info().bytes) + ": it was cut while in use");
        offset += static_cast<std::uint64_t>(n);
        out = out.subspan(static_cast<std::size_t>(n));
    }
    return {};
}

Result<> FileDisk::write(std::uint64_t offset, std::span<const std::byte> in) const {
    if (info_.read_only) return fail(Errno::rofs, path_ + ": opened read-only");
    while (!in.empty()) {
        const ssize_t n = ::pwrite(fd_, in.data(), in.size(), static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return host_error(path_, "can't write", errno);
        offset += static_cast<std::uint64_t>(n);
        in = in.subspan(static_cast<std::size_t>(n));
    }
    return {};
}

Result<> FileDisk::flush() const {
    if (info_.read_only || ::fdatasync(fd_) == 0) return {};
    return host_error(path_, "can't flush", errno);
}

Result<> FileDisk::discard(std::uint64_t offset, std::uint64_t length) const {
    if (info_.read_only) return fail(Errno::rofs, path_ + ": opened read-only");
    if (length == 0) return {};
    while (::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                       static_cast<off_t>(length)) != 0) {
        // A file system without holes keeps the bytes, which a discard allows.
        if (errno == EOPNOTSUPP) return {};
        if (errno != EINTR) return host_error(path_, "can't discard", errno);
    }
    return {};
}

}  // namespace xenrig::blk
