// What `xenrig backend` does to the store of a machine, in the simulator: its guest gets a disk that no toolstack of
// its own knows of, and lets go of it again.
#include "attached_disk.h"

#include <gtest/gtest.h>

#include <optional>

#include "sim/engine/engine.h"
#include "sim/engine/sources.h"
#include "sim/toolstack/toolstack.h"
#include "sim/world/guest.h"
#include "xenrig/drivers/blk/ram_disk.h"

namespace xenrig::cli::test {
namespace {

constexpr unsigned kXvdb = 51728;
using End = AttachedDisk::End;

class AttachedDisks : public testing::Test {
protected:
    AttachedDisks() : engine(source, {.model = engine::Model::tso}) {
        host = std::make_unique<toolstack::Host>(engine, toolstack::HostOptions{.name = "a"});
        tools = std::make_unique<toolstack::Toolstack>(*host);
        guest = std::make_unique<world::Guest>(engine, toolstack::DomainSpec{.name = "web", .frames = 512});
        run([this] {
            const auto built = tools->build(guest->spec());
            ASSERT_TRUE(built) << built.error().to_string();
            domain = *built;
            guest->bind(*host, domain);
            ASSERT_TRUE(host->xen().unpause(domain));
        });
    }
    ~AttachedDisks() override {
        guest->kill();
        guest.reset();
        tools.reset();
        host.reset();
    }

    /// In a task of the control domain, until nothing can run any more.
    void run(std::function<void()> job) {
        engine.run_until([this] { return host->booted(); });
        host->spawn_job("job", std::move(job));
        engine.run();
        for (const auto& problem : engine.problems()) ADD_FAILURE() << problem.oracle << ": " << problem.text;
    }
    std::unique_ptr<AttachedDisk> attach(DomId to) {
        return std::make_unique<AttachedDisk>(
            host->control(), DiskPlace{DomId{0}, to, kXvdb}, "/images/data.img", false,
            [this](const blk::StorageRequest& r) {
                EXPECT_EQ(r.params, "/images/data.img");
                return Result<std::shared_ptr<blk::Storage>>(image);
            },
            blk::BlkbackOptions{}, [this](const std::string& what) { said += what + "\n"; });
    }
    /// A server, and what became of it.
    void serve(AttachedDisk& disk) {
        host->control().spawn("server", TaskRole::service, [this, &disk] { ended = disk.run(); });
    }
    bool in_store(const std::string& path) { return host->control().store().read(StoreTx::none, path).has_value(); }
    void expect_nothing_left() {
        EXPECT_FALSE(in_store("/local/domain/0/backend/xenrig"));
        EXPECT_FALSE(in_store("/local/domain/" + std::to_string(domain.value) + "/device/vbd/51728"));
    }

