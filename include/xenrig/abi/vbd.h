// Names and numbers of virtual block devices: "xvda1" in a guest's configuration is 51713 in the store.
//
// The number is the name of both ends' directories and stands in `virtual-device`; what it encodes is the kind of disk
// whose place the device takes, the disk and the partition (misc/vbd-interface). Names are read as libxl reads them
// (libxl__device_disk_dev_number).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "xenrig/abi/error.h"

namespace xenrig {

enum class VbdKind : std::uint8_t {
    xvd,  ///< Xen's own
    sd,   ///< SCSI
    hd,   ///< IDE
};

struct Vbd {
    VbdKind kind = VbdKind::xvd;
    std::uint32_t disk = 0;
    std::uint32_t partition = 0;  ///< 0: the whole disk
    friend bool operator==(const Vbd&, const Vbd&) = default;
};

/// The device's number. EINVAL when the kind has no such disk or partition: xvd has disks below 2^20 with partitions
/// below 256, sd 16 with 16, hd 4 with 64.
Result<std::uint32_t> vbd_number(const Vbd& device);

/// What a number means; nothing for those that are deprecated or reserved, which a guest ignores.
std::optional<Vbd> vbd_of(std::uint32_t number);

/// "xvda1" (xvd, sd or hd; the disk is a, b, ... z, aa and on; a partition has no leading zero), "d0" or "d0p1" (the
/// same of xvd by numbers), or a number as such, decimal, 0x hexadecimal or 0 octal, from 0 to 2^31 - 1, whatever it
/// means. EINVAL for all else.
Result<std::uint32_t> parse_vbd(std::string_view text);

/// "xvdtq37"; the number in decimal where it means nothing.
std::string vbd_name(std::uint32_t number);

}  // namespace xenrig
