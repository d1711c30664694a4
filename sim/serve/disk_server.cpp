#include "sim/serve/disk_server.h"

#include <utility>

#include "xenrig/drivers/blk/file_disk.h"

namespace xenrig::serve {

Result<std::unique_ptr<DiskServer>> DiskServer::start(ServerOptions options) {
    std::unique_ptr<DiskServer> server(new DiskServer(std::move(options)));
    server->thread_ = std::thread([&s = *server] { s.run(); });
    std::unique_lock held(server->mutex_);
    server->changed_.wait(held, [&] { return server->up_; });
    if (!server->booted_) return std::unexpected(server->booted_.error());
    return server;
}

DiskServer::~DiskServer() { (void)stop(); }

Result<ServerReport> DiskServer::stop() {
    if (!thread_.joinable()) return report_;
    {
        const std::lock_guard held(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
    if (!ended_) return std::unexpected(ended_.error());
    return report_;
}

Result<> DiskServer::perform(Request& request) {
    std::mutex mutex;
    std::condition_variable answered;
    bool over = false;
    request.done = [&](Request&) {
        // Told under the lock: once the waiter has it, nobody needs what stands on its stack.
        const std::lock_guard held(mutex);
        over = true;
        answered.notify_one();
    };
    {
        const std::lock_guard held(mutex_);
        queue_.push_back(&request);
    }
    changed_.notify_all();
    std::unique_lock held(mutex);
    answered.wait(held, [&] { return over; });
    return request.result;
}

Result<std::unique_ptr<ServedDisk>> DiskServer::open() {
    if (options_.recording.empty()) return ServedDisk::open(options_.disk, nullptr);
    // The header tells the disk's size, so the image is looked at before the recorder exists.
    const auto image = blk::FileDisk::open(options_.disk.image, options_.disk.read_only);
    if (!image) return std::unexpected(image.error());
    auto recorder = Recorder::create(
        options_.recording,
        {.bytes = (*image)->info().bytes, .seed = options_.disk.seed, .read_only = options_.disk.read_only});
    if (!recorder) return std::unexpected(recorder.error());
    recorder_ = std::move(*recorder);
    return ServedDisk::open(options_.disk, recorder_.get());
}

void DiskServer::run() {
    auto disk = open();
    {
        const std::lock_guard held(mutex_);
        up_ = true;
        if (disk)
            bytes_ = (*disk)->bytes();
        else
            booted_ = std::unexpected(disk.error());
    }
    changed_.notify_all();
    if (!disk) return;
    serve(**disk);
    wind_up(**disk);
}

void DiskServer::serve(ServedDisk& disk) {
    for (;;) {
        std::vector<Request*> batch;
        {
            std::unique_lock held(mutex_);
            changed_.wait(held, [this] { return !queue_.empty() || stopping_; });
            if (queue_.empty()) return;
            batch.swap(queue_);
        }
        ++report_.batches;
        report_.requests += batch.size();
        for (const Request* r : batch) {
            report_.bytes_read += r->into.size();
            report_.bytes_written += r->bytes.size();
        }
        const auto served = disk.serve(batch);
        if (!served && ended_) {
            ended_ = served;
            options_.complain("the world has come to its end, and all requests fail from now on: " +
                              served.error().to_string());
        }
        if (recorder_ && !recorder_->state() && !std::exchange(complained_, true))
            options_.complain(recorder_->state().error().message);
    }
}

void DiskServer::wind_up(ServedDisk& disk) {
    if (auto closed = disk.close(); !closed && ended_) ended_ = closed;
    report_.world = disk.counts();
    report_.steps = disk.steps();
    report_.trace_hash = disk.trace_hash();
    if (recorder_ && ended_) recorder_->end(report_.steps, report_.trace_hash);
}

}  // namespace xenrig::serve
