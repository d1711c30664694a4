// Storage in memory: what was never written is zeros and costs nothing.
#include <gtest/gtest.h>

#include "storage_driver.h"
#include "xenrig/drivers/blk/ram_disk.h"

namespace xenrig::blk {
namespace {

TEST(SparseBytes, WritesThatCrossPagesComeBackWholeAndTheRestIsZero) {
    SparseBytes bytes;
    std::vector<std::byte> in(10000, std::byte{7}), out(12000);
    bytes.write((1ull << 40) + 4095, in);
    bytes.read((1ull << 40) + 4094, out);
    EXPECT_EQ(out[0], std::byte{0});
    EXPECT_EQ(out[1], std::byte{7});
    EXPECT_EQ(out[10000], std::byte{7});
    EXPECT_EQ(out[10001], std::byte{0});
    EXPECT_EQ(bytes.footprint(), 4 * kPageSize);
}

TEST(RamDisk, AReadOnlyDiskRefusesWritesAndKeepsItsContent) {
    RamDisk disk({.bytes = 1 << 20, .read_only = true});
    disk.poke(512, sectors('x'));
    EXPECT_EQ(write(disk, 1, 'y')->result.error().code, Errno::rofs);
    EXPECT_EQ(read(disk, 1)->bytes, sectors('x'));
    EXPECT_TRUE(flush(disk)->over);
}

}  // namespace
}  // namespace xenrig::blk
