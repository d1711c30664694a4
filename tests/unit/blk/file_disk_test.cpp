// A disk image in a file: its bytes, and what is said about images that are none.
#include "xenrig/drivers/blk/file_disk.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include <sys/resource.h>
#include <csignal>

#include "storage_driver.h"

namespace xenrig::blk {
namespace {

struct FileDiskTest : testing::Test {
    const std::string path =
        std::string(XENRIG_BINARY_DIR) + "/" + testing::UnitTest::GetInstance()->current_test_info()->name() + ".img";

    void make(std::size_t bytes) const { std::ofstream(path) << std::string(bytes, '.'); }
    void TearDown() override { std::filesystem::remove_all(path); }
    std::string refusal() const {
        auto disk = FileDisk::open(path, false);
        return disk ? "opened" : disk.error().to_string();
    }
};

TEST_F(FileDiskTest, WhatIsWrittenIsInTheFileAndNowhereElse) {
    make(8 * 512);
    {
        auto disk = FileDisk::open(path, false).value();
        EXPECT_EQ(disk->info().bytes, 4096u);
        EXPECT_TRUE(write(*disk, 2, 'w', 2)->result);
        EXPECT_TRUE(flush(*disk)->result);
        EXPECT_EQ(read(*disk, 3)->bytes, sectors('w'));
    }
    std::string content(4096, '?');
    std::ifstream(path).read(content.data(), 4096);
    EXPECT_EQ(content, std::string(1024, '.') + std::string(1024, 'w') + std::string(2048, '.'));
}

TEST_F(FileDiskTest, MayGrowAndShrinkWhileItIsOpen) {
    make(8 * 512);
    auto disk = FileDisk::open(path, false).value();
    unsigned told = 0;
    const auto watch = std::make_shared<const std::function<void()>>([&] { ++told; });
    disk->watch_size(watch);
    ASSERT_TRUE(disk->resize(16 * 512));
    EXPECT_EQ(told, 1u);
    EXPECT_EQ(disk->info().bytes, 16u * 512);
    EXPECT_EQ(read(*disk, 15)->bytes, sectors('\0'));
    std::filesystem::resize_file(path, 4 * 512);
    ASSERT_TRUE(disk->take_size());
    EXPECT_EQ(told, 2u);
    EXPECT_FALSE(write(*disk, 4, 'w')->result);
    EXPECT_EQ(std::filesystem::file_size(path), 4u * 512) << "a write beyond the end makes no file longer";
    EXPECT_TRUE(write(*disk, 3, 'w')->result);
    EXPECT_FALSE(disk->resize(1000));
    EXPECT_EQ(disk->info().bytes, 4u * 512);
}

TEST_F(FileDiskTest, AMissingImageIsNamed) {
    EXPECT_EQ(refusal(), "ENOENT: " + path + ": can't open the disk image: No such file or directory");
}

TEST_F(FileDiskTest, AnImageThatIsNoMultipleOfASectorIsNamedWithItsSize) {
    make(1000);
    EXPECT_EQ(refusal(),
              "EINVAL: " + path + ": 1000 bytes are no disk: a disk image is a multiple of 512 bytes and not empty");
    make(0);
    EXPECT_NE(refusal().find("0 bytes are no disk"), std::string::npos);
}

TEST_F(FileDiskTest, ADirectoryIsNoDisk) {
    std::filesystem::create_directory(path);
    EXPECT_NE(refusal().find(path), std::string::npos);
}

TEST_F(FileDiskTest, AReadBehindTheEndOfAFileThatWasCutFailsAndSaysSo) {
    make(4096);
    auto disk = FileDisk::open(path, false).value();
    std::filesystem::resize_file(path, 1024);
    const auto op = read(*disk, 4);
    EXPECT_EQ(op->result.error().to_string(), "EIO: " + path + ": ends at byte 2048 of 4096: it was cut while in use");
}

TEST_F(FileDiskTest, AReadOnlyImageRefusesWritesAndStaysAsItIs) {
    make(512);
    auto disk = FileDisk::open(path, true).value();
    EXPECT_EQ(write(*disk, 0, 'w')->result.error().code, Errno::rofs);
    EXPECT_EQ(read(*disk, 0)->bytes, sectors('.'));
}

TEST_F(FileDiskTest, AWriteThatFindsNoRoomIsReportedAsNoSpaceAndNamesTheFile) {
    make(4096);
    auto disk = FileDisk::open(path, false).value();
    // A limit on the size of files stands for a full file system.
    const auto ignored = ::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const rlimit small{.rlim_cur = 1024, .rlim_max = before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    const auto op = write(*disk, 2, 'w');
    ::setrlimit(RLIMIT_FSIZE, &before);
    ::signal(SIGXFSZ, ignored);

    EXPECT_EQ(op->result.error().code, Errno::nospc);
    EXPECT_EQ(op->result.error().message.find(path + ": can't write"), 0u);
}

TEST_F(FileDiskTest, ACharacterDeviceIsNoDisk) {
    EXPECT_EQ(FileDisk::open("/dev/null", false).error().to_string(),
              "EINVAL: /dev/null: neither a file nor a block device");
}

}  // namespace
}  // namespace xenrig::blk
