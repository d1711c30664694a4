#include "blkback_ring.h"

#include <algorithm>
#include <mutex>

#include "xenrig/shared/door.h"

namespace xenrig::blk {

/// A request that storage works on. Its data is private memory, so storage never touches a page of the frontend's.
struct BlkbackRing::Job final : StorageOp {
    /// What a barrier does next, each when the one before is done.
    enum class Step : std::uint8_t { wait_for_others, flush_before, write, flush_after, over };

    Command command;
    /// A read's pages.
    SegmentPages pages;
    std::vector<std::byte> buffer;
    Step step = Step::wait_for_others;
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
                                                          const Transport& transport, Device device) {
    auto mapping = platform.grants().map(transport.frontend, transport.refs, Access::read_write);
    if (!mapping) return fail(mapping.error().code, "mapping the ring: " + mapping.error().message);
    auto ring = AbiRing::attach(mapping->window(), transport.layout);
    if (!ring) return fail(Errno::inval, ring::describe(ring.error()));

    std::unique_ptr<BlkbackRing> made(
        new BlkbackRing(platform, name, transport, std::move(*mapping), std::move(*ring), std::move(device)));
    auto doorbell =
        xenbus::Doorbell::bind(platform.events(), transport.frontend, transport.port, made->service_.poker());
    if (!doorbell) return fail(doorbell.error().code, "binding the event channel: " + doorbell.error().message);
    made->doorbell_ = std::move(*doorbell);
    made->service_.unpause();
    made->service_.poke();
    return made;
}

BlkbackRing::BlkbackRing(Platform& platform, const std::string& name, const Transport& transport, Mapping mapping,
                         AbiRing ring, Device device)
    : platform_(platform),
      device_(std::move(device)),
      finished_(std::make_shared<Finished>(name)),
      mapping_(std::move(mapping)),
      ring_(std::move(ring)),
      persistent_(platform.grants(), transport.frontend, transport.persistent_max),
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

void BlkbackRing::change_storage(std::shared_ptr<Storage> storage, const Extent& extent) {
    const xenbus::Paused paused(service_);
    xenbus::wait_while_alive(finished_->lock, finished_->idle, [this] { return finished_->with_storage == 0; });
    device_.storage = std::move(storage);
    device_.extent = extent;
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
    bool more = take();
    for (const auto& job : finished_->take()) finish(job);
    if (barrier_) continue_barrier();
    if (std::exchange(answers_staged_, false) && ring_.push()) doorbell_.notify();

    // What is left, or comes in while we look, is the next run's: between runs a pause or a stop gets its turn, however
    // fast the frontend is.
    if (more) return service_.poke();
    doorbell_.rearm();
    // Behind a barrier nothing is taken: storage wakes us.
    if (!stopped_ && !barrier_ && !ring_.sleep_unless_work()) service_.poke();
}

/// At most a ring's worth; true when there may be more.
bool BlkbackRing::take() {
    for (ring::Index n = 0; n < ring_.size() && !stopped_; ++n) {
        if (barrier_) return false;
        const auto job = std::make_shared<Job>();
        const auto taken = ring_.take(job->command);
        if (!taken) {
            stopped_ = true;
            device_.link.fail({Errno::inval, ring::describe(taken.error())});
            return false;
        }
        if (!*taken) return false;
        begin(job);
    }
    return !stopped_;
}

void BlkbackRing::begin(const JobPtr& job) {
    Command& command = job->command;
    scale_numbers(command, device_.wire);
    scale_segments(command.segments, device_.wire);
    Extent extent = device_.extent;
    extent.units = device_.units->load(std::memory_order_relaxed);
    Verdict verdict = validate_head(command, extent, device_.offer);
    if (verdict == Verdict::okay && command.indirect) verdict = read_indirect(command);
    if (verdict == Verdict::okay) verdict = validate_extent(command, extent);
    if (verdict == Verdict::unknown_operation) command.operation = command.code;
    if (verdict != Verdict::okay) return answer(command, status_of(verdict));

    job->offset = command.sector * kUnit;
    job->done = [finished = finished_](StorageOpPtr done) {
        finished->add(std::static_pointer_cast<Job>(std::move(done)));
    };
    if (!command.segments.empty()) {
        auto pages = map(command);
        if (!pages) return answer(command, Status::error);
        job->buffer.resize(units_of(command) * kUnit);
        job->data = job->buffer;
        job->pages = std::move(*pages);
    }
    const auto op = static_cast<Op>(command.operation);
    if (op == Op::write || op == Op::barrier) {
        std::span<std::byte> to = job->buffer;
        for (std::size_t i = 0; i < command.segments.size(); ++i) {
            const Segment& seg = command.segments[i];
            const std::size_t length = (seg.last - seg.first + 1u) * kUnit;
            // A frontend may name a page twice, or its ring: as data these are other bytes than those decided on.
            shared::new_decision();
            job->pages.copy_out(i, seg.first * kUnit, to.first(length));
            to = to.subspan(length);
        }
        job->pages.reset();
    }
    switch (op) {
        case Op::read:
            job->kind = StorageOp::Kind::read;
            break;
        case Op::write:
            job->kind = StorageOp::Kind::write;
            break;
        case Op::flush:
            job->kind = StorageOp::Kind::flush;
            job->offset = 0;
            break;
        case Op::discard:
            job->kind = StorageOp::Kind::discard;
            job->length = command.units * kUnit;
            job->secure = command.secure && device_.storage->info().can_discard_securely;
            break;
        case Op::barrier:
            barrier_ = job;
            return;
    }
    submit(job);
}

/// Copies the segments out of their pages, once.
Verdict BlkbackRing::read_indirect(Command& command) {
    const auto refs = std::span(command.indirect_refs).first(command.indirect_pages());
    const auto pages = SegmentPages::map(refs, Access::read_only, persistent_);
    if (!pages) return Verdict::bad_indirect_page;
    std::vector<std::byte> copy(kPageSize);
    for (std::size_t i = 0; i < refs.size(); ++i) {
        const std::size_t count = std::min(kSegmentsPerPage, command.segment_count - i * kSegmentsPerPage);
        copy.resize(count * sizeof(blkif_request_segment));
        shared::new_decision();
        pages->copy_out(i, 0, copy);
        decode_segments(copy, count, command.segments);
    }
    scale_segments(command.segments, device_.wire);
    return Verdict::okay;
}

Result<SegmentPages> BlkbackRing::map(const Command& command) {
    std::vector<GrantRef> refs;
    refs.reserve(command.segments.size());
    for (const Segment& segment : command.segments) refs.push_back(segment.gref);
    const bool reads_disk = static_cast<Op>(command.operation) == Op::read;
    return SegmentPages::map(refs, reads_disk ? Access::read_write : Access::read_only, persistent_);
}

void BlkbackRing::submit(const JobPtr& job) {
    {
        const std::lock_guard held(finished_->lock);
        ++finished_->with_storage;
    }
    in_progress_.push_back(job);
    device_.storage->submit(job);
}

void BlkbackRing::finish(const JobPtr& job) {
    std::erase(in_progress_, job);
    // Its next step, or its answer, is continue_barrier()'s.
    if (job == barrier_) return;
    if (job->result && job->kind == StorageOp::Kind::read) {
        std::span<const std::byte> from = job->buffer;
        for (std::size_t i = 0; i < job->command.segments.size(); ++i) {
            const Segment& seg = job->command.segments[i];
            const std::size_t length = (seg.last - seg.first + 1u) * kUnit;
            job->pages.copy_in(i, seg.first * kUnit, from.first(length));
            from = from.subspan(length);
        }
    }
    // The frontend may use its pages again as soon as it sees the response.
    job->pages.reset();
    answer(job->command, job->result ? Status::okay : Status::error);
}

/// The barrier's next step, when nothing else is in progress: what was done before is made durable, its own data is
/// written and made durable, and then it is answered.
void BlkbackRing::continue_barrier() {
    using Step = Job::Step;
    if (!in_progress_.empty() || stopped_) return;
    const JobPtr job = barrier_;
    const bool no_data = job->buffer.empty();
    job->step = !job->result || (no_data && job->step == Step::flush_before)
                    ? Step::over
                    : static_cast<Step>(static_cast<std::uint8_t>(job->step) + 1);
    if (job->step == Step::over) {
        barrier_.reset();
        answer(job->command, job->result ? Status::okay : Status::error);
        // There may be requests behind it.
        return service_.poke();
    }
    const bool writes = job->step == Step::write;
    job->kind = writes ? StorageOp::Kind::write : StorageOp::Kind::flush;
    job->offset = writes ? job->command.sector * kUnit : 0;
    job->data = writes ? std::span<std::byte>(job->buffer) : std::span<std::byte>();
    job->done = [finished = finished_](StorageOpPtr done) {
        finished->add(std::static_pointer_cast<Job>(std::move(done)));
    };
    submit(job);
}

void BlkbackRing::answer(const Command& command, Status status) {
    ring_.put(command.id, command.operation, status);
    answers_staged_ = true;
}

}  // namespace xenrig::blk
