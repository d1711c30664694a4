// A guest's own memory: frames it allocates, shares and does I/O to.
//
// Code keeps (gfn, offset), never a host address: after a migration the same gfn lies elsewhere. A guest's own payload
// is read and written here, which marks frames dirty for a migration's log; pages that a peer may write are looked at
// through window() and the door.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "xenrig/abi/error.h"
#include "xenrig/abi/types.h"
#include "xenrig/shared/window.h"

namespace xenrig {

class Memory;

/// One allocated frame, given back when the last owner lets go.
class Frame {
public:
    Frame(Memory& memory, Gfn gfn) : memory_(memory), gfn_(gfn) {}
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;
    ~Frame();

    Gfn gfn() const { return gfn_; }

private:
    Memory& memory_;
    Gfn gfn_;
};

using FramePtr = std::shared_ptr<Frame>;

class Memory {
public:
    virtual ~Memory() = default;

    /// A zeroed frame. ENOMEM when the domain has none left.
    virtual Result<FramePtr> allocate() = 0;

    /// A window on own frames, in this order, that a peer is or will be able to write. Valid in this epoch only.
    virtual shared::Window window(std::span<const Gfn> frames) = 0;
    shared::Window window(Gfn frame) { return window(std::span(&frame, 1)); }

    /// Own payload, across frames: [offset, offset + size) must lie inside the frame.
    virtual void read(Gfn frame, std::size_t offset, std::span<std::byte> out) = 0;
    virtual void write(Gfn frame, std::size_t offset, std::span<const std::byte> in) = 0;

    /// Changes with each migration, not with a cancelled suspend.
    virtual std::uint64_t epoch() const = 0;

    virtual std::size_t frames_in_use() const = 0;

protected:
    friend class Frame;
    virtual void release(Gfn frame) = 0;
};

inline Frame::~Frame() { memory_.release(gfn_); }

}  // namespace xenrig
