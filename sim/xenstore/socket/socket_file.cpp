#include "sim/xenstore/socket/socket_file.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace xenrig::xenstore {
namespace {

Error error_of(int number, const std::string& path, const std::string& what) {
    return {static_cast<Errno>(number), path + ": " + what};
}

int new_socket() { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }

/// Somebody accepts connections there, or would if his queue were not full.
bool answers(const sockaddr_un& address) {
    const int fd = new_socket();
    if (fd < 0) return true;
    const int failed = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
    ::close(fd);
    return failed == 0 || failed == EAGAIN;
}

Result<> make_room(const std::string& path, const sockaddr_un& address) {
    struct stat found{};
    if (::lstat(path.c_str(), &found) != 0) return {};
    if (!S_ISSOCK(found.st_mode))
        return std::unexpected(error_of(EEXIST, path, "is there already, and no socket; choose another name"));
    if (answers(address))
        return std::unexpected(
            error_of(EADDRINUSE, path, "another daemon answers here; stop it or choose another name"));
    if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
    const std::string why = std::strerror(errno);
    return std::unexpected(
        error_of(errno, path, "was left behind by a daemon that was killed, and can't be removed: " + why));
}

}  // namespace

Result<SocketFile> SocketFile::listen(std::string path) {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    if (path.empty() || path.size() >= sizeof address.sun_path)
        return std::unexpected(
            error_of(EINVAL, path,
                     "a unix socket's name has 1 to " + std::to_string(sizeof address.sun_path - 1) + " characters"));
    std::memcpy(address.sun_path, path.data(), path.size());
    if (auto room = make_room(path, address); !room) return std::unexpected(room.error());

    SocketFile file(std::move(path));
    file.fd_ = new_socket();
    if (file.fd_ < 0 || ::bind(file.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        const int number = errno;
        const char* advice = number == ENOENT ? "; is its folder there?" : "";
        const Error error = error_of(number, file.path_, std::string(std::strerror(number)) + advice);
        file.path_.clear();
        return std::unexpected(error);
    }
    struct stat made{};
    if (::chmod(file.path_.c_str(), 0600) != 0 || ::lstat(file.path_.c_str(), &made) != 0 ||
        ::listen(file.fd_, SOMAXCONN) != 0)
        return std::unexpected(error_of(errno, file.path_, std::strerror(errno)));
    file.device_ = made.st_dev;
    file.inode_ = made.st_ino;
    return file;
}

SocketFile::~SocketFile() {
    if (fd_ >= 0) ::close(fd_);
    if (path_.empty()) return;
    struct stat found{};
    if (::lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_)
        ::unlink(path_.c_str());
}

}  // namespace xenrig::xenstore
