// The served world without nbdkit: what comes in, what goes out, and that a recording is all there is to know of it.
#include "sim/serve/disk_server.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "sim/serve/recording.h"
#include "tests/scratch/scratch_folder.h"

namespace xenrig::serve {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kDisk = 8_MiB;

class Serve : public ::testing::Test {
protected:
    std::string path(const char* name) const { return dir_ / name; }

    /// A sparse image of zeros.
    std::string image(const char* name, std::uint64_t bytes = kDisk) const {
        std::ofstream(path(name)).close();
        fs::resize_file(path(name), bytes);
        return path(name);
    }

    std::unique_ptr<DiskServer> start(DiskOptions disk, std::string recording = {}) {
        auto started = DiskServer::start({.disk = std::move(disk),
                                          .recording = std::move(recording),
                                          .complain = [this](const std::string& what) { complaints_ += what; }});
        EXPECT_TRUE(started) << started.error().to_string();
        return std::move(*started);
    }

    test::ScratchFolder dir_;
    std::string complaints_;
};

std::vector<std::byte> filled(std::uint64_t bytes, unsigned with) {
    std::vector<std::byte> data(bytes);
    for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(with + i / 512 * 7 + i);
    return data;
}

std::vector<std::byte> content(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::vector<std::byte> bytes(fs::file_size(path));
    in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return bytes;
}

Result<> write(DiskServer& server, std::uint64_t offset, std::span<const std::byte> bytes, bool durable = false) {
    Request request{.kind = Request::Kind::write, .durable = durable, .offset = offset, .bytes = bytes};
    return server.perform(request);
}

Result<> read(DiskServer& server, std::uint64_t offset, std::span<std::byte> into) {
    Request request{.kind = Request::Kind::read, .offset = offset, .into = into};
    return server.perform(request);
}

Result<> flush(DiskServer& server) {
    Request request{.kind = Request::Kind::flush};
    return server.perform(request);
}

TEST_F(Serve, ARequestLargerThanTheRingIsWrittenAndReadWhole) {
    const auto server = start({.image = image("disk")});
    // 94 requests of eleven pages, about three rings full, and the last one no whole page.
    const auto data = filled(4_MiB + 512, 1);
    ASSERT_TRUE(write(*server, 1024, data));
    std::vector<std::byte> back(data.size());
    ASSERT_TRUE(read(*server, 1024, back));
    EXPECT_EQ(back, data);
    const auto report = server->stop();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->world.ring_requests, 2 * ((4_MiB + 512 + 45055) / 45056));
}

TEST_F(Serve, RequestsOfManyThreadsMeetInOneWorld) {
    constexpr unsigned kThreads = 16;
    const auto server = start({.image = image("disk")});
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    std::array<bool, kThreads> same{};
    for (unsigned t = 0; t < kThreads; ++t)
        threads.emplace_back([&, t] {
            const auto data = filled(100 * 512, t);
            std::vector<std::byte> back(data.size());
            bool well = true;
            for (unsigned i = 0; i < 8; ++i) {
                const std::uint64_t at = (t * 8 + i) * data.size();
                well = well && write(*server, at, data) && flush(*server) && read(*server, at, back) && back == data;
            }
            same[t] = well;
        });
    for (std::thread& thread : threads) thread.join();
    for (unsigned t = 0; t < kThreads; ++t) EXPECT_TRUE(same[t]) << t;
    ASSERT_TRUE(server->stop());
    EXPECT_EQ(complaints_, "");
}

TEST_F(Serve, ADurableWriteIsFollowedByAFlush) {
    const auto server = start({.image = image("disk")});
    ASSERT_TRUE(write(*server, 0, filled(4096, 3), true));
    const auto report = server->stop();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->world.ring_requests, 2u);
}

TEST_F(Serve, WhatIsNotWholeSectorsInsideTheDiskIsRefused) {
    const auto server = start({.image = image("disk")});
    const auto data = filled(1024, 3);
    EXPECT_EQ(write(*server, 1, data).error().code, Errno::inval);
    EXPECT_EQ(write(*server, 0, std::span(data).first(1000)).error().code, Errno::inval);
    EXPECT_EQ(write(*server, kDisk - 512, data).error().code, Errno::inval);
    EXPECT_EQ(write(*server, ~std::uint64_t{0} << 9, data).error().code, Errno::inval);
    EXPECT_TRUE(write(*server, kDisk - 1024, data));
}

TEST_F(Serve, AReadOnlyDiskIsNotWritten) {
    const auto server = start({.image = image("disk"), .read_only = true});
    std::vector<std::byte> back(512);
    EXPECT_TRUE(read(*server, 0, back));
    EXPECT_EQ(write(*server, 0, filled(512, 1)).error().code, Errno::rofs);
}

TEST_F(Serve, AMissingImageIsNamed) {
    const auto started = DiskServer::start({.disk = {.image = path("none")}});
    ASSERT_FALSE(started);
    EXPECT_NE(started.error().message.find(path("none")), std::string::npos);
}