    engine::SeededSource source{11};
    engine::Engine engine;
    std::unique_ptr<toolstack::Host> host;
    std::unique_ptr<toolstack::Toolstack> tools;
    std::unique_ptr<world::Guest> guest;
    DomId domain;
    std::shared_ptr<blk::RamDisk> image = std::make_shared<blk::RamDisk>(blk::StorageInfo{.bytes = 1_MiB});
    std::string said;
    std::optional<Result<End>> ended;
};

TEST_F(AttachedDisks, AGuestThatRunsReadsAndWritesItsNewDiskAndLetsGoOfItWhenAsked) {
    const auto disk = attach(domain);
    serve(*disk);
    std::vector<std::byte> back(4096);
    run([&] {
        guest->kernel().spawn("user", TaskRole::work, [&] {
            const auto front = guest->disk(kXvdb);
            const auto info = front->wait_connected();
            ASSERT_TRUE(info) << info.error().to_string();
            EXPECT_EQ(info->sectors, 2048u);
            const std::vector<std::byte> data(4096, std::byte{'x'});
            EXPECT_TRUE(front->write(8, data));
            EXPECT_TRUE(front->read(8, back));
        });
    });
    EXPECT_EQ(back, std::vector<std::byte>(4096, std::byte{'x'}));
    EXPECT_NE(said.find("connected: 2 rings of 2 pages, persistent grants"), std::string::npos) << said;
    EXPECT_FALSE(ended);
    run([&] { disk->unplug(); });
    ASSERT_TRUE(ended && *ended);
    EXPECT_EQ(**ended, End::unplugged);
    run([&] { expect_nothing_left(); });
}

TEST_F(AttachedDisks, ADomainThatEndsTakesItsDiskAlong) {
    const auto disk = attach(domain);
    serve(*disk);
    run([&] {
        guest->kernel().spawn("user", TaskRole::work, [&] { EXPECT_TRUE(guest->disk(kXvdb)->wait_connected()); });
    });
    guest->kill();
    run([&] {
        // What libxl does for a disk that it doesn't know.
        Store& store = host->control().store();
        EXPECT_TRUE(store.rm(StoreTx::none, "/local/domain/" + std::to_string(domain.value)));
    });
    ASSERT_TRUE(ended && *ended);
    EXPECT_EQ(**ended, End::domain_gone);
    run([&] { expect_nothing_left(); });
}

TEST_F(AttachedDisks, AnAbandonedDiskIsGoneAtOnceWhateverTheGuestDoes) {
    const auto disk = attach(domain);
    serve(*disk);
    run([&] {
        guest->kernel().spawn("user", TaskRole::work, [&] { EXPECT_TRUE(guest->disk(kXvdb)->wait_connected()); });
    });
    run([&] { disk->abandon(); });
    ASSERT_TRUE(ended && *ended);
    EXPECT_EQ(**ended, End::abandoned);
    run([&] { expect_nothing_left(); });
}

TEST_F(AttachedDisks, WhatAKilledServerLeftBehindIsTakenOver) {
    // The store as a server leaves it that is killed before a guest has looked: its rings are the interop test's.
    {
        const auto first = attach(domain);
        run([&] {
            Store& store = host->control().store();
            const std::string front = DiskPlace{DomId{0}, domain, kXvdb}.front();
            const std::string back = DiskPlace{DomId{0}, domain, kXvdb}.back();
            for (const auto& [path, value] : {std::pair<std::string, std::string>{back + "/frontend", front},
                                              {back + "/frontend-id", std::to_string(domain.value)},
                                              {back + "/mode", "w"},
                                              {back + "/online", "1"},
                                              {back + "/state", "2"}})
                ASSERT_TRUE(store.write(StoreTx::none, path, value));
            ASSERT_TRUE(store.write(StoreTx::none, front + "/backend", back));
            ASSERT_TRUE(store.write(StoreTx::none, front + "/state", "1"));
        });
    }
    const auto disk = attach(domain);
    serve(*disk);
    run([&] {});
    EXPECT_NE(said.find("taking over"), std::string::npos) << said;
    EXPECT_FALSE(ended);
    run([&] { disk->unplug(); });
    ASSERT_TRUE(ended && *ended);
    EXPECT_EQ(**ended, End::unplugged);
    run([&] { expect_nothing_left(); });
}

TEST_F(AttachedDisks, AnotherBackendsDeviceOfThatNameIsNotTouched) {
    const std::string front = DiskPlace{DomId{0}, domain, kXvdb}.front();
    run([&] {
        ASSERT_TRUE(tools->add_disk(domain, {.number = kXvdb, .params = "other"}));
        const auto disk = attach(domain);
        const auto end = disk->run();
        ASSERT_FALSE(end);
        EXPECT_EQ(end.error().code, Errno::exist);
        EXPECT_NE(end.error().message.find("xvdb"), std::string::npos) << end.error().message;
        EXPECT_TRUE(in_store(front + "/backend"));
        EXPECT_FALSE(in_store("/local/domain/0/backend/xenrig"));
    });
}

TEST_F(AttachedDisks, ADomainThatIsNotThereIsSaidAndNothingIsWritten) {
    run([&] {
        const auto end = attach(DomId{77})->run();
        ASSERT_FALSE(end);
        EXPECT_EQ(end.error().code, Errno::noent);
        EXPECT_NE(end.error().message.find("xl list"), std::string::npos) << end.error().message;
        EXPECT_FALSE(in_store("/local/domain/77"));
    });
}

}  // namespace
}  // namespace xenrig::cli::test
