#include "memory.h"

#include <cstdlib>
#include <cstring>

#include "xenrig/shared/door.h"

namespace xenrig::host {

HostMemory::~HostMemory() {
    for (const auto& [gfn, page] : pages_) std::free(page);
}

Result<FramePtr> HostMemory::allocate() {
    auto* const page = static_cast<std::byte*>(std::aligned_alloc(kPageSize, kPageSize));
    if (!page) return fail(Errno::nomem, "no memory for a frame");
    std::memset(page, 0, kPageSize);
    const std::lock_guard held(lock_);
    const Gfn gfn(++made_);
    pages_[gfn] = page;
    return std::make_shared<Frame>(*this, gfn);
}

std::byte* HostMemory::page(Gfn frame) const {
    const std::lock_guard held(lock_);
    const auto found = pages_.find(frame);
    check(found != pages_.end(), "a frame is used while it is allocated");
    return found->second;
}

shared::Window HostMemory::window(std::span<const Gfn> frames) {
    auto lease = std::make_shared<shared::Lease>();
    lease->name = "own frame " + std::to_string(frames.front().value);
    shared::Window made(page(frames.front()), std::move(lease));
    for (const Gfn frame : frames.subspan(1)) made.append(page(frame));
    return made;
}

void HostMemory::read(Gfn frame, std::size_t offset, std::span<std::byte> out) {
    shared::copy_out(Memory::window(frame), offset, out.data(), out.size());
}

void HostMemory::write(Gfn frame, std::size_t offset, std::span<const std::byte> in) {
    shared::copy_in(Memory::window(frame), offset, in.data(), in.size());
}

std::size_t HostMemory::frames_in_use() const {
    const std::lock_guard held(lock_);
    return pages_.size();
}

void HostMemory::release(Gfn frame) {
    const std::lock_guard held(lock_);
    const auto found = pages_.find(frame);
    std::free(found->second);
    pages_.erase(found);
}

}  // namespace xenrig::host
