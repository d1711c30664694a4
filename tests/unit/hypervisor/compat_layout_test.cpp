// Hypercalls of 32-bit callers: the layouts are a 32-bit compiler's, and a translated memory behaves as the caller's.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "sim/hypervisor/compat.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {
namespace {

std::string as_recorded() {
    std::ostringstream text;
    for (const CompatLayout* layout : compat_layouts()) {
        text << layout->name << ' ' << layout->compat_size << '\n';
        for (const CompatField& field : layout->fields)
            text << "  " << field.compat << ' ' << unsigned{field.compat_bytes} << '\n';
    }
    return text.str();
}

TEST(CompatLayout, IsThatOfA32BitCompiler) {
    std::ifstream recorded(XENRIG_SOURCE_DIR "/fixtures/xen-abi/compat-layouts.txt");
    std::ostringstream text;
    text << recorded.rdbuf();
    EXPECT_EQ(as_recorded(), text.str()) << "see fixtures/xen-abi/compat-layouts.c";
}

TEST(CompatLayout, NamesEachNativeFieldOnceWithinItsStruct) {
    for (const CompatLayout* layout : compat_layouts()) {
        std::vector<bool> named(layout->native_size);
        for (const CompatField& field : layout->fields) {
            ASSERT_LE(field.native + std::size_t{field.native_bytes}, named.size()) << layout->name;
            for (std::size_t i = 0; i < field.native_bytes; ++i) {
                EXPECT_FALSE(named[field.native + i]) << layout->name << ": " << field.native;
                named[field.native + i] = true;
            }
        }
    }
}

/// 64 KiB from address 0, of which the last page is missing.
class Caller final : public GuestAccess {
public:
    unsigned bits() const override { return 32; }
    bool copy_from_guest(void* to, std::uint64_t from, std::size_t bytes) override {
        if (from + bytes > kEnd) return false;
        std::memcpy(to, memory.data() + from, bytes);
        return true;
    }
    bool copy_to_guest(std::uint64_t to, const void* from, std::size_t bytes) override {
        if (to + bytes > kEnd) return false;
        std::memcpy(memory.data() + to, from, bytes);
        return true;
    }
    void put32(std::size_t at, std::uint32_t value) { std::memcpy(memory.data() + at, &value, sizeof value); }
    std::uint32_t get32(std::size_t at) const {
        std::uint32_t value;
        std::memcpy(&value, memory.data() + at, sizeof value);
        return value;
    }
    static constexpr std::uint64_t kEnd = 0xf000;
    std::array<std::byte, 0x10000> memory{};
};

const CompatLayout& reservation() { return *compat_argument(__HYPERVISOR_memory_op, XENMEM_populate_physmap)->layout; }

TEST(CompatAccess, ReadsAStructAndItsListInTheirWideLayout) {
    Caller caller;
    caller.put32(0x100, 0x200);
    caller.put32(0x104, 2);
    caller.put32(0x200, 0x11111111);
    caller.put32(0x204, 0xfffffffe);
    CompatAccess access(caller);
    xen_memory_reservation_t op;
    ASSERT_TRUE(access.fetch(op, access.translated(0x100, reservation())));
    EXPECT_EQ(op.nr_extents, 2u);
    xen_pfn_t pfns[2];
    ASSERT_TRUE(access.fetch(pfns, reinterpret_cast<std::uint64_t>(op.extent_start.p)));
    EXPECT_EQ(pfns[0], 0x11111111u);
    EXPECT_EQ(pfns[1], 0xfffffffeu) << "widened with zeros";
}

TEST(CompatAccess, WritesOneElementOfAListAndNothingBesideIt) {
    Caller caller;
    caller.put32(0x200, 1), caller.put32(0x204, 2), caller.put32(0x208, 3);
    caller.put32(0x100, 0x200);
    CompatAccess access(caller);
    xen_memory_reservation_t op;
    ASSERT_TRUE(access.fetch(op, access.translated(0x100, reservation())));
    ASSERT_TRUE(access.put(reinterpret_cast<std::uint64_t>(op.extent_start.p) + sizeof(xen_pfn_t), xen_pfn_t{77}));
    EXPECT_EQ(caller.get32(0x200), 1u);
    EXPECT_EQ(caller.get32(0x204), 77u);
    EXPECT_EQ(caller.get32(0x208), 3u);
}

TEST(CompatAccess, WritesNoPointerBack) {
    Caller caller;
    caller.put32(0x100, 0x200);
    CompatAccess access(caller);
    const std::uint64_t at = access.translated(0x100, reservation());
    xen_memory_reservation_t op;
    ASSERT_TRUE(access.fetch(op, at));
    op.nr_extents = 9;
    ASSERT_TRUE(access.put(at, op));
    EXPECT_EQ(caller.get32(0x100), 0x200u);
    EXPECT_EQ(caller.get32(0x104), 9u);
}

TEST(CompatAccess, FaultsWhereTheCallersMemoryEnds) {
    Caller caller;
    CompatAccess access(caller);
    xen_memory_reservation_t op;
    EXPECT_FALSE(access.fetch(op, access.translated(Caller::kEnd - 8, reservation())));
    // The list's first element is the last that is there.
    caller.put32(0x100, Caller::kEnd - 4);
    ASSERT_TRUE(access.fetch(op, access.translated(0x100, reservation())));
    xen_pfn_t pfn;
    const auto list = reinterpret_cast<std::uint64_t>(op.extent_start.p);
    EXPECT_TRUE(access.fetch(pfn, list));
    EXPECT_FALSE(access.fetch(pfn, list + sizeof pfn));
}

}  // namespace
}  // namespace xenrig::hypervisor
