#include "blkback_ring.h"

#include <algorithm>
#include <array>
#include <mutex>

#include "xenrig/shared/door.h"

namespace xenrig::blk {

/// A request that storage works on. Its data is private memory, so storage never touches a page of the frontend's.
struct BlkbackRing::Job final : StorageOp {
    Request request;
    /// A read's pages.
    Mapping pages;
    std::vector<std::byte> buffer;
};

struct BlkbackRing::Finished {
    explicit Finished(const std::string& name) : idle("storage operations of " + name) {}

    xenbus::Service::Poke poke;
    IrqLock lock{"blkback.finished"};
    WaitQueue idle;
    // Under the lock.
    std::vector<JobPtr> jobs;
    std::size_t with_storage = 0;
    /// The service is about to look here anyway.
    bool expected = false;

    void add(JobPtr job) {
        bool none_left, tell;
        {
            const std::lock_guard held(lock);
            jobs.push_back(std::move(job));
            none_left = --with_storage == 0;
            tell = !expected;
        }
        if (none_left) idle.wake_all();
        if (tell) poke();
    }

    void expect() {
        const std::lock_guard held(lock);
        expected = true;
    }

    std::vector<JobPtr> take() {
        const std::lock_guard held(lock);
        expected = false;
        return std::exchange(jobs, {});
    }
};

Result<std::unique_ptr<BlkbackRing>> BlkbackRing::connect(Platform& platform, const std::string& name,
                                                          const Transport& transport, std::shared_ptr<Storage> storage,
                                                          const Extent& extent, xenbus::DeviceLink link) {
    auto mapping = platform.grants().map(transport.frontend, transport.refs, Access::read_write);
    if (!mapping) return fail(mapping.error().code, "mapping the ring: " + mapping.error().message);
    auto ring = ring::BackRing<Request, Response>::attach(mapping->window());
    if (!ring) return fail(Errno::inval, ring::describe(ring.error()));

    std::unique_ptr<BlkbackRing> made(new BlkbackRing(platform, name, transport.frontend, std::move(*mapping),
                                                      std::move(*ring), std::move(storage), extent, std::move(link)));
    auto doorbell =
        xenbus::Doorbell::bind(platform.events(), transport.frontend, transport.port, made->service_.poker());
    if (!doorbell) return fail(doorbell.error().code, "binding the event channel: " + doorbell.error().message);
    made->doorbell_ = std::move(*doorbell);
    made->service_.unpause();
    made->service_.poke();
    return made;
}

BlkbackRing::BlkbackRing(Platform& platform, const std::string& name, DomId frontend, Mapping mapping,
                         ring::BackRing<Request, Response> ring, std::shared_ptr<Storage> storage, const Extent& extent,
                         xenbus::DeviceLink link)
    : platform_(platform),
      frontend_(frontend),
      storage_(std::move(storage)),
      extent_(extent),
      link_(std::move(link)),
      finished_(std::make_shared<Finished>(name)),
      mapping_(std::move(mapping)),
      ring_(std::move(ring)),
      service_(platform, "blkback " + name, [this] { serve(); }) {
    finished_->poke = service_.poker();
    // Until there is a doorbell to answer with.
    service_.pause();
}

BlkbackRing::~BlkbackRing() {
    const xenbus::DeferUnwinding defer;
    drain();
    service_.stop();
    doorbell_.close();
    // Where waiting was impossible, because the domain is dead, storage may keep an operation, but none of our pages.
    for (const auto& job : in_progress_) job->pages.reset();
}

void BlkbackRing::drain() {
    {
        const xenbus::Paused paused(service_);
        stopped_ = true;
    }
    xenbus::wait_while_alive(finished_->lock, finished_->idle, [this] { return finished_->with_storage == 0; });
}

void BlkbackRing::serve() {
    finished_->expect();
    const bool more = take();
    for (const auto& job : finished_->take()) finish(*job);
    if (std::exchange(answers_staged_, false) && ring_.push()) doorbell_.notify();

    // What is left, or comes in while we look, is the next run's: between runs a pause or a stop gets its turn, however
    // fast the frontend is.
    if (more) return service_.poke();
    doorbell_.rearm();
    if (!stopped_ && !ring_.sleep_unless_work()) service_.poke();
}

/// At most a ring's worth; true when there may be more.
bool BlkbackRing::take() {
    for (ring::Index n = 0; n < ring_.size() && !stopped_; ++n) {
        const auto request = ring_.take();
        if (!request) {
            stopped_ = true;
            link_.fail({Errno::inval, ring::describe(request.error())});
            return false;
        }
        if (!*request) return false;
        begin(**request);
    }
    return !stopped_;
}

void BlkbackRing::begin(const Request& request) {
    if (const Verdict verdict = validate(request, extent_); verdict != Verdict::okay)
        return answer(request, status_of(verdict));

    const auto job = std::make_shared<Job>();
    job->request = request;
    job->offset = request.sector_number * kUnit;
    job->kind = StorageOp::Kind::flush;
    const auto op = static_cast<Op>(request.operation);
    if (op != Op::flush) {
        job->kind = op == Op::read ? StorageOp::Kind::read : StorageOp::Kind::write;
        auto pages = map(request);
        if (!pages) return answer(request, Status::error);
        job->buffer.resize(units_of(request) * kUnit);
        job->data = job->buffer;
        job->pages = std::move(*pages);
    } else {
        job->offset = 0;
    }
    if (op == Op::write) {
        std::byte* to = job->buffer.data();
        for (unsigned i = 0; i < request.nr_segments; ++i) {
            const auto& seg = request.seg[i];
            const std::size_t length = (seg.last_sect - seg.first_sect + 1u) * kUnit;
            shared::copy_out(job->pages.window(), i * kPageSize + seg.first_sect * kUnit, to, length);
            to += length;
        }
        job->pages.reset();
    }

    {
        const std::lock_guard held(finished_->lock);
        ++finished_->with_storage;
    }
    in_progress_.push_back(job);
    job->done = [finished = finished_](StorageOpPtr done) {
        finished->add(std::static_pointer_cast<Job>(std::move(done)));
    };
    storage_->submit(job);
}

Result<Mapping> BlkbackRing::map(const Request& request) const {
    std::array<GrantRef, kSegmentsMax> refs;
    for (unsigned i = 0; i < request.nr_segments; ++i) refs[i] = GrantRef(request.seg[i].gref);
    const bool reads_disk = static_cast<Op>(request.operation) == Op::read;
    return platform_.grants().map(frontend_, std::span(refs).first(request.nr_segments),
                                  reads_disk ? Access::read_write : Access::read_only);
}

void BlkbackRing::finish(Job& job) {
    if (job.result && job.kind == StorageOp::Kind::read) {
        const std::byte* from = job.buffer.data();
        for (unsigned i = 0; i < job.request.nr_segments; ++i) {
            const auto& seg = job.request.seg[i];
            const std::size_t length = (seg.last_sect - seg.first_sect + 1u) * kUnit;
            shared::copy_in(job.pages.window(), i * kPageSize + seg.first_sect * kUnit, from, length);
            from += length;
        }
    }
    // The frontend may use its pages again as soon as it sees the response.
    job.pages.reset();
    answer(job.request, job.result ? Status::okay : Status::error);
    std::erase_if(in_progress_, [&](const JobPtr& p) { return p.get() == &job; });
}

void BlkbackRing::answer(const Request& request, Status status) {
    Response response;
    clear(response);
    response.id = request.id;
    response.operation = request.operation;
    response.status = static_cast<std::int16_t>(status);
    ring_.put(response);
    answers_staged_ = true;
}

}  // namespace xenrig::blk
