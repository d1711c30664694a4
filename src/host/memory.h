// A process's own pages as frames: payload that is not shared with anybody yet.
//
// A gfn is a number that this service gives out; what the kernel below calls the page is nobody's business here.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "xenrig/platform/memory.h"

namespace xenrig::host {

class HostMemory final : public Memory {
public:
    ~HostMemory() override;

    Result<FramePtr> allocate() override;
    using Memory::window;
    shared::Window window(std::span<const Gfn> frames) override;
    void read(Gfn frame, std::size_t offset, std::span<std::byte> out) override;
    void write(Gfn frame, std::size_t offset, std::span<const std::byte> in) override;
    std::uint64_t epoch() const override { return 1; }
    std::size_t frames_in_use() const override;

    /// Where the frame lies, for calls of the kernel's.
    std::byte* page(Gfn frame) const;

private:
    void release(Gfn frame) override;

    /// Held without a choice point inside.
    mutable std::mutex lock_;
    std::map<Gfn, std::byte*> pages_;
    std::uint64_t made_ = 0;
};

}  // namespace xenrig::host
