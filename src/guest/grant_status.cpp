#include "grant_status.h"

#include <array>
#include <cstddef>

#include "text.h"

namespace xenrig::guest {

std::string gntst_name(std::int16_t status) {
    static constexpr std::array kNames{"GNTST_okay",         "GNTST_general_error",   "GNTST_bad_domain",
                                       "GNTST_bad_gntref",   "GNTST_bad_handle",      "GNTST_bad_virt_addr",
                                       "GNTST_bad_dev_addr", "GNTST_no_device_space", "GNTST_permission_denied",
                                       "GNTST_bad_page",     "GNTST_bad_copy_arg",    "GNTST_address_too_big",
                                       "GNTST_eagain",       "GNTST_no_space"};
    const auto index = static_cast<std::size_t>(-status);
    return status <= 0 && index < kNames.size() ? kNames[index] : "an unknown status";
}

Error gntst_error(std::int16_t status, const std::string& what) {
    return Error{Errno::inval, what + " failed with " + gntst_name(status) + " (" + dec(status) + ")"};
}

}  // namespace xenrig::guest
