#include "device.h"

#include <unistd.h>

#include "host_errno.h"

namespace xenrig::host {

Result<> check_device(const char* path, const char* module) {
    if (::access(path, R_OK | W_OK) == 0) return {};
    const int why = errno;
    const std::string what(path);
    if (why == ENOENT)
        return fail(Errno::noent,
                    "no " + what + ": is this a dom0, or a driver domain, of a running Xen? If so: modprobe " + module);
    if (why == EACCES || why == EPERM) return fail(Errno::access, what + " may not be opened: run as root");
    return host_failure(what, why);
}

}  // namespace xenrig::host
