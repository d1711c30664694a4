// The thread that owns a served world, and the queue through which all other threads ask it.
//
// What stands in the queue when the world is quiet enters it as one batch. A request is answered as soon as its own
// work is done, so the next batch comes together while the rest of this one is under way.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "sim/serve/recorder.h"
#include "sim/serve/served_disk.h"

namespace xenrig::serve {

struct ServerOptions {
    DiskOptions disk;
    /// Where to record; empty: nowhere.
    std::string recording;
    /// For what nobody asked about and somebody should know: the recording can't be written, the world has ended.
    /// Called by the world's thread.
    std::function<void(const std::string&)> complain;
};

/// What a server did in its life.
struct ServerReport {
    std::uint64_t requests = 0, batches = 0, bytes_read = 0, bytes_written = 0;
    DiskCounts world;
    std::uint64_t steps = 0, trace_hash = 0;
};

class DiskServer {
public:
    /// Starts the thread and waits until the world is up.
    static Result<std::unique_ptr<DiskServer>> start(ServerOptions options);
    /// stop()
    ~DiskServer();
    DiskServer(const DiskServer&) = delete;
    DiskServer& operator=(const DiskServer&) = delete;

    std::uint64_t bytes() const { return bytes_; }
    bool read_only() const { return options_.disk.read_only; }

    /// Blocks the calling thread until the request is answered. From any thread; not after stop().
    Result<> perform(Request& request);

    /// Answers what is in the queue, unplugs the disk and ends the thread. What was done, the first time.
    Result<ServerReport> stop();

private:
    explicit DiskServer(ServerOptions options) : options_(std::move(options)) {}
    void run();
    Result<std::unique_ptr<ServedDisk>> open();
    void serve(ServedDisk& disk);
    void wind_up(ServedDisk& disk);

    ServerOptions options_;
    std::uint64_t bytes_ = 0;
    std::thread thread_;

    std::mutex mutex_;
    std::condition_variable changed_;
    // Under mutex_.
    std::vector<Request*> queue_;
    bool up_ = false, stopping_ = false;
    Result<> booted_;

    // The world's thread's, and the stopper's once that has ended.
    std::unique_ptr<Recorder> recorder_;
    bool complained_ = false;
    ServerReport report_;
    Result<> ended_;
};

}  // namespace xenrig::serve
