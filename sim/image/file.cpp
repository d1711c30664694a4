#include "sim/image/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "sim/image/reader.h"
#include "xenrig/abi/check.h"

namespace xenrig::image {

namespace {

/// Enough that a page costs no system call of its own.
constexpr std::size_t kBufferBytes = 256 << 10;

/// Linux's number as Xen's, where Xen has it.
Errno errno_of(int number) {
    switch (number) {
        case ENOSPC:
        case EDQUOT:
        case EFBIG:
            return Errno::nospc;
        case ENOENT:
            return Errno::noent;
        case EACCES:
        case EPERM:
            return Errno::access;
        case EISDIR:
            return Errno::isdir;
        case ENOTDIR:
            return Errno::notdir;
        case EROFS:
            return Errno::rofs;
        default:
            return Errno::io;
    }
}

Error trouble(const std::string& path, const std::string& what, int number) {
    const Errno code = errno_of(number);
    const char* advice = code == Errno::nospc ? ": make room, or save elsewhere" : "";
    return {code, path + ": " + what + ": " + std::strerror(number) + advice};
}

std::string folder_of(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() { close(); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    int get() const { return fd_; }
    int close() { return fd_ < 0 ? 0 : ::close(std::exchange(fd_, -1)); }

private:
    int fd_;
};

/// The rename is on the disk only when the folder is.
int sync_folder(const std::string& folder) {
    const Descriptor dir(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return dir.get() < 0 ? -1 : ::fsync(dir.get());
}

}  // namespace

struct File::Open {
    Open(std::string p, std::string t, int descriptor) : path(std::move(p)), temporary(std::move(t)), fd(descriptor) {}
    ~Open() {
        if (!temporary.empty()) ::unlink(temporary.c_str());
    }
    Open(const Open&) = delete;
    Open& operator=(const Open&) = delete;

    void flush() { write_out(std::exchange(buffer, {})); }
    void write_out(std::span<const std::byte> bytes) {
        while (!bytes.empty() && !error) {
            const ssize_t n = ::write(fd.get(), bytes.data(), bytes.size());
            if (n >= 0)
                bytes = bytes.subspan(static_cast<std::size_t>(n));
            else if (errno != EINTR)
                error = trouble(path, "cannot be written", errno);
        }
    }

    std::string path, temporary;  ///< no temporary: it was renamed
    Descriptor fd;
    std::vector<std::byte> buffer;
    std::optional<Error> error;
};

File::File(std::unique_ptr<Open> open) : open_(std::move(open)) {}
File::File(File&&) noexcept = default;
File& File::operator=(File&&) noexcept = default;
File::~File() = default;

Result<File> File::create(std::string path) {
    std::string temporary = path + ".XXXXXX";
    const int fd = ::mkostemp(temporary.data(), O_CLOEXEC);
    if (fd < 0) return std::unexpected(trouble(path, "cannot be created", errno));
    return File(std::make_unique<Open>(std::move(path), std::move(temporary), fd));
}

void File::write(std::span<const std::byte> bytes) {
    auto& buffer = open_->buffer;
    if (open_->error) return;
    if (buffer.size() + bytes.size() > kBufferBytes) open_->flush();
    if (bytes.size() >= kBufferBytes) return open_->write_out(bytes);
    buffer.reserve(kBufferBytes);
    buffer.insert(buffer.end(), bytes.begin(), bytes.end());
}

std::function<void(std::span<const std::byte>)> File::sink() {
    return [this](std::span<const std::byte> bytes) { write(bytes); };
}

Result<> File::commit() {
    Open& f = *open_;
    check(!f.temporary.empty(), "a file is committed once");
    f.flush();
    const auto note = [&f](int result, const char* what) {
        if (result != 0 && !f.error) f.error = trouble(f.path, what, errno);
    };
    if (!f.error) note(::fsync(f.fd.get()), "cannot be synced");
    note(f.fd.close(), "cannot be closed");
    if (!f.error) note(::rename(f.temporary.c_str(), f.path.c_str()), "cannot take its name");
    if (f.error) return std::unexpected(*f.error);
    f.temporary.clear();
    note(sync_folder(folder_of(f.path)), "its folder cannot be synced");
    return f.error ? Result<>(std::unexpected(*f.error)) : Result<>{};
}

Result<> File::load(const std::string& path, Reader& reader) {
    const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (fd.get() < 0) return std::unexpected(trouble(path, "cannot be opened", errno));
    const auto in_file = [&path](const Error& e) { return fail(e.code, path + ": " + e.message); };
    std::vector<std::byte> buffer(kBufferBytes);
    for (;;) {
        const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return std::unexpected(trouble(path, "cannot be read", errno));
        if (n == 0) break;
        if (auto fed = reader.feed(std::span(buffer).first(static_cast<std::size_t>(n))); !fed)
            return in_file(fed.error());
    }
    if (auto whole = reader.finish(); !whole) return in_file(whole.error());
    return {};
}

}  // namespace xenrig::image
