// The numbers of Xen's saved image: a libxl stream (docs/specs/libxl-migration-stream, version 2) around a libxc stream
// (docs/specs/libxc-migration-stream, version 3).
//
//   image  = LibxlHeader { record }                    the libxc stream follows LIBXC_CONTEXT at once
//   libxc  = ImageHeader DomainHeader { record }
//   record = RecordHeader body padding                 to 8 bytes; bit 31 of the type set: a reader may skip it
//
// Headers are big endian, all else is little endian as on every x86 host. Reserved fields and padding are written as
// zero and ignored when read.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace xenrig::image {

static_assert(std::endian::native == std::endian::little, "x86 images are little endian, and records are copied as is");

inline constexpr std::uint64_t kLibxlIdent = 0x4c69'6278'6c46'6d74;  // "LibxlFmt"
inline constexpr std::uint32_t kLibxlVersion = 2;
inline constexpr std::uint32_t kLibxlBigEndian = 1, kLibxlLegacy = 2;

inline constexpr std::uint64_t kImageMarker = ~0ull;
inline constexpr std::uint32_t kImageIdent = 0x5845'4e46;  // "XENF"
inline constexpr std::uint32_t kImageVersion = 3;
inline constexpr std::uint16_t kImageBigEndian = 1;

inline constexpr std::uint32_t kOptionalRecord = 1u << 31;

/// libxc refuses a longer record (xg_sr_stream_format.h: REC_LENGTH_MAX).
inline constexpr std::uint32_t kRecordBytesMax = 8u << 20;
/// Pages of one PAGE_DATA, as many as libxc sends (xg_sr_common.h: MAX_BATCH_SIZE).
inline constexpr std::uint32_t kPagesPerRecordMax = 1024;
/// More than HVM_NR_PARAMS of any Xen.
inline constexpr std::uint32_t kHvmParamsMax = 256;

struct LibxlHeader {
    std::uint64_t ident;
    std::uint32_t version, options;
};

struct RecordHeader {
    std::uint32_t type, length;
};

enum class LibxlRecord : std::uint32_t {
    end = 0,
    libxc_context = 1,
    emulator_xenstore_data = 2,
    emulator_context = 3,
    checkpoint_end = 4,
    checkpoint_state = 5,
};

/// Opens each emulator record.
struct EmulatorHeader {
    std::uint32_t emulator, index;
};

/// "Unknown": the format has no number for an emulator that is neither of the QEMUs, and Xen's verifier refuses others.
inline constexpr std::uint32_t kEmulatorUnknown = 0;
inline constexpr std::uint32_t kGuestIndex = 0;
inline constexpr std::uint32_t kStoreIndex = 1;

/// Opens the Guest's emulator context; its bytes follow, padded to 8, then the Checksum of all that came before it.
struct GuestHeader {
    std::uint64_t ident;
    std::uint32_t version, length;
};

inline constexpr std::uint64_t kGuestIdent = 0x7473'6575'4769'7258;  // "XriGuest", first byte lowest
inline constexpr std::uint32_t kGuestVersion = 1;

struct ImageHeader {
    std::uint64_t marker;
    std::uint32_t ident, version;
    std::uint16_t options, reserved;
    std::uint32_t reserved_too;
};

struct DomainHeader {
    std::uint32_t type;
    std::uint16_t page_shift, reserved;
    std::uint32_t xen_major, xen_minor;
};

enum class LibxcRecord : std::uint32_t {
    end = 0x00,
    page_data = 0x01,
    pv_info = 0x02,
    p2m_frames = 0x03,
    vcpu_basic = 0x04,
    vcpu_extended = 0x05,
    vcpu_xsave = 0x06,
    shared_info = 0x07,
    tsc_info = 0x08,
    hvm_context = 0x09,
    hvm_params = 0x0a,
    toolstack = 0x0b,
    vcpu_msrs = 0x0c,
    verify = 0x0d,
    checkpoint = 0x0e,
    checkpoint_dirty_pfn_list = 0x0f,
    static_data_end = 0x10,
    cpuid_policy = 0x11,
    msr_policy = 0x12,
};

/// Opens PAGE_DATA and HVM_PARAMS.
struct CountHeader {
    std::uint32_t count, reserved;
};

inline constexpr std::uint64_t kPfnMask = (1ull << 52) - 1;
inline constexpr unsigned kPageTypeShift = 60;

struct PvInfoBody {
    std::uint8_t guest_width, pt_levels;
    std::uint16_t reserved;
    std::uint32_t reserved_too;
};

struct P2mHeader {
    std::uint32_t first, last;
};

struct VcpuHeader {
    std::uint32_t vcpu, reserved;
};

/// The specification's name; "?" for a number that it does not give.
std::string_view name(LibxlRecord record);
std::string_view name(LibxcRecord record);

/// One of X86_PV_VCPU_*: a VcpuHeader and what the hypervisor made of the vCPU.
constexpr bool is_vcpu(LibxcRecord r) {
    return r == LibxcRecord::vcpu_basic || r == LibxcRecord::vcpu_extended || r == LibxcRecord::vcpu_xsave ||
           r == LibxcRecord::vcpu_msrs;
}

constexpr std::uint64_t padded(std::uint64_t length) { return (length + 7) & ~7ull; }

template <class T>
T read_as(std::span<const std::byte> bytes) {
    T value;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}

template <class T>
std::span<const std::byte> bytes_of(const T& value) {
    return std::as_bytes(std::span(&value, 1));
}

}  // namespace xenrig::image
