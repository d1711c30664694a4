// domctl.h and sysctl.h, which Xen's public headers keep for toolstacks.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sim/hypervisor/xen_abi.h"

// They ask for anonymous structs, which every compiler that we take has.
#pragma push_macro("__STRICT_ANSI__")
#undef __STRICT_ANSI__
#include <xen/domctl.h>
#include <xen/sysctl.h>
#pragma pop_macro("__STRICT_ANSI__")
