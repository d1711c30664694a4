#include "xenrig/xenbus/service.h"

#include <mutex>

#include "xenrig/platform/platform.h"

namespace xenrig::xenbus {

struct Service::Shared {
    Shared(const std::string& name, std::function<void()> what)
        : body(std::move(what)), work("work for " + name), idle("the end of a run of " + name) {}

    std::function<void()> body;
    IrqLock lock{"service"};
    WaitQueue work;
    WaitQueue idle;
    // Under the lock.
    bool poked = false;
    bool running = false;
    bool stopping = false;
    unsigned paused = 0;

    bool ready() const { return stopping || (poked && paused == 0); }

    /// One run of the body, ended however it ends: a task may be unwound.
    class Run {
    public:
        explicit Run(Shared& s) : shared_(s) {}
        ~Run() {
            {
                const std::lock_guard held(shared_.lock);
                shared_.running = false;
            }
            shared_.idle.wake_all();
        }
        Run(const Run&) = delete;
        Run& operator=(const Run&) = delete;

    private:
        Shared& shared_;
    };
};

Service::Service(Platform& platform, std::string name, std::function<void()> body)
    : shared_(std::make_shared<Shared>(name, std::move(body))) {
    platform.spawn(std::move(name), TaskRole::service, [shared = shared_] { run(shared); });
}

Service::~Service() { stop(); }

void Service::run(const std::shared_ptr<Shared>& shared) {
    for (;;) {
        {
            const std::lock_guard held(shared->lock);
            shared->work.wait(shared->lock, [&] { return shared->ready(); });
            if (shared->stopping) return;
            shared->poked = false;
            shared->running = true;
        }
        const Shared::Run run(*shared);
        shared->body();
    }
}

void Service::Poke::operator()() const {
    if (!shared_) return;
    {
        const std::lock_guard held(shared_->lock);
        shared_->poked = true;
    }
    shared_->work.wake_one();
}

void wait_finally(IrqLock& lock, WaitQueue& queue, const std::function<bool()>& over) {
    // Outside any task there is nobody to wait for: what ran there was unwound, or is not switched to any more.
    if (!scheduler || !scheduler->current_task()) return;
    // No unwinding may pass out of a destructor.
    Scheduler& here = *scheduler;
    here.defer_unwinding(true);
    {
        const std::lock_guard held(lock);
        queue.wait(lock, [&] { return over() || here.unwinding(); });
    }
    here.defer_unwinding(false);
}

void Service::wait_until_idle() {
    wait_finally(shared_->lock, shared_->idle, [this] { return !shared_->running; });
}

void Service::pause() {
    {
        const std::lock_guard held(shared_->lock);
        ++shared_->paused;
    }
    wait_until_idle();
}

void Service::unpause() {
    {
        const std::lock_guard held(shared_->lock);
        --shared_->paused;
    }
    shared_->work.wake_one();
}

void Service::stop() {
    {
        const std::lock_guard held(shared_->lock);
        if (std::exchange(shared_->stopping, true)) return;
    }
    shared_->work.wake_one();
    wait_until_idle();
}

}  // namespace xenrig::xenbus
