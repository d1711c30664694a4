// A stack of its own, and the jump from one to another.
//
// Switches go straight from fiber to fiber. Each carries what the C++ runtime and the sanitizers keep for each thread
// and would otherwise confuse: the chain of exceptions in flight, ASan's fake stack, TSan's fiber. Stacks come from a
// pool, have a guard page, and keep their sanitizer state when they are used again.
#pragma once

#include <boost/context/detail/fcontext.hpp>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#if defined(XENRIG_ASAN)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(XENRIG_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace xenrig {

struct Stack;

/// This thread's stacks, for who takes a picture of a world's memory: those that fibers stand on, and the bytes of the
/// pool itself. reserve_stacks() makes so many that a world which goes on from the picture needs no new ones.
void reserve_stacks(std::size_t count);
std::vector<std::span<std::byte>> stacks_in_use();
std::span<std::byte> stack_pool();

/// Thrown through a task whose domain died; no code but its scheduler's may catch it.
struct Unwound {};

class Fiber {
public:
    /// The fiber that is the calling thread's own stack: what others jump back to.
    Fiber();
    /// Runs `entry(argument)` at the first jump to it. `entry` never returns: its last act is a jump elsewhere.
    Fiber(void (*entry)(void*), void* argument);
    ~Fiber();
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    /// From this fiber, which is running, to another. Inline, because each return on another stack than the one of its
    /// call is mispredicted: the fewer frames between a choice point and the jump, the faster.
    [[gnu::always_inline]] void jump_to(Fiber& to);

private:
    using Transfer = boost::context::detail::transfer_t;

    /// On the new stack: the fiber that jumped here is where it left off.
    static Fiber* arrive(Transfer t);
    static void begin(Transfer t);
    static void** exception_globals();

    void* context_ = nullptr;
    Stack* stack_ = nullptr;
    void (*entry_)(void*) = nullptr;
    void* argument_ = nullptr;
    /// __cxa_eh_globals: two words in every ABI that we compile for.
    void* exceptions_[2] = {};
    void* asan_fake_stack_ = nullptr;
    const void* asan_bottom_ = nullptr;
    std::size_t asan_size_ = 0;
    void* tsan_fiber_ = nullptr;
};

/// Its address is two calls through tables; a fiber never leaves its thread, so asking once is enough.
inline constinit thread_local void** this_threads_exceptions = nullptr;

inline void** Fiber::exception_globals() { return this_threads_exceptions; }

inline Fiber* Fiber::arrive(Transfer t) {
    auto* from = static_cast<Fiber**>(t.data)[0];
    from->context_ = t.fctx;
    return from;
}

inline void Fiber::jump_to(Fiber& to) {
    void** globals = exception_globals();
    exceptions_[0] = std::exchange(globals[0], to.exceptions_[0]);
    exceptions_[1] = std::exchange(globals[1], to.exceptions_[1]);
#if defined(XENRIG_ASAN)
    __sanitizer_start_switch_fiber(&asan_fake_stack_, to.asan_bottom_, to.asan_size_);
#endif
#if defined(XENRIG_TSAN)
    __tsan_switch_to_fiber(to.tsan_fiber_, 0);
#endif
    Fiber* pair[2] = {this, &to};
    [[maybe_unused]] Fiber* from = arrive(boost::context::detail::jump_fcontext(to.context_, pair));
#if defined(XENRIG_ASAN)
    __sanitizer_finish_switch_fiber(asan_fake_stack_, &from->asan_bottom_, &from->asan_size_);
#endif
}

}  // namespace xenrig
