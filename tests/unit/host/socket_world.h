// A store behind a unix socket, and a client on libxenstore in a task on a thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "sim/threads/thread_machine.h"
#include "tests/scratch/scratch_folder.h"
#include "xenrig/host/store.h"

namespace xenrig::host::test {

/// `xenrig xenstored`, in this process; XENSTORED_PATH names it while it lives.
class StoreDaemon {
public:
    StoreDaemon();
    ~StoreDaemon();
    /// As a daemon that is killed: its clients are hung up on.
    void stop();

private:
    xenrig::test::ScratchFolder folder_;
    std::thread thread_;
};

class SocketWorld {
public:
    SocketWorld();
    ~SocketWorld();
    /// Runs `job` in a task, to its end, and tasks that it spawns.
    void run(std::function<void(Store&)> job);
    void spawn(std::function<void(Store&)> job);
    HostStore& store() { return *store_; }

    StoreDaemon daemon;

private:
    threads::ThreadMachine machine_;
    std::unique_ptr<HostStore> store_;
    Cpu* cpus_[2];
    unsigned spawned_ = 0;
};

}  // namespace xenrig::host::test
