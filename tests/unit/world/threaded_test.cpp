// The same guests, drivers, hypervisor and store on real threads: disks are read and written, guests move, and every
// answer is right.
#include <gtest/gtest.h>

#include <atomic>

#include "sim/threads/thread_machine.h"
#include "sim/toolstack/toolstack.h"
#include "sim/world/disk_workload.h"
#include "sim/world/guest.h"
#include "xenrig/drivers/blk/blkback.h"
#include "xenrig/drivers/blk/ram_disk.h"

namespace xenrig::world {
namespace {

constexpr Nanoseconds kPatience{60'000'000'000};
constexpr unsigned kDisk = 51712;

/// Two hosts that share a disk, and a guest that works on it.
class ThreadedWorld : public ::testing::Test {
protected:
    struct Site {
        Site(ThreadedWorld& world, unsigned index)
            : host(world.machine, {.name = std::string(1, static_cast<char>('a' + index)), .index = index}),
              tools(host),
              backends(host.control(),
                       std::map<std::string, xenbus::BackendFactory>{
                           {"vbd", blk::blkback_factory(host.control(), [&world](const blk::StorageRequest&) {
                                return Result<std::shared_ptr<blk::Storage>>(world.disk);
                            })}}) {}
        toolstack::Host host;
        toolstack::Toolstack tools;
        xenbus::Bus backends;
    };

    ~ThreadedWorld() override {
        guest->kill();
        for (auto& site : sites) site->host.stop();
        workload.reset();
        guest.reset();
    }

    void boot(unsigned vcpus, unsigned operations, bool pv = false) {
        for (unsigned i = 0; i < 2; ++i) {
            sites.push_back(std::make_unique<Site>(*this, i));
            finish();
            sites.back()->host.spawn_job("backends", [&site = *sites.back()] { EXPECT_TRUE(site.backends.start()); });
            finish();
        }
        guest = std::make_unique<Guest>(
            machine, toolstack::DomainSpec{.name = "web",
                                           .type = pv ? hypervisor::GuestType::pv : hypervisor::GuestType::pvh,
                                           .vcpus = vcpus,
                                           .frames = pv ? 1024u : 512u,
                                           .disks = {{.number = kDisk, .params = "disk"}}});
        toolstack::Host& host = sites.front()->host;
        host.spawn_job("xl create", [&] {
            const auto domain = sites.front()->tools.build(guest->spec());
            ASSERT_TRUE(domain) << domain.error().to_string();
            guest->bind(host, *domain);
            ASSERT_TRUE(host.xen().unpause(*domain));
        });
        workload =
            std::make_unique<DiskWorkload>(WorkloadSpec{.guest = "web", .device = "xvda", .operations = operations},
                                           "disk", machine, [this](std::string rule, std::string how) {
                                               const std::lock_guard held(broken_lock);
                                               broken.push_back(rule + ": " + how);
                                           });
        guest->kernel().spawn("workload", TaskRole::work, [&] {
            workload->run(guest->kernel(), [&](const blk::Disk*) { return guest->disk(kDisk); });
        });
    }

    /// Until nobody has work any more.
    void finish() { ASSERT_TRUE(machine.wait_for_work(kPatience)) << machine.state(); }

    Site& site_of_guest() { return guest->host() == &sites.front()->host ? *sites.front() : *sites.back(); }

    void migrate_after(unsigned operations) {
        Site &from = *sites.front(), &to = *sites.back();
        from.host.spawn_job("xl migrate", [&, operations] {
            guest->wait_bound();
            workload->wait_completed(operations);
            toolstack::Migration move{
                .from = from.tools,
                .to = to.tools,
                .domain = guest->domain(),
                .spec = guest->spec(),
                .bind = [this](toolstack::Host& host, DomId domain) { guest->bind(host, domain); },
                .missed = [](toolstack::DirtyLogMiss m) { ADD_FAILURE() << "unlogged write to gfn " << m.gfn.value; }};
            const auto moved = move.run();
            EXPECT_TRUE(moved) << moved.error().to_string();
        });
    }

    void detach_disk() {
        site_of_guest().host.spawn_job("xl block-detach",
                                       [&] { EXPECT_TRUE(site_of_guest().tools.remove_disk(guest->domain(), kDisk)); });
        finish();
    }

    void expect_all_well(unsigned operations) {
        EXPECT_TRUE(workload->finished());
        EXPECT_EQ(workload->completed(), operations);
        const std::lock_guard held(broken_lock);
        EXPECT_TRUE(broken.empty()) << broken.front();
    }

    threads::ThreadMachine machine;
    std::vector<std::string> broken;
    std::mutex broken_lock;
    std::shared_ptr<blk::RamDisk> disk = std::make_shared<blk::RamDisk>(blk::StorageInfo{.bytes = 1_MiB});
    std::vector<std::unique_ptr<Site>> sites;
    std::unique_ptr<Guest> guest;
    std::unique_ptr<DiskWorkload> workload;
};

TEST_F(ThreadedWorld, AGuestReadsAndWritesItsDiskWithOneThreadAVcpu) {
    boot(1, 2000);
    finish();
    detach_disk();
    expect_all_well(2000);
}

TEST_F(ThreadedWorld, AGuestOfTwoVcpusReadsAndWritesItsDisk) {
    boot(2, 2000);
    finish();
    detach_disk();
    expect_all_well(2000);
}

TEST_F(ThreadedWorld, APvGuestOfTwoVcpusMovesWhileItReadsAndWrites) {
    boot(2, 1000, true);
    migrate_after(300);
    finish();
    detach_disk();
    expect_all_well(1000);
}

TEST_F(ThreadedWorld, AGuestMovesWhileItReadsAndWrites) {
    boot(2, 2000);
    migrate_after(500);
    finish();
    detach_disk();
    expect_all_well(2000);
}

TEST_F(ThreadedWorld, AGuestIsKilledInTheMiddleOfItsWork) {
    boot(2, 1'000'000);
    std::atomic<bool> busy{false};
    sites.front()->host.spawn_job("wait", [&] {
        workload->wait_completed(200);
        busy.store(true);
        busy.notify_one();
    });
    busy.wait(false);
    guest->kill();
    const DomId domain = guest->domain();
    sites.front()->host.spawn_job("xl destroy", [&] { EXPECT_TRUE(sites.front()->tools.destroy(domain)); });
    finish();
    EXPECT_EQ(sites.front()->host.xen().domains().size(), 1u);
}

}  // namespace
}  // namespace xenrig::world
