// A stack of its own, and the jump from one to another.
//
// Switches go straight from fiber to fiber. Each carries what the C++ runtime and the sanitizers keep for each thread
// and would otherwise confuse: the chain of exceptions in flight, ASan's fake stack, TSan's fiber. Stacks come from a
// pool, have a guard page, and keep their sanitizer state when they are used again.
#pragma once

#include <cstddef>
#include <memory>

namespace xenrig {

struct Stack;

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

    /// From this fiber, which is running, to another.
    void jump_to(Fiber& to);

private:
    struct Arrival;
    static void arrive(Fiber* from, void* from_context);
    static void begin(Arrival);

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

}  // namespace xenrig
