#include "sim/fiber/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cxxabi.h>
#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "xenrig/abi/check.h"

#if defined(XENRIG_ASAN)
#include <sanitizer/asan_interface.h>
#endif

namespace xenrig {

namespace ctx = boost::context::detail;

#if defined(XENRIG_ASAN) || defined(XENRIG_TSAN)
constexpr std::size_t kStackSize = 512 << 10;
#else
constexpr std::size_t kStackSize = 128 << 10;
#endif

/// Mapped once, with its guard page below, and pooled for good.
struct Stack {
    std::byte* bottom = nullptr;
    void* asan_fake_stack = nullptr;
    void* tsan_fiber = nullptr;
};

namespace {

/// Each thread's free stacks; unmapped with the thread.
struct StackPool {
    std::vector<Stack*> free;
    std::vector<Stack*> all;

    ~StackPool() {
        for (Stack* s : free) destroy(s);
    }

    Stack* take() {
        if (!free.empty()) {
            Stack* s = free.back();
            free.pop_back();
            return s;
        }
        return make();
    }

    Stack* make() {
        const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
        void* at =
            mmap(nullptr, kStackSize + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
        check(at != MAP_FAILED, "there is memory for a fiber's stack");
        check(mprotect(at, page, PROT_NONE) == 0, "a stack gets its guard page");
        auto* s = new Stack;
        s->bottom = static_cast<std::byte*>(at) + page;
#if defined(XENRIG_TSAN)
        s->tsan_fiber = __tsan_create_fiber(0);
#endif
        all.push_back(s);
        return s;
    }

    static void destroy(Stack* s) {
        const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
#if defined(XENRIG_TSAN)
        __tsan_destroy_fiber(s->tsan_fiber);
#endif
        munmap(s->bottom - page, kStackSize + page);
        delete s;
    }
};

thread_local StackPool pool;

}  // namespace

void reserve_stacks(std::size_t count) {
    while (pool.free.size() < count) pool.free.push_back(pool.make());
}

std::vector<std::span<std::byte>> stacks_in_use() {
    std::vector<std::span<std::byte>> stacks;
    for (Stack* s : pool.all)
        if (std::ranges::find(pool.free, s) == pool.free.end()) stacks.emplace_back(s->bottom, kStackSize);
    return stacks;
}

std::span<std::byte> stack_pool() { return std::as_writable_bytes(std::span(&pool, 1)); }

Fiber::Fiber() {
    this_threads_exceptions = reinterpret_cast<void**>(abi::__cxa_get_globals());
#if defined(XENRIG_TSAN)
    tsan_fiber_ = __tsan_get_current_fiber();
#endif
}

Fiber::Fiber(void (*entry)(void*), void* argument) : stack_(pool.take()), entry_(entry), argument_(argument) {
#if defined(XENRIG_ASAN)
    // Frames that were left for good, in a world that was put back, are no frames any more.
    __asan_unpoison_memory_region(stack_->bottom, kStackSize);
#endif
    context_ = ctx::make_fcontext(stack_->bottom + kStackSize, kStackSize, &Fiber::begin);
    asan_fake_stack_ = stack_->asan_fake_stack;
    asan_bottom_ = stack_->bottom;
    asan_size_ = kStackSize;
    tsan_fiber_ = stack_->tsan_fiber;
}

Fiber::~Fiber() {
    if (!stack_) return;
    stack_->asan_fake_stack = asan_fake_stack_;
    pool.free.push_back(stack_);
}

void Fiber::begin(Transfer t) {
    Fiber* self = static_cast<Fiber**>(t.data)[1];
    [[maybe_unused]] Fiber* from = arrive(t);
#if defined(XENRIG_ASAN)
    __sanitizer_finish_switch_fiber(self->asan_fake_stack_, &from->asan_bottom_, &from->asan_size_);
#endif
    self->entry_(self->argument_);
    check_failed("a fiber's entry never returns", std::source_location::current());
}

}  // namespace xenrig
