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

}  // namespace

Result<std::shared_ptr<FileDisk>> FileDisk::open(const std::string& path, bool read_only) {
    const int fd = ::open(path.c_str(), (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (fd < 0) return host_error(path, "can't open the disk image", errno);
    std::shared_ptr<FileDisk> disk;
    struct stat st{};
    const int stat_error = ::fstat(fd, &st) == 0 ? 0 : errno;
    const off_t size = stat_error == 0 && S_ISBLK(st.st_mode) ? ::lseek(fd, 0, SEEK_END) : st.st_size;
    const bool is_disk = S_ISREG(st.st_mode) || S_ISBLK(st.st_mode);
    if (stat_error == 0 && is_disk && size > 0 && size % 512 == 0) {
        const StorageInfo info{
            .bytes = static_cast<std::uint64_t>(size), .read_only = read_only, .discard_granularity = kPageSize};
        return std::shared_ptr<FileDisk>(new FileDisk(path, fd, info));
    }
    ::close(fd);
    if (stat_error != 0) return host_error(path, "can't look at the disk image", stat_error);
    if (!is_disk) return fail(Errno::inval, path + ": neither a file nor a block device");
    return fail(Errno::inval, path + ": " + std::to_string(size) +
                                  " bytes are no disk: a disk image is a multiple of 512 bytes and not empty");
}

FileDisk::~FileDisk() { ::close(fd_); }

void FileDisk::submit(StorageOpPtr op) {
    Result<> result;
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
                                       std::to_string(info_.bytes) + ": it was cut while in use");
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
