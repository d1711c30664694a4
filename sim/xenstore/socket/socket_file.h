// A listening unix socket and its name in the file system.
//
// The name of a daemon that was killed is taken over; that of one that still answers is not. Whoever may connect is
// privileged dom0, so only the owner of the file may (xenstored: mode 0600). The destructor removes the name, unless it
// is somebody else's by now.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>

#include "xenrig/abi/error.h"

namespace xenrig::xenstore {

class SocketFile {
public:
    /// Errors say what to do: EINVAL for a path that no unix socket can have, ENOENT and EACCES for its folder, EEXIST
    /// when something else is there, EADDRINUSE when a daemon answers there.
    static Result<SocketFile> listen(std::string path);
    SocketFile(SocketFile&& other) noexcept
        : path_(std::exchange(other.path_, {})),
          fd_(std::exchange(other.fd_, -1)),
          device_(other.device_),
          inode_(other.inode_) {}
    SocketFile& operator=(SocketFile&&) = delete;
    ~SocketFile();

    /// The listening descriptor; the caller closes it.
    int take_descriptor() { return std::exchange(fd_, -1); }

private:
    explicit SocketFile(std::string path) : path_(std::move(path)) {}

    std::string path_;
    int fd_ = -1;
    dev_t device_ = 0;
    ino_t inode_ = 0;
};

}  // namespace xenrig::xenstore
