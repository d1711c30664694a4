#include "sim/image/file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "sample.h"
#include "sim/image/reader.h"
#include "tests/scratch/scratch_folder.h"

namespace xenrig::image {
namespace {

using namespace sample;
namespace fs = std::filesystem;

class ImageFile : public testing::Test {
protected:
    static void save(File& file) {
        Writer w(file.sink());
        write_hvm(w);
    }
    std::size_t files() const {
        return static_cast<std::size_t>(std::distance(fs::directory_iterator(scratch_.path()), {}));
    }

    test::ScratchFolder scratch_;
    std::string path_ = scratch_ / "guest.xen";
};

TEST_F(ImageFile, ComesBackAsItWas) {
    auto file = File::create(path_);
    ASSERT_TRUE(file) << file.error().message;
    save(*file);
    EXPECT_FALSE(fs::exists(path_)) << "it appears whole or not at all";
    ASSERT_TRUE(file->commit());
    EXPECT_EQ(files(), 1u);
    struct stat info{};
    ASSERT_EQ(stat(path_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u) << "a guest's memory is its owner's alone";

    Kept kept, expected;
    Reader reader(kept);
    const auto loaded = File::load(path_, reader);
    ASSERT_TRUE(loaded) << loaded.error().message;
    ASSERT_TRUE(read(image(write_hvm), expected));
    EXPECT_TRUE(kept.same_content(expected));
}

TEST_F(ImageFile, ASaveThatIsGivenUpLeavesTheOldImage) {
    std::ofstream(path_) << "old";
    {
        auto file = File::create(path_);
        ASSERT_TRUE(file);
        save(*file);
        EXPECT_EQ(files(), 2u);
    }
    EXPECT_EQ(files(), 1u);
    std::string content;
    std::ifstream(path_) >> content;
    EXPECT_EQ(content, "old");
}

TEST_F(ImageFile, AFullDiskIsAnErrorThatNamesTheFileAndLeavesTheOldImage) {
    std::ofstream(path_) << "old" << std::flush;
    const auto old_handler = signal(SIGXFSZ, SIG_IGN);
    rlimit old_limit{};
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
    const rlimit small{8192, old_limit.rlim_max};
    auto file = File::create(path_);
    ASSERT_TRUE(file);
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    save(*file);
    const auto committed = file->commit();
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old_limit), 0);
    signal(SIGXFSZ, old_handler);

    ASSERT_FALSE(committed);
    EXPECT_EQ(committed.error().code, Errno::nospc);
    EXPECT_TRUE(committed.error().message.starts_with(path_ + ": cannot be written: ")) << committed.error().message;
    std::string content;
    std::ifstream(path_) >> content;
    EXPECT_EQ(content, "old");
}

TEST_F(ImageFile, APlaceThatDoesNotExistIsAnErrorThatNamesIt) {
    const std::string nowhere = (scratch_.path() / "no" / "guest.xen").string();
    const auto file = File::create(nowhere);
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().to_string(), "ENOENT: " + nowhere + ": cannot be created: No such file or directory");
    Kept kept;
    Reader reader(kept);
    EXPECT_EQ(File::load(nowhere, reader).error().code, Errno::noent);
    EXPECT_EQ(File::load(scratch_.path().string(), reader).error().code, Errno::isdir);
}

TEST_F(ImageFile, ADamagedFileIsAnErrorWithItsNameAndTheOffset) {
    Bytes damaged = image(write_hvm);
    damaged.resize(1000);
    std::ofstream(path_, std::ios::binary).write(reinterpret_cast<const char*>(damaged.data()), 1000);
    Kept kept;
    Reader reader(kept);
    const auto loaded = File::load(path_, reader);
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code, Errno::nodata);
    EXPECT_EQ(loaded.error().message,
              path_ +
                  ": saved image, offset 72, libxc PAGE_DATA: the image ends inside it, at offset 1000: it was cut "
                  "off, save it again");
}

}  // namespace
}  // namespace xenrig::image
