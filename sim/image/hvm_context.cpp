#include "sim/image/hvm_context.h"

#include "sim/image/format.h"

namespace xenrig::image {

namespace {

// hvm/save.h refuses to be included by ISO C++, so its three structs stand here under their own names.
struct hvm_save_descriptor {
    std::uint16_t typecode, instance;
    std::uint32_t length;
};
struct hvm_save_header {
    std::uint32_t magic, version;
    std::uint64_t changeset;
    std::uint32_t cpuid, gtsc_khz;
};
struct Context {
    hvm_save_descriptor header_entry;
    hvm_save_header header;
    hvm_save_descriptor end_entry;
};
static_assert(sizeof(Context) == 40, "entries follow each other without gaps");

constexpr std::uint16_t kHeaderCode = 1, kEndCode = 0;
constexpr std::uint32_t kMagic = 0x5438'1286, kVersion = 1;  // HVM_FILE_MAGIC, HVM_FILE_VERSION

}  // namespace

std::vector<std::byte> minimal_hvm_context(std::uint32_t cpuid, std::uint32_t gtsc_khz) {
    const Context context{
        {kHeaderCode, 0, sizeof(hvm_save_header)}, {kMagic, kVersion, 0, cpuid, gtsc_khz}, {kEndCode, 0, 0}};
    const auto bytes = bytes_of(context);
    return {bytes.begin(), bytes.end()};
}

}  // namespace xenrig::image
