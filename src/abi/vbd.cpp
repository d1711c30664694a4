#include "xenrig/abi/vbd.h"

#include <charconv>

namespace xenrig {

namespace {

constexpr std::uint32_t kExtended = 1u << 28;
constexpr std::uint32_t kXvdMajor = 202, kSdMajor = 8, kFirstHdMajor = 3, kSecondHdMajor = 22;

/// Of a kind: how many disks it has, and partitions of one, the whole disk counted.
struct Limits {
    std::uint32_t disks, partitions;
};
constexpr Limits limits_of(VbdKind kind) {
    switch (kind) {
        case VbdKind::xvd:
            return {1u << 20, 256};
        case VbdKind::sd:
            return {16, 16};
        case VbdKind::hd:
            return {4, 64};
    }
    return {0, 0};
}

constexpr const char* prefix_of(VbdKind kind) {
    return kind == VbdKind::xvd ? "xvd" : kind == VbdKind::sd ? "sd" : "hd";
}

/// All of `text`, digits alone. Saturates, so that too much stays too much.
std::optional<std::uint32_t> digits(std::string_view text, int base = 10) {
    std::uint64_t n = 0;
    if (text.empty()) return {};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n, base);
    if (end != text.data() + text.size() || error == std::errc::invalid_argument) return {};
    constexpr std::uint64_t kMost = ~std::uint32_t{0};
    return static_cast<std::uint32_t>(error == std::errc{} && n < kMost ? n : kMost);
}

/// Decimal, without a leading zero unless it is 0.
std::optional<std::uint32_t> plain(std::string_view text) {
    if (text.size() > 1 && text.front() == '0') return {};
    return digits(text);
}

/// Takes the letters from the front of `text`: a is 0, z 25, aa 26.
std::optional<std::uint32_t> take_letters(std::string_view& text) {
    std::uint32_t after = 0;
    while (!text.empty() && text.front() >= 'a' && text.front() <= 'z') {
        after = after * 26 + static_cast<std::uint32_t>(text.front() - 'a') + 1;
        if (after > limits_of(VbdKind::xvd).disks) return {};
        text.remove_prefix(1);
    }
    if (after == 0) return {};
    return after - 1;
}

std::string letters(std::uint32_t disk) {
    std::string text;
    for (std::uint32_t left = disk + 1; left != 0; left = (left - 1) / 26)
        text.insert(text.begin(), static_cast<char>('a' + (left - 1) % 26));
    return text;
}

std::optional<Vbd> by_letters(std::string_view text) {
    for (const VbdKind kind : {VbdKind::xvd, VbdKind::sd, VbdKind::hd}) {
        if (!text.starts_with(prefix_of(kind))) continue;
        text.remove_prefix(std::string_view(prefix_of(kind)).size());
        const auto disk = take_letters(text);
        if (!disk) return {};
        if (text.empty()) return Vbd{kind, *disk, 0};
        const auto partition = plain(text);
        if (!partition || *partition == 0) return {};
        return Vbd{kind, *disk, *partition};
    }
    return {};
}

std::optional<Vbd> by_numbers(std::string_view text) {
    if (!text.starts_with('d')) return {};
    const auto p = text.find('p');
    const auto disk = plain(text.substr(1, p == std::string_view::npos ? p : p - 1));
    const auto partition = p == std::string_view::npos ? 0 : plain(text.substr(p + 1));
    if (!disk || !partition) return {};
    return Vbd{VbdKind::xvd, *disk, *partition};
}

std::optional<std::uint32_t> as_number(std::string_view text) {
    if (text.starts_with("0x") || text.starts_with("0X")) return digits(text.substr(2), 16);
    return digits(text, text.starts_with('0') ? 8 : 10);
}

}  // namespace

Result<std::uint32_t> vbd_number(const Vbd& device) {
    const auto [disks, partitions] = limits_of(device.kind);
    const std::uint32_t disk = device.disk, partition = device.partition;
    if (disk >= disks || partition >= partitions)
        return fail(Errno::inval, std::string(prefix_of(device.kind)) + " has disks up to " +
                                      std::to_string(disks - 1) + " with partitions up to " +
                                      std::to_string(partitions - 1));
    switch (device.kind) {
        case VbdKind::xvd:
            if (disk > 15 || partition > 15) return kExtended | disk << 8 | partition;
            return kXvdMajor << 8 | disk << 4 | partition;
        case VbdKind::sd:
            return kSdMajor << 8 | disk << 4 | partition;
        case VbdKind::hd:
            return (disk < 2 ? kFirstHdMajor : kSecondHdMajor) << 8 | disk % 2 << 6 | partition;
    }
    return 0;
}

std::optional<Vbd> vbd_of(std::uint32_t number) {
    if (number >> 28 == 1) return Vbd{VbdKind::xvd, number >> 8 & 0xfffff, number & 0xff};
    const std::uint32_t disk = number >> 4 & 0xf, partition = number & 0xf;
    switch (number >> 8) {
        case kXvdMajor:
            return Vbd{VbdKind::xvd, disk, partition};
        case kSdMajor:
            return Vbd{VbdKind::sd, disk, partition};
        // An IDE controller has two disks: the upper half of its numbers is nobody's.
        case kFirstHdMajor:
        case kSecondHdMajor:
            if ((number & 0xff) >= 2 << 6) return {};
            return Vbd{VbdKind::hd, (number >> 6 & 1) + (number >> 8 == kSecondHdMajor ? 2 : 0), number & 0x3f};
        default:
            return {};
    }
}

Result<std::uint32_t> parse_vbd(std::string_view text) {
    auto device = by_letters(text);
    if (!device) device = by_numbers(text);
    if (device) {
        auto number = vbd_number(*device);
        if (!number) return fail(Errno::inval, "'" + std::string(text) + "' is no disk: " + number.error().message);
        return number;
    }
    constexpr std::uint32_t kMost = (1u << 31) - 1;
    if (const auto number = as_number(text); number && *number <= kMost) return *number;
    return fail(Errno::inval, "'" + std::string(text) +
                                  "' is no disk's name: xvda, sda or hda, with a partition behind it or none, d0p0, "
                                  "or the device's number");
}

std::string vbd_name(std::uint32_t number) {
    const auto device = vbd_of(number);
    if (!device) return std::to_string(number);
    return prefix_of(device->kind) + letters(device->disk) +
           (device->partition == 0 ? "" : std::to_string(device->partition));
}

}  // namespace xenrig
