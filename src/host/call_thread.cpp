#include "call_thread.h"

#include "xenrig/platform/scheduler.h"

namespace xenrig::host {

struct CallThread::Call {
    Call(const std::string& name, std::function<void()> what) : work(std::move(what)), returned(name + " to return") {}

    std::function<void()> work;
    IrqLock lock{"blocking call"};
    WaitQueue returned;
    bool done = false;
};

CallThread::CallThread(std::string name, Scheduler& outside)
    : name_(std::move(name)), thread_([this, &outside] { loop(outside); }) {}

CallThread::~CallThread() {
    {
        const std::lock_guard held(lock_);
        stopping_ = true;
    }
    asked_.notify_one();
    thread_.join();
}

void CallThread::make(std::function<void()> call) {
    if (!scheduler || !scheduler->current_task()) return call();
    const auto asked = std::make_shared<Call>(name_, std::move(call));
    {
        const std::lock_guard held(lock_);
        calls_.push_back(asked);
    }
    asked_.notify_one();
    const std::lock_guard held(asked->lock);
    asked->returned.wait(asked->lock, [&] { return asked->done; });
}

void CallThread::loop(Scheduler& outside) {
    scheduler = &outside;
    std::unique_lock held(lock_);
    for (;;) {
        asked_.wait(held, [this] { return stopping_ || !calls_.empty(); });
        if (calls_.empty()) break;
        const std::shared_ptr<Call> call = std::move(calls_.front());
        calls_.pop_front();
        held.unlock();
        call->work();
        {
            const std::lock_guard answered(call->lock);
            call->done = true;
            call->returned.wake_all();
        }
        held.lock();
    }
    scheduler = nullptr;
}

}  // namespace xenrig::host
