#include "xenrig/abi/error.h"

#include <utility>

namespace xenrig {

namespace {

constexpr std::pair<Errno, std::string_view> kNames[]{
    {Errno::perm, "EPERM"},
    {Errno::noent, "ENOENT"},
    {Errno::srch, "ESRCH"},
    {Errno::intr, "EINTR"},
    {Errno::io, "EIO"},
    {Errno::nxio, "ENXIO"},
    {Errno::toobig, "E2BIG"},
    {Errno::noexec, "ENOEXEC"},
    {Errno::badf, "EBADF"},
    {Errno::child, "ECHILD"},
    {Errno::again, "EAGAIN"},
    {Errno::nomem, "ENOMEM"},
    {Errno::access, "EACCES"},
    {Errno::fault, "EFAULT"},
    {Errno::busy, "EBUSY"},
    {Errno::exist, "EEXIST"},
    {Errno::xdev, "EXDEV"},
    {Errno::nodev, "ENODEV"},
    {Errno::notdir, "ENOTDIR"},
    {Errno::isdir, "EISDIR"},
    {Errno::inval, "EINVAL"},
    {Errno::nfile, "ENFILE"},
    {Errno::mfile, "EMFILE"},
    {Errno::nospc, "ENOSPC"},
    {Errno::rofs, "EROFS"},
    {Errno::mlink, "EMLINK"},
    {Errno::dom, "EDOM"},
    {Errno::range, "ERANGE"},
    {Errno::deadlk, "EDEADLK"},
    {Errno::nosys, "ENOSYS"},
    {Errno::notempty, "ENOTEMPTY"},
    {Errno::nodata, "ENODATA"},
    {Errno::time, "ETIME"},
    {Errno::badmsg, "EBADMSG"},
    {Errno::overflow, "EOVERFLOW"},
    {Errno::ilseq, "EILSEQ"},
    {Errno::restart, "ERESTART"},
    {Errno::notsock, "ENOTSOCK"},
    {Errno::msgsize, "EMSGSIZE"},
    {Errno::opnotsupp, "EOPNOTSUPP"},
    {Errno::addrinuse, "EADDRINUSE"},
    {Errno::addrnotavail, "EADDRNOTAVAIL"},
    {Errno::nobufs, "ENOBUFS"},
    {Errno::isconn, "EISCONN"},
    {Errno::notconn, "ENOTCONN"},
    {Errno::timedout, "ETIMEDOUT"},
    {Errno::connrefused, "ECONNREFUSED"},
};

}  // namespace

std::string_view name(Errno e) {
    for (const auto& [code, text] : kNames)
        if (code == e) return text;
    return "E?";
}

std::string Error::to_string() const {
    std::string text{name(code)};
    if (!message.empty()) text += ": " + message;
    return text;
}

}  // namespace xenrig
