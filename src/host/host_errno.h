// The host's error numbers as values: on x86 Linux's numbers are Xen's, which were taken from there (xen/errno.h).
#pragma once

#include <cerrno>
#include <cstring>
#include <string>

#include "xenrig/abi/error.h"

namespace xenrig::host {

static_assert(EAGAIN == static_cast<int>(Errno::again) && ENOSYS == static_cast<int>(Errno::nosys) &&
              ENOTEMPTY == static_cast<int>(Errno::notempty) && ECONNREFUSED == static_cast<int>(Errno::connrefused));

/// `what`: what was done, as in "mapping grant 8 of domain 3"; the host's word for the number follows.
inline std::unexpected<Error> host_failure(const std::string& what, int number = errno) {
    return fail(static_cast<Errno>(number), what + ": " + std::strerror(number));
}

}  // namespace xenrig::host
