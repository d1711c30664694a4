// A picture of memory that comes back: what was written since is put right, page by page.
//
// After take() the pages can't be written; the first write to one is a fault, which keeps a copy and lets it go on.
// restore() copies back the pages that were written, with AddressSanitizer's shadow. A page that is written run
// after run stays writable, so in the long run nothing faults; one that has not changed for long is locked again.
//
// Several of a process are of different pages, and each puts back its own. As long as there are any, they catch
// SIGSEGV; other faults go on to whoever caught them before. Threads: one.
#pragma once

#include <cstddef>
#include <span>

namespace xenrig::fuzz {

class MemoryImage {
public:
    /// False where AddressSanitizer keeps stack frames elsewhere (detect_stack_use_after_return): such a world can't be
    /// put back.
    static bool possible();

    MemoryImage();
    ~MemoryImage();
    MemoryImage(const MemoryImage&) = delete;
    MemoryImage& operator=(const MemoryImage&) = delete;

    /// Whole pages, before take().
    void add(std::span<std::byte> pages);
    /// Some bytes that are copied back each time.
    void add_small(std::span<std::byte> bytes);

    /// Bytes in those pages that stay as they are, after all are added.
    void keep(std::span<std::byte> bytes);

    void take();
    void restore();

    struct Impl;

private:
    Impl* impl_;
};

}  // namespace xenrig::fuzz
