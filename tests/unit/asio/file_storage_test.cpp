// A disk image through Asio, by io_uring and by the way that is left where there is none: the same file at the end.
#include "xenrig/asio/file_storage.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <thread>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <cstddef>

namespace xenrig::asio {
namespace {

using Kind = blk::StorageOp::Kind;

struct Op final : blk::StorageOp {
    std::vector<std::byte> bytes;
};

/// Counts what is under way.
class Pending {
public:
    std::shared_ptr<Op> begin(blk::Storage& storage, Kind kind, std::uint64_t offset, std::vector<std::byte> bytes,
                              std::uint64_t length = 0) {
        auto op = std::make_shared<Op>();
        op->kind = kind;
        op->offset = offset;
        op->bytes = std::move(bytes);
        op->data = op->bytes;
        op->length = length;
        op->done = [this](const blk::StorageOpPtr&) {
            const std::lock_guard held(mutex_);
            --left_;
            changed_.notify_all();
        };
        {
            const std::lock_guard held(mutex_);
            ++left_;
        }
        storage.submit(op);
        return op;
    }
    void wait() {
        std::unique_lock held(mutex_);
        changed_.wait(held, [this] { return left_ == 0; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    unsigned left_ = 0;
};

std::vector<std::byte> page(unsigned fill) { return std::vector<std::byte>(4096, static_cast<std::byte>(fill)); }

class FileStorageTest : public testing::TestWithParam<FileWay> {
protected:
    const std::string path = std::string(XENRIG_BINARY_DIR) + "/file_storage_" + std::to_string(::getpid()) + ".img";

    std::shared_ptr<FileStorage> storage;

    void SetUp() override {
        std::ofstream(path).close();
        std::filesystem::resize_file(path, 1 << 20);
        auto opened = FileStorage::open(path, false, GetParam());
        if (!opened && opened.error().code == Errno::opnotsupp) GTEST_SKIP() << opened.error().message;
        ASSERT_TRUE(opened) << opened.error().to_string();
        storage = *opened;
    }
    void TearDown() override { std::filesystem::remove(path); }
    std::uint64_t blocks() const {
        struct stat st{};
        return ::stat(path.c_str(), &st) == 0 ? static_cast<std::uint64_t>(st.st_blocks) : 0;
    }
};

TEST_P(FileStorageTest, ManyOperationsAtOnceAllArriveWhereTheyBelong) {
    EXPECT_EQ(storage->way(), GetParam());
    Pending pending;
    for (unsigned i = 0; i < 256; ++i) pending.begin(*storage, Kind::write, i * 4096, page(i));
    pending.wait();
    std::vector<std::shared_ptr<Op>> reads;
    for (unsigned i = 0; i < 256; ++i) reads.push_back(pending.begin(*storage, Kind::read, i * 4096, page(0xee)));
    pending.begin(*storage, Kind::flush, 0, {});
    pending.wait();
    for (unsigned i = 0; i < 256; ++i) {
        EXPECT_TRUE(reads[i]->result);
        EXPECT_EQ(reads[i]->bytes, page(i));
    }
    std::vector<char> content(1 << 20);
    std::ifstream(path).read(content.data(), static_cast<std::streamsize>(content.size()));
    for (unsigned i = 0; i < 256; ++i) ASSERT_EQ(static_cast<unsigned char>(content[i * 4096 + 17]), i);
}

TEST_P(FileStorageTest, ASparseFileKeepsItsHolesAndADiscardMakesNewOnes) {
    const std::uint64_t empty = blocks();
    Pending pending;
    for (unsigned i = 0; i < 64; ++i) pending.begin(*storage, Kind::write, i * 4096, page(7));
    pending.wait();
    pending.begin(*storage, Kind::flush, 0, {});
    pending.wait();
    const std::uint64_t written = blocks();
    if (written < empty + 64 * 8) GTEST_SKIP() << "this file system does not count blocks";
    EXPECT_LT(written, 1u << 11) << "what was not written takes no room";
    const auto discard = pending.begin(*storage, Kind::discard, 0, {}, 48 * 4096);
    pending.wait();
    ASSERT_TRUE(discard->result);
    const auto gone = pending.begin(*storage, Kind::read, 47 * 4096, page(0xee));
    const auto kept = pending.begin(*storage, Kind::read, 48 * 4096, page(0xee));
    pending.wait();
    EXPECT_EQ(kept->bytes, page(7));
    if (gone->bytes == page(7)) GTEST_SKIP() << "this file system has no holes";
    EXPECT_EQ(gone->bytes, page(0));
    EXPECT_LE(blocks() + 48 * 8, written) << "the blocks are given back";
}

TEST_P(FileStorageTest, WhatCanNotBeDoneFails) {
    ASSERT_TRUE(storage->resize(8192));
    Pending pending;
    const auto beyond = pending.begin(*storage, Kind::write, 8192, page(1));
    const auto across = pending.begin(*storage, Kind::read, 4096 + 512, page(1));
    pending.wait();
    EXPECT_FALSE(beyond->result);
    EXPECT_FALSE(across->result);
    EXPECT_EQ(std::filesystem::file_size(path), 8192u);
    ASSERT_TRUE(storage->resize(16384));
    const auto inside = pending.begin(*storage, Kind::write, 8192, page(1));
    pending.wait();
    EXPECT_TRUE(inside->result);
    // Cut behind our back.
    std::filesystem::resize_file(path, 4096);
    const auto cut = pending.begin(*storage, Kind::read, 8192, page(1));
    pending.wait();
    EXPECT_FALSE(cut->result);
    EXPECT_FALSE(FileStorage::open(path + ".none", false, GetParam()));
}

TEST_P(FileStorageTest, ItsEndWaitsForWhatIsUnderWay) {
    Pending pending;
    std::vector<std::shared_ptr<Op>> writes;
    for (unsigned i = 0; i < 64; ++i) writes.push_back(pending.begin(*storage, Kind::write, i * 4096, page(i)));
    storage.reset();
    for (const auto& op : writes) EXPECT_TRUE(op->result && !op->done);
}

TEST_P(FileStorageTest, TheThreadThatCompletesIsPreparedFirst) {
    static thread_local bool prepared = false;
    const auto opened = FileStorage::open(path, false, GetParam(), [] { prepared = true; });
    ASSERT_TRUE(opened) << opened.error().to_string();
    std::promise<bool> told;
    const auto op = std::make_shared<Op>();
    op->kind = Kind::flush;
    op->done = [&told](const auto&) { told.set_value(prepared); };
    (*opened)->submit(op);
    EXPECT_TRUE(told.get_future().get());
}

INSTANTIATE_TEST_SUITE_P(Ways, FileStorageTest, testing::Values(FileWay::io_uring, FileWay::thread));

/// Makes io_uring_setup fail with EPERM from here on, as a container does.
bool forbid_io_uring() {
    sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    sock_fprog program{std::size(filter), filter};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST(FileStorage, FallsBackWhereTheKernelRefusesIoUring) {
    const std::string path = std::string(XENRIG_BINARY_DIR) + "/file_storage_refused.img";
    std::ofstream(path).close();
    std::filesystem::resize_file(path, 8192);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        if (!forbid_io_uring()) ::_exit(77);
        const auto asked = FileStorage::open(path, false, FileWay::io_uring);
        const auto storage = FileStorage::open(path, false);
        if (asked || !storage || (*storage)->way() != FileWay::thread) ::_exit(1);
        Pending pending;
        const auto write = pending.begin(**storage, Kind::write, 4096, page(9));
        pending.wait();
        ::_exit(write->result ? 0 : 2);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << "no seccomp filters here";
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
    char byte = 0;
    std::ifstream in(path);
    in.seekg(8191);
    in.get(byte);
    EXPECT_EQ(byte, 9);
    std::filesystem::remove(path);
}

}  // namespace
}  // namespace xenrig::asio
