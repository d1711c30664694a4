// What a vCPU of the host platform takes upcalls for: calls that other threads left for it, in their order.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>

#include "xenrig/platform/cpu.h"

namespace xenrig::host {

class UpcallQueue final : public Upcall {
public:
    explicit UpcallQueue(Cpu& cpu) : cpu_(cpu) { cpu.set_upcall(this); }
    /// After the vCPU was killed.
    ~UpcallQueue() override = default;

    Cpu& cpu() { return cpu_; }

    /// From any thread: `call` runs on the vCPU with upcalls off, and does not block.
    void post(std::function<void()> call) {
        {
            const std::lock_guard held(lock_);
            calls_.push_back(std::move(call));
            waiting_.fetch_add(1, std::memory_order_release);
        }
        cpu_.kick();
    }

    bool pending() override { return waiting_.load(std::memory_order_acquire) != 0; }
    void deliver() override {
        while (pending()) take()();
    }

private:
    std::function<void()> take() {
        const std::lock_guard held(lock_);
        std::function<void()> call = std::move(calls_.front());
        calls_.pop_front();
        waiting_.fetch_sub(1, std::memory_order_release);
        return call;
    }

    Cpu& cpu_;
    /// Held without a choice point inside.
    std::mutex lock_;
    std::deque<std::function<void()>> calls_;
    std::atomic<std::size_t> waiting_{0};
};

/// The vCPUs of a host platform.
class UpcallQueues {
public:
    void add(Cpu& cpu) { queues_.emplace_back(cpu); }
    /// The caller's; the first one's outside any.
    UpcallQueue& here();
    std::deque<UpcallQueue>& all() { return queues_; }

private:
    std::deque<UpcallQueue> queues_;
};

}  // namespace xenrig::host
