// Xen's own judge of saved images, verify-stream-v2 of xen-utils, reads what we write.
//
// XENRIG_XEN_UTILS names a folder into which the package was unpacked; else it is looked for where Debian installs it.

#include <gtest/gtest.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>

#include "sample.h"
#include "sim/image/file.h"
#include "sim/image/hvm_context.h"

namespace xenrig::image {
namespace {

using namespace sample;

struct Answer {
    int exit_code = -1;
    std::string text;
};

Answer run(const std::string& command) {
    Answer answer;
    FILE* out = ::popen((command + " 2>&1").c_str(), "r");
    if (out == nullptr) return answer;
    std::array<char, 4096> buffer;
    while (const std::size_t n = ::fread(buffer.data(), 1, buffer.size(), out)) answer.text.append(buffer.data(), n);
    const int status = ::pclose(out);
    answer.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return answer;
}

class VerifyStream : public testing::Test {
protected:
    void SetUp() override {
        const char* unpacked = ::getenv("XENRIG_XEN_UTILS");
        folder_ = std::string(unpacked != nullptr ? unpacked : "") + "/usr/lib/xen-4.17";
        if (!std::filesystem::exists(folder_ + "/bin/verify-stream-v2"))
            GTEST_SKIP() << "no " << folder_ << "/bin/verify-stream-v2: apt-get download xen-utils-4.17 && dpkg-deb -x "
                         << "xen-utils-4.17_*.deb DIR, then set XENRIG_XEN_UTILS=DIR";
        if (run("python3 --version").exit_code != 0) GTEST_SKIP() << "no python3, which verify-stream-v2 is written in";
        path_ = testing::TempDir() + "xenrig-verify-" + std::to_string(::getpid()) + ".xen";
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
        return run("PYTHONDONTWRITEBYTECODE=1 PYTHONPATH='" + folder_ + "/lib/python' python3 '" + folder_ +
                   "/bin/verify-stream-v2' -v -f libxl -i '" + path_ + "'");
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
    std::vector<Page> batch;
    for (std::uint64_t gfn = 0; gfn < 3000; ++gfn) batch.push_back({Gfn{gfn}, content.data()});
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

TEST_F(VerifyStream, RefusesADamagedImageSoItsWordIsWorthSomething) {
    auto pieces = cut(image(write_hvm));
    pieces[3][8 + 4] = std::byte{1};  // PAGE_DATA: the reserved field, which a reader ignores and the verifier does not
    save(join(pieces));
    const Answer answer = verify();
    EXPECT_EQ(answer.exit_code, 1) << answer.text;
}

}  // namespace
}  // namespace xenrig::image