TEST_F(Serve, AWorldThatComesToItsEndAnswersEverybodyAndSaysWhyOnce) {
    // So few steps that the first batch is not done in them.
    const auto server = start({.image = image("disk"), .steps_max = 100});
    std::array<Errno, 8> answers{};
    std::vector<std::thread> threads;
    threads.reserve(answers.size());
    for (unsigned t = 0; t < answers.size(); ++t)
        threads.emplace_back([&, t] {
            const auto answer = write(*server, t * 1_MiB, filled(1_MiB, t));
            answers[t] = answer ? Errno{} : answer.error().code;
        });
    for (std::thread& thread : threads) thread.join();
    for (const Errno answer : answers) EXPECT_EQ(answer, Errno::io);
    EXPECT_EQ(flush(*server).error().code, Errno::io);
    EXPECT_FALSE(server->stop());
    EXPECT_EQ(complaints_.find("livelock"), complaints_.rfind("livelock"));
    EXPECT_NE(complaints_.find("livelock"), std::string::npos);
}

/// Writes, reads and flushes from several threads, so that batches come as they come.
void work(DiskServer& server) {
    constexpr unsigned kThreads = 4;
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (unsigned t = 0; t < kThreads; ++t)
        threads.emplace_back([&server, t] {
            std::vector<std::byte> back(64_KiB);
            for (unsigned i = 0; i < 6; ++i) {
                (void)write(server, (t * 6 + i) * 64_KiB, filled(64_KiB, i), i % 3 == 0);
                (void)read(server, (i * 6 + t) * 64_KiB, back);
                (void)flush(server);
            }
        });
    for (std::thread& thread : threads) thread.join();
}

class ServeSeeds : public Serve, public ::testing::WithParamInterface<std::optional<std::uint64_t>> {};

TEST_P(ServeSeeds, ARecordingReplaysToTheSameTraceAndImage) {
    const auto server = start({.image = image("disk"), .seed = GetParam()}, path("recording"));
    work(*server);
    const auto report = server->stop();
    ASSERT_TRUE(report) << report.error().to_string();
    const auto again = replay(path("recording"), image("copy"));
    ASSERT_TRUE(again) << again.error().to_string();
    EXPECT_EQ(again->trace_hash, report->trace_hash);
    EXPECT_EQ(again->recorded_hash, report->trace_hash);
    EXPECT_EQ(again->requests, report->requests);
    EXPECT_EQ(again->batches, report->batches);
    EXPECT_EQ(content(path("copy")), content(path("disk")));
}

INSTANTIATE_TEST_SUITE_P(All, ServeSeeds, ::testing::Values(std::nullopt, 1, 2, 3));

TEST_F(Serve, AReplayOnAnotherImageDoesNotPassForTheRecordedRun) {
    {
        const auto server = start({.image = image("disk")}, path("recording"));
        work(*server);
    }
    image("copy");
    // Where work() reads, and has not written before.
    std::fstream(path("copy")).seekp(30 * 64_KiB).write("other bytes", 11);
    const auto again = replay(path("recording"), path("copy"));
    ASSERT_TRUE(again) << again.error().to_string();
    EXPECT_FALSE(again->same());
}

TEST_F(Serve, AFailureOfTheFileHasItsOwnWordAndReplays) {
    // Beyond 4 MiB the file does not grow. The signal that comes with it would end the process.
    std::signal(SIGXFSZ, SIG_IGN);
    const auto server = start({.image = image("disk")}, path("recording"));
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const rlimit limited{4_MiB, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limited), 0);
    const auto full = write(*server, 6_MiB, filled(128_KiB, 1));
    const auto fits = write(*server, 1_MiB, filled(128_KiB, 2), true);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().code, Errno::nospc);
    EXPECT_NE(full.error().message.find(path("disk")), std::string::npos);
    EXPECT_TRUE(fits);
    const auto report = server->stop();
    ASSERT_TRUE(report);

    const auto again = replay(path("recording"), image("copy"));
    ASSERT_TRUE(again) << again.error().to_string();
    EXPECT_EQ(again->trace_hash, report->trace_hash);
    EXPECT_EQ(content(path("copy")), content(path("disk")));
}

TEST_F(Serve, ARecordingThatIsCutReplaysUpToItsLastWholeBatch) {
    {
        const auto server = start({.image = image("disk")}, path("recording"));
        ASSERT_TRUE(write(*server, 0, filled(4096, 1)));
        ASSERT_TRUE(write(*server, 4096, filled(4096, 2)));
    }
    const std::uint64_t whole = fs::file_size(path("recording"));
    constexpr std::uint64_t kEnd = sizeof(RecordHead);
    fs::resize_file(path("recording"), whole - kEnd - 100);
    const auto again = replay(path("recording"), image("copy"));
    ASSERT_TRUE(again) << again.error().to_string();
    EXPECT_TRUE(again->torn);
    EXPECT_EQ(again->batches, 1u);
    EXPECT_FALSE(again->recorded_hash);
}

TEST_F(Serve, ADamagedRecordingIsNamed) {
    {
        const auto server = start({.image = image("disk")}, path("recording"));
        ASSERT_TRUE(flush(*server));
    }
    std::fstream file(path("recording"), std::ios::in | std::ios::out | std::ios::binary);
    std::string line;
    std::getline(file, line);
    file.seekp(static_cast<std::streamoff>(line.size() + 1));
    file.put('?');
    file.close();
    const auto again = replay(path("recording"), image("copy"));
    ASSERT_FALSE(again);
    EXPECT_NE(again.error().message.find(path("recording") + ": damaged"), std::string::npos);
}

TEST_F(Serve, ARecordingThatCanNotBeWrittenIsNamedBeforeAnythingIsServed) {
    const auto started = DiskServer::start({.disk = {.image = image("disk")}, .recording = "/dev/full"});
    ASSERT_FALSE(started);
    EXPECT_NE(started.error().message.find("/dev/full"), std::string::npos);
}

}  // namespace
}  // namespace xenrig::serve
