// Names and numbers of block devices: the table of misc/vbd-interface, its examples and its corners.
#include "xenrig/abi/vbd.h"

#include <gtest/gtest.h>

namespace xenrig {
namespace {

/// Nothing when it is refused.
std::optional<std::uint32_t> number(const char* name) {
    const auto parsed = parse_vbd(name);
    return parsed ? std::optional(*parsed) : std::nullopt;
}

TEST(VbdName, IsTheNumberOfTheTable) {
    const struct {
        const char* name;
        std::uint32_t number;
    } table[] = {
        {"xvda", 202 << 8},
        {"xvda1", 202 << 8 | 1},
        {"xvda15", 202 << 8 | 15},
        {"xvda16", 1 << 28 | 16},
        {"xvda255", 1 << 28 | 255},
        {"xvdb2", 202 << 8 | 1 << 4 | 2},
        {"xvdp15", 202 << 8 | 15 << 4 | 15},
        {"xvdq", 1 << 28 | 16 << 8},
        {"xvdz", 1 << 28 | 25 << 8},
        {"xvdaa", 1 << 28 | 26 << 8},
        {"xvdtq37", 1 << 28 | 536 << 8 | 37},
        {"xvdbgqcv", 1 << 28 | 0xfffff << 8},
        {"sda", 8 << 8},
        {"sdb3", 8 << 8 | 1 << 4 | 3},
        {"sdp15", 8 << 8 | 15 << 4 | 15},
        {"hda", 3 << 8},
        {"hda63", 3 << 8 | 63},
        {"hdb", 3 << 8 | 1 << 6},
        {"hdc2", 22 << 8 | 2},
        {"hdd63", 22 << 8 | 1 << 6 | 63},
    };
    for (const auto& row : table) {
        EXPECT_EQ(number(row.name), row.number) << row.name;
        EXPECT_EQ(vbd_name(row.number), row.name);
    }
}

TEST(VbdName, CanBeWrittenByDiskAndPartition) {
    EXPECT_EQ(number("d0"), number("xvda"));
    EXPECT_EQ(number("d0p0"), number("xvda"));
    EXPECT_EQ(number("d1p2"), number("xvdb2"));
    EXPECT_EQ(number("d536p37"), number("xvdtq37"));
    EXPECT_EQ(number("d1048575p255"), 1u << 28 | 0xfffffff);
    EXPECT_FALSE(number("d1048576p0"));
    EXPECT_FALSE(number("d0p256"));
}

TEST(VbdName, CanBeTheNumberItself) {
    EXPECT_EQ(number("51712"), 51712u);
    EXPECT_EQ(number("0xca00"), 51712u);
    EXPECT_EQ(number("0145000"), 51712u);
    EXPECT_EQ(number("0"), 0u);
    EXPECT_EQ(number("2147483647"), 2147483647u);
    EXPECT_FALSE(number("2147483648"));
    EXPECT_FALSE(number("18446744073709551616"));
}

TEST(VbdName, IsRefusedWhenItNamesNothing) {
    for (const char* name : {"",       "x",        "xvd",
                             "xvd1",   "xvdA",     "xvda0",
                             "xvda01", "xvda256",  "xvda-1",
                             "xvda1x", "xvda 1",   "sdq",
                             "sda16",  "hde",      "hda64",
                             "hd",     "d",        "dp1",
                             "d1p",    "d01p1",    "d1p01",
                             "d-1p0",  "0x",       "0xg",
                             "08",     "12a",      "+1",
                             "-1",     " 1",       "/dev/xvda",
                             "vda",    "xvdbgqcw", "xvdzzzzzzzzzzzz"})
        EXPECT_FALSE(number(name)) << name;
}

TEST(VbdNumber, MeansWhatTheTableSaysOrNothing) {
    EXPECT_EQ(vbd_of(51712), (Vbd{VbdKind::xvd, 0, 0}));
    // The wide form holds small numbers too, though nobody need write them so.
    EXPECT_EQ(vbd_of(1 << 28 | 1 << 8 | 2), (Vbd{VbdKind::xvd, 1, 2}));
    EXPECT_EQ(vbd_of(22 << 8 | 1 << 6), (Vbd{VbdKind::hd, 3, 0}));
    for (const std::uint32_t reserved :
         {0u, 7u << 8, 65u << 8, 3u << 8 | 128, 22u << 8 | 192, 203u << 8, 2u << 28, 3u << 28, ~0u}) {
        EXPECT_FALSE(vbd_of(reserved)) << reserved;
        EXPECT_EQ(vbd_name(reserved), std::to_string(reserved));
    }
}

TEST(VbdNumber, OfEachDeviceComesBackAsTheSameDevice) {
    for (const VbdKind kind : {VbdKind::xvd, VbdKind::sd, VbdKind::hd})
        for (std::uint32_t disk = 0; disk < 40; ++disk)
            for (std::uint32_t partition = 0; partition < 70; ++partition) {
                const Vbd device{kind, disk, partition};
                const auto made = vbd_number(device);
                const bool has = kind == VbdKind::xvd ||
                                 (kind == VbdKind::sd ? disk < 16 && partition < 16 : disk < 4 && partition < 64);
                ASSERT_EQ(made.has_value(), has) << disk << " " << partition;
                if (!made) continue;
                EXPECT_EQ(vbd_of(*made), device);
                EXPECT_EQ(number(vbd_name(*made).c_str()), *made);
            }
}

}  // namespace
}  // namespace xenrig
