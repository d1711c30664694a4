#include "xenrig/host/platform.h"

#include <atomic>

#include "clock.h"
#include "events.h"
#include "grants.h"
#include "memory.h"
#include "sim/threads/thread_machine.h"
#include "upcall_queue.h"
#include "xenrig/abi/check.h"
#include "xenrig/host/store.h"

namespace xenrig::host {

struct HostPlatform::Parts {
    HostMemory memory;
    UpcallQueues upcalls;
    std::unique_ptr<HostClock> clock;
    std::unique_ptr<threads::ThreadMachine> machine = std::make_unique<threads::ThreadMachine>();
    std::unique_ptr<HostEvents> events;
    std::unique_ptr<HostGrants> grants;
    std::unique_ptr<HostStore> store;
    std::atomic<std::size_t> next{0};

    Parts() = default;
    Parts(const Parts&) = delete;
    Parts& operator=(const Parts&) = delete;
    ~Parts() {
        // Tasks let go of what they hold; then the threads that wake them end; then the vCPUs and the timers, which
        // until now had somebody to kick.
        for (UpcallQueue& queue : upcalls.all()) queue.cpu().kill();
        events.reset();
        grants.reset();
        store.reset();
        machine.reset();
    }
};

Result<std::unique_ptr<HostPlatform>> HostPlatform::open(const HostOptions& options) {
    check(options.vcpus != 0, "a platform has a vCPU");
    auto parts = std::make_unique<Parts>();
    auto grants = HostGrants::open(parts->memory);
    if (!grants) return std::unexpected(grants.error());
    auto store = HostStore::open(*parts->machine);
    if (!store) return std::unexpected(store.error());
    for (unsigned i = 0; i < options.vcpus; ++i)
        parts->upcalls.add(parts->machine->add_cpu("host.v" + std::to_string(i)));
    auto events = HostEvents::open(parts->machine->outside(), parts->upcalls);
    if (!events) return std::unexpected(events.error());
    parts->clock = std::make_unique<HostClock>(*parts->machine, parts->upcalls);
    parts->grants = std::move(*grants);
    parts->events = std::move(*events);
    parts->store = std::move(*store);
    std::unique_ptr<HostPlatform> made(new HostPlatform(std::move(parts)));
    made->spawn("xenwatch", TaskRole::service, [store = made->parts_->store.get()] { store->serve_watches(); });
    return made;
}

HostPlatform::HostPlatform(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

HostPlatform::~HostPlatform() = default;

Grants& HostPlatform::grants() { return *parts_->grants; }
Events& HostPlatform::events() { return *parts_->events; }
Store& HostPlatform::store() { return *parts_->store; }
Memory& HostPlatform::memory() { return parts_->memory; }
Clock& HostPlatform::clock() { return *parts_->clock; }

Task& HostPlatform::spawn(std::string name, TaskRole role, std::function<void()> body) {
    auto& queues = parts_->upcalls.all();
    Cpu& cpu = queues[parts_->next.fetch_add(1, std::memory_order_relaxed) % queues.size()].cpu();
    return cpu.spawn(std::move(name), role, std::move(body));
}

Scheduler& HostPlatform::outside() { return parts_->machine->outside(); }

Held HostPlatform::held() const {
    return {parts_->events->ports_in_use(), parts_->grants->pages_mapped(), parts_->store->watches_in_use()};
}

std::string HostPlatform::state() const { return parts_->machine->state(); }

}  // namespace xenrig::host
