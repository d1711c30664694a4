// A world made for one disk: a host, a guest, and between its blkfront and the host's blkback everything that stands
// there on a real Xen. Behind the backend lies an image file.
//
// Requests from outside enter in batches, and only while the world is quiet; then it runs until it is quiet again. So a
// run is determined by the image, the options, and the steps at which the batches came: what a recording holds.
//
// Threads: made, used and ended by one thread; one world a thread.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "sim/engine/engine.h"
#include "sim/serve/disk_user.h"
#include "sim/serve/image_storage.h"
#include "sim/toolstack/toolstack.h"
#include "sim/world/guest.h"
#include "sim/world/ledger.h"

namespace xenrig::serve {

class Recorder;

struct DiskOptions {
    std::string image;
    bool read_only = false;
    /// None: every choice is the mildest, which is also the fastest.
    std::optional<std::uint64_t> seed;
    /// A world that takes more steps than this over one batch is said to go round in circles. A request of 44 KiB takes
    /// some hundred, so this is for gigabytes.
    std::uint64_t steps_max = 100'000'000;
};

struct DiskCounts {
    std::uint64_t ring_requests = 0, grant_maps = 0, events_sent = 0, hypercalls = 0;
};

class ServedDisk {
public:
    /// Boots it all. Errors name the image, or say what in the world went wrong. `recorder` may be null.
    static Result<std::unique_ptr<ServedDisk>> open(const DiskOptions& options, Recorder* recorder);
    ~ServedDisk();
    ServedDisk(const ServedDisk&) = delete;
    ServedDisk& operator=(const ServedDisk&) = delete;

    std::uint64_t bytes() const { return storage_->info().bytes; }
    bool read_only() const { return storage_->info().read_only; }

    /// Does all of these, in any order. On return each is answered; with an error, which is the world's, some with EIO.
    Result<> serve(std::span<Request* const> batch);

    /// Unplugs the disk: the backend flushes the image before it lets go. Nothing can be served afterwards.
    Result<> close();

    std::uint64_t steps() const { return engine_.steps(); }
    std::uint64_t trace_hash() const { return engine_.trace_log().hash(); }
    DiskCounts counts() const;

    /// For a replay: see ImageStorage.
    void fail_storage_at(std::uint64_t ordinal, Errno why) { storage_->fail_at(ordinal, why); }

private:
    ServedDisk(const DiskOptions& options, std::shared_ptr<blk::Storage> file, Recorder* recorder);

    Result<> boot();
    void build_guest();
    void start_user();
    Result<> until_quiet();
    Result<> refusal(const Request& request) const;
    void ask(Request& request);
    void fail_unanswered(const Error& why);

    std::uint64_t steps_max_;
    std::unique_ptr<engine::Source> source_;
    engine::Engine engine_;
    Recorder* recorder_;
    std::shared_ptr<ImageStorage> storage_;
    std::unique_ptr<toolstack::Host> host_;
    world::Ledger ledger_;
    toolstack::Toolstack tools_;
    std::unique_ptr<xenbus::Bus> backends_;
    std::unique_ptr<world::Guest> guest_;
    std::shared_ptr<DiskUser> user_;
    std::list<Request*> unanswered_;
    std::uint64_t ring_requests_ = 0;
};

}  // namespace xenrig::serve
