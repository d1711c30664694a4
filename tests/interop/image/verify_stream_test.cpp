// Xen's own judge of saved images, verify-stream-v2 of xen-utils, reads what we write.
//
// XENRIG_XEN_UTILS names a folder into which the package was unpacked; else it is looked for where Debian installs it.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "sample.h"
#include "sim/image/file.h"
#include "sim/image/hvm_context.h"
#include "xenrig/world/run.h"

namespace xenrig::image {
namespace {

using namespace sample;

struct Answer {
    int exit_code = -1;
    std::string text;
};

/// Runs a program of the PATH; what it says on both its outputs goes through the file `said`.
Answer run(std::vector<std::string> command, const std::string& said) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, said.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    std::vector<char*> argv;
    argv.reserve(command.size() + 1);
    for (std::string& word : command) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_t child = 0;
    const int failed = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    int status = 0;
    if (failed != 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return {};
    std::ostringstream text;
    text << std::ifstream(said).rdbuf();
    std::filesystem::remove(said);
    return {WEXITSTATUS(status), text.str()};
}

class VerifyStream : public testing::Test {
protected:
    void SetUp() override {
        const char* unpacked = std::getenv("XENRIG_XEN_UTILS");
        folder_ = std::string(unpacked != nullptr ? unpacked : "") + "/usr/lib/xen-4.17";
        if (!std::filesystem::exists(folder_ + "/bin/verify-stream-v2"))
            GTEST_SKIP() << "no " << folder_ << "/bin/verify-stream-v2: apt-get download xen-utils-4.17 && dpkg-deb -x "
                         << "xen-utils-4.17_*.deb DIR, then set XENRIG_XEN_UTILS=DIR";
        path_ = testing::TempDir() + "xenrig-verify-" + std::to_string(::getpid()) + ".xen";
        if (run({"python3", "--version"}, path_ + ".said").exit_code != 0)
            GTEST_SKIP() << "no python3, which verify-stream-v2 is written in";
    }
    void TearDown() override { std::filesystem::remove(path_); }

    void save(std::span<const std::byte> bytes) {
        auto file = File::create(path_);
        ASSERT_TRUE(file) << file.error().message;
        file->write(bytes);
        const auto committed = file->commit();
        ASSERT_TRUE(committed) << committed.error().message;
    }
    Answer verify() const {
        return run({"env", "PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH=" + folder_ + "/lib/python", "python3",
                    folder_ + "/bin/verify-stream-v2", "-v", "-f", "libxl", "-i", path_},
                   path_ + ".said");
    }

    std::string folder_, path_;
};

TEST_F(VerifyStream, AcceptsTheImageOfAnHvmGuest) {
    save(image(write_hvm));
    const Answer answer = verify();
    EXPECT_EQ(answer.exit_code, 0) << answer.text;
    for (const char* line :
         {"Libxc Image Header: Version 3, little endian", "Domain Header: x86 HVM from Xen 4.17",
          "Libxc Record: Static data end", "Squashed 2 Page Data records", "Libxc Record: HVM params, length 40",
          "Libxc Record: HVM context, length 40", "  Index 1, type Unknown", "  Index 0, type Unknown"})
        EXPECT_NE(answer.text.find(line), std::string::npos) << line << "\n" << answer.text;
}

TEST_F(VerifyStream, AcceptsTheImageOfAPvGuest) {
    save(image(write_pv));
    const Answer answer = verify();
    EXPECT_EQ(answer.exit_code, 0) << answer.text;
    for (const char* line : {"Domain Header: x86 PV from Xen 4.17", "64bit guest, 4 levels of pagetables",
                             "Start pfn 0x0, End 0x258", "vcpu1 xsave context, 3 bytes"})
        EXPECT_NE(answer.text.find(line), std::string::npos) << line << "\n" << answer.text;
}

TEST_F(VerifyStream, AcceptsThousandsOfPages) {
    const Bytes content = page_of(1);
    std::vector<Page> batch(3000, {Gfn{0}, content.data()});
    for (std::uint64_t gfn = 0; gfn < batch.size(); ++gfn) batch[gfn].gfn = Gfn{gfn};
    save(image([&](Writer& w) {
        w.begin({});
        w.pages(batch);
        w.machine_state(MachineState::hvm_context, minimal_hvm_context(0, 0));
        w.guest_context({});
        w.end();
    }));
    const Answer answer = verify();
    EXPECT_EQ(answer.exit_code, 0) << answer.text;
}

TEST_F(VerifyStream, AcceptsTheImageThatAMigrationSaved) {
    const auto scenario = world::load_scenario(XENRIG_SOURCE_DIR "/fixtures/scenarios/blk-migrate.toml");
    ASSERT_TRUE(scenario) << scenario.error().message;
    world::RunOptions options{.seed = 1};
    options.saved = [this](std::span<const std::byte> whole) { save(whole); };
    const world::RunReport report = world::run(*scenario, options);
    EXPECT_TRUE(report.ok());
    const Answer answer = verify();
    EXPECT_EQ(answer.exit_code, 0) << answer.text;
    EXPECT_NE(answer.text.find("Libxl Record: End"), std::string::npos) << answer.text;
}

TEST_F(VerifyStream, AcceptsTheImageOfAPvGuestThatMoved) {
    const auto scenario = world::load_scenario(XENRIG_SOURCE_DIR "/fixtures/scenarios/pv-migrate.toml");
    ASSERT_TRUE(scenario) << scenario.error().message;
    world::RunOptions options{.seed = 1};
    options.saved = [this](std::span<const std::byte> whole) { save(whole); };
    EXPECT_TRUE(world::run(*scenario, options).ok());
    const Answer answer = verify();
    EXPECT_EQ(answer.exit_code, 0) << answer.text;
    for (const char* line : {"Domain Header: x86 PV from Xen 4.17", "Start pfn 0x0, End 0x3ff",
                             "Shared info, length 4096", "vcpu0 basic context, 5168 bytes"})
        EXPECT_NE(answer.text.find(line), std::string::npos) << line << "\n" << answer.text;
}

TEST_F(VerifyStream, RefusesADamagedImageSoItsWordIsWorthSomething) {
    auto pieces = cut(image(write_hvm));
    pieces[3][8 + 4] = std::byte{1};  // PAGE_DATA: the reserved field, which a reader ignores and the verifier does not
    save(join(pieces));
    const Answer answer = verify();
    EXPECT_EQ(answer.exit_code, 1) << answer.text;
}

}  // namespace
}  // namespace xenrig::image
