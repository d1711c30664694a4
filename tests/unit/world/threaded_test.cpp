// The same guests, drivers, hypervisor and store on real threads: a disk is read and written, and every answer is
// right.
#include <gtest/gtest.h>

#include "sim/threads/thread_machine.h"
#include "sim/toolstack/toolstack.h"
#include "sim/world/disk_workload.h"
#include "sim/world/guest.h"
#include "xenrig/drivers/blk/blkback.h"
#include "xenrig/drivers/blk/ram_disk.h"

namespace xenrig::world {
namespace {

constexpr Nanoseconds kPatience{60'000'000'000};

TEST(ThreadedWorld, AGuestReadsAndWritesItsDiskWithOneThreadAVcpu) {
    threads::ThreadMachine machine;
    std::vector<std::string> broken;
    std::mutex broken_lock;
    const auto note = [&](std::string rule, std::string how) {
        const std::lock_guard held(broken_lock);
        broken.push_back(rule + ": " + how);
    };

    toolstack::Host host{machine, {.name = "a"}};
    toolstack::Toolstack tools{host};
    ASSERT_TRUE(machine.wait_for_work(kPatience)) << machine.state();

    const auto disk = std::make_shared<blk::RamDisk>(blk::StorageInfo{.bytes = 1_MiB});
    xenbus::Bus backends{host.control(),
                         std::map<std::string, xenbus::BackendFactory>{
                             {"vbd", blk::blkback_factory(host.control(), [&](const blk::StorageRequest&) {
                                  return Result<std::shared_ptr<blk::Storage>>(disk);
                              })}}};
    host.spawn_job("backends", [&] { EXPECT_TRUE(backends.start()); });
    ASSERT_TRUE(machine.wait_for_work(kPatience)) << machine.state();

    Guest guest{machine, {.name = "web", .disks = {{.number = 51712, .params = "disk"}}}};
    host.spawn_job("xl create", [&] {
        const auto domain = tools.build(guest.spec());
        ASSERT_TRUE(domain) << domain.error().to_string();
        guest.bind(host, *domain);
        ASSERT_TRUE(host.xen().unpause(*domain));
    });
    DiskWorkload workload{{.guest = "web", .device = "xvda", .operations = 2000}, "disk", machine, note};
    guest.kernel().spawn("workload", TaskRole::work, [&] {
        const auto front = guest.disk(51712);
        workload.run(guest.kernel(), *front);
    });
    ASSERT_TRUE(machine.wait_for_work(kPatience)) << machine.state();
    EXPECT_TRUE(workload.finished());
    EXPECT_EQ(workload.completed(), 2000u);

    host.spawn_job("xl block-detach", [&] { EXPECT_TRUE(tools.remove_disk(guest.domain(), 51712)); });
    ASSERT_TRUE(machine.wait_for_work(kPatience)) << machine.state();
    const std::lock_guard held(broken_lock);
    EXPECT_TRUE(broken.empty()) << broken.front();
    guest.kill();
    host.stop();
}

}  // namespace
}  // namespace xenrig::world
