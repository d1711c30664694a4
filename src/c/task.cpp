// task.h. The structs of locks and queues are the handles themselves.
#include <utility>
#include <variant>

#include "home.h"

struct xenrig_lock : xenrig::c::Handle {
    std::variant<std::monostate, xenrig::Lock, xenrig::IrqLock> lock;
};

struct xenrig_queue : xenrig::c::Handle {
    explicit xenrig_queue(const char* name) : queue(name) {}
    xenrig::WaitQueue queue;
};

namespace xenrig::c {

namespace {

int spawn(const xenrig_platform* xen, const char* name, void (*body)(void*), void* context) {
    Home::of(xen).platform().spawn(name, TaskRole::service, [body, context] { body(context); });
    return 0;
}

std::uint64_t now(const xenrig_platform* xen) { return Home::of(xen).platform().clock().now().value; }

void sleep(const xenrig_platform* xen, std::uint64_t nanoseconds) {
    sleep_for(Home::of(xen).platform().clock(), Nanoseconds{nanoseconds});
}

void yield(const xenrig_platform*) { scheduler->yield(); }

int make_lock(const xenrig_platform* xen, const char* name, xenrig_lock_kind kind, xenrig_lock** out) {
    auto lock = std::make_unique<xenrig_lock>();
    if (kind == XENRIG_LOCK_IRQ)
        lock->lock.emplace<IrqLock>(name);
    else
        lock->lock.emplace<Lock>(name);
    *out = Home::of(xen).keep(std::move(lock));
    return 0;
}

void free_lock(const xenrig_platform* xen, xenrig_lock* lock) { end<xenrig_lock>(xen, lock); }

void lock(xenrig_lock* l) {
    if (auto* const irq = std::get_if<IrqLock>(&l->lock)) return irq->lock();
    std::get<Lock>(l->lock).lock();
}

void unlock(xenrig_lock* l) {
    if (auto* const irq = std::get_if<IrqLock>(&l->lock)) return irq->unlock();
    std::get<Lock>(l->lock).unlock();
}

int make_queue(const xenrig_platform* xen, const char* name, xenrig_queue** out) {
    *out = Home::of(xen).keep(std::make_unique<xenrig_queue>(name));
    return 0;
}

void free_queue(const xenrig_platform* xen, xenrig_queue* queue) { end<xenrig_queue>(xen, queue); }

void wait(xenrig_queue* q, xenrig_lock* l) {
    const auto once = [slept = false]() mutable { return std::exchange(slept, true); };
    if (auto* const irq = std::get_if<IrqLock>(&l->lock)) return q->queue.wait(*irq, once);
    q->queue.wait(std::get<Lock>(l->lock), once);
}

void wake_one(xenrig_queue* q) { q->queue.wake_one(); }
void wake_all(xenrig_queue* q) { q->queue.wake_all(); }

}  // namespace

const xenrig_tasks task_calls = {.size = sizeof(xenrig_tasks),
                                 .spawn = spawn,
                                 .now = now,
                                 .sleep = sleep,
                                 .yield = yield,
                                 .make_lock = make_lock,
                                 .free_lock = free_lock,
                                 .lock = lock,
                                 .unlock = unlock,
                                 .make_queue = make_queue,
                                 .free_queue = free_queue,
                                 .wait = wait,
                                 .wake_one = wake_one,
                                 .wake_all = wake_all};

}  // namespace xenrig::c
