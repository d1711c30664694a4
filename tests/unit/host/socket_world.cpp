#include "socket_world.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <future>

#include "sim/xenstore/socket/socket_door.h"

namespace xenrig::host::test {

namespace {

constexpr Nanoseconds kPatience{60'000'000'000};

}  // namespace

StoreDaemon::StoreDaemon() {
    const std::string socket = folder_ / "socket";
    std::promise<void> ready;
    thread_ = std::thread([&ready, socket] {
        const auto served = xenstore::run_xenstored({.path = socket, .ready = [&ready] { ready.set_value(); }});
        EXPECT_TRUE(served) << served.error().to_string();
    });
    ready.get_future().wait();
    ::setenv("XENSTORED_PATH", socket.c_str(), 1);
}

StoreDaemon::~StoreDaemon() { stop(); }

void StoreDaemon::stop() {
    if (!thread_.joinable()) return;
    ::kill(::getpid(), SIGTERM);
    thread_.join();
}

SocketWorld::SocketWorld() {
    auto store = HostStore::open(machine_);
    if (!store) {
        ADD_FAILURE() << store.error().to_string();
        std::abort();
    }
    store_ = std::move(*store);
    for (Cpu*& cpu : cpus_) cpu = &machine_.add_cpu("host");
    cpus_[0]->spawn("xenwatch", TaskRole::service, [this] { store_->serve_watches(); });
}

SocketWorld::~SocketWorld() {
    for (Cpu* cpu : cpus_) machine_.remove_cpu(*cpu);
}

void SocketWorld::run(std::function<void(Store&)> job) {
    spawn(std::move(job));
    EXPECT_TRUE(machine_.wait_for_work(kPatience)) << machine_.state();
}

void SocketWorld::spawn(std::function<void(Store&)> job) {
    cpus_[++spawned_ % 2]->spawn("case", TaskRole::work, [this, job = std::move(job)] { job(*store_); });
}

}  // namespace xenrig::host::test
