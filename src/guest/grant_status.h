// GNTST_* of grant_table.h as errors.
#pragma once

#include <cstdint>
#include <string>

#include "xenrig/abi/error.h"

namespace xenrig::guest {

/// "GNTST_bad_gntref" for -3.
std::string gntst_name(std::int16_t status);

/// EINVAL, with the status in its message.
Error gntst_error(std::int16_t status, const std::string& what);

}  // namespace xenrig::guest
