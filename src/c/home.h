// Where the C interface's handles live, and how a table's function finds its Platform again.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "xenrig/abi/error.h"
#include "xenrig/c/platform.h"
#include "xenrig/platform/platform.h"

namespace xenrig::c {

/// Whatever a subject was given; its struct of the C interface is its other base.
class Handle {
public:
    virtual ~Handle() = default;

private:
    friend class Home;
    std::uint64_t number_ = 0;
};

class Home final : public xenrig_platform {
public:
    explicit Home(Platform& platform);
    /// The youngest first.
    ~Home();
    Home(const Home&) = delete;
    Home& operator=(const Home&) = delete;

    static Home& of(const xenrig_platform* xen) {
        return *static_cast<Home*>(const_cast<xenrig_platform*>(xen));  // made by the constructor, never const
    }

    Platform& platform() { return platform_; }

    template <class H>
    H* keep(std::unique_ptr<H> handle) {
        H* const raw = handle.get();
        const std::lock_guard held(lock_);
        raw->number_ = ++last_;
        handles_.emplace(raw->number_, std::move(handle));
        return raw;
    }
    /// Its destructor may block.
    void drop(Handle& handle);

private:
    Platform& platform_;
    /// For a few instructions, without a choice point.
    std::mutex lock_;
    std::uint64_t last_ = 0;
    std::map<std::uint64_t, std::unique_ptr<Handle>> handles_;
};

/// A window as C code knows it.
struct WindowView : xenrig_window {
    explicit WindowView(shared::Window w);
    shared::Window inside;
};

struct FrameHandle final : Handle, xenrig_frame {
    explicit FrameHandle(FramePtr f) : xenrig_frame{f->gfn().value}, frame(std::move(f)) {}
    static const FrameHandle& of(const xenrig_frame* f) { return *static_cast<const FrameHandle*>(f); }
    FramePtr frame;
};

/// What a C function returns: nothing negative when all is well.
inline int answer(const Error& e) { return -static_cast<int>(e.code); }
template <class T>
int answer(const Result<T>& result) {
    return result ? 0 : answer(result.error());
}

/// free()'s manners: null is let go of without a word.
template <class H, class S>
void end(const xenrig_platform* xen, S* handle) {
    if (handle) Home::of(xen).drop(*static_cast<H*>(handle));
}

extern const xenrig_memory memory_calls;
extern const xenrig_door door_calls;
extern const xenrig_grants grant_calls;
extern const xenrig_events event_calls;
extern const xenrig_store store_calls;
extern const xenrig_tasks task_calls;

}  // namespace xenrig::c
