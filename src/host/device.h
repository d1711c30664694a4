// The devices that a Linux on Xen has, and the words for one without them.
#pragma once

#include "xenrig/abi/error.h"

namespace xenrig::host {

/// Can `path` be opened to read and write? ENOENT or EACCES that name what makes it so, as `module` of the kernel.
Result<> check_device(const char* path, const char* module);

}  // namespace xenrig::host
