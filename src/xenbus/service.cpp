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

Service::~Service() {
    const DeferUnwinding defer;
    stop();
}

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

bool alive() { return scheduler && scheduler->current_task() && !scheduler->unwinding(); }

void wait_while_alive(IrqLock& lock, WaitQueue& queue, const std::function<bool()>& over) {
    if (!scheduler || !scheduler->current_task()) return;
    const std::lock_guard held(lock);
    // Each sleep of a task whose domain died unwinds it, or under DeferUnwinding gives the other tasks a turn.
    int turns_left = 8;
    queue.wait(lock, [&] { return over() || (scheduler->unwinding() && --turns_left < 0); });
}

DeferUnwinding::DeferUnwinding() {
    if (scheduler) scheduler->defer_unwinding(true);
}

DeferUnwinding::~DeferUnwinding() {
    if (scheduler) scheduler->defer_unwinding(false);
}

void Service::wait_until_idle() {
    wait_while_alive(shared_->lock, shared_->idle, [this] { return !shared_->running; });
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
        shared_->stopping = true;
    }
    shared_->work.wake_one();
    wait_until_idle();
}

}  // namespace xenrig::xenbus
