#include "sim/fuzz/reset/world_heap.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <new>

#include "xenrig/abi/check.h"

#if defined(XENRIG_ASAN)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
#endif

namespace xenrig::fuzz {

namespace {

/// Address space; what was never touched costs nothing.
constexpr std::size_t kBytes = std::size_t{1} << 28;
constexpr std::size_t kPage = 4096;
constexpr std::size_t kAlign = 16;

struct Header {
    std::size_t bytes;
    std::uint64_t freed;
};
static_assert(sizeof(Header) == kAlign);

struct Heap {
    std::byte* base = nullptr;
    std::size_t top = 0, mark = 0;
    std::size_t in_use = 0, in_use_at_mark = 0;
    bool on = false;
};
Heap heap;

std::byte* map() {
    void* at = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check(at != MAP_FAILED, "there is address space for a world's heap");
    return static_cast<std::byte*>(at);
}

constexpr std::size_t up(std::size_t n, std::size_t to) { return (n + to - 1) / to * to; }

bool inside(const void* at) {
    return heap.base && reinterpret_cast<std::uintptr_t>(at) - reinterpret_cast<std::uintptr_t>(heap.base) < kBytes;
}

void* take(std::size_t bytes, std::size_t align) {
    if (!heap.on) return align > kAlign ? std::aligned_alloc(align, up(bytes, align)) : std::malloc(bytes);
    const std::size_t at = up(heap.top + sizeof(Header), align);
    // A gap behind each, which is never unpoisoned.
    const std::size_t end = at + up(bytes, kAlign) + kAlign;
    check(end <= kBytes, "a peer costs a world no more memory than 256 MiB in one run");
    heap.top = end;
    heap.in_use += bytes;
    std::byte* const user = heap.base + at;
    ASAN_UNPOISON_MEMORY_REGION(user - sizeof(Header), sizeof(Header));
    *reinterpret_cast<Header*>(user - sizeof(Header)) = {bytes, 0};
    ASAN_POISON_MEMORY_REGION(user - sizeof(Header), sizeof(Header));
    ASAN_UNPOISON_MEMORY_REGION(user, bytes);
    return user;
}

void give(void* at) {
    if (!at) return;
    if (!inside(at)) return std::free(at);
    auto* const user = static_cast<std::byte*>(at);
    auto* const header = reinterpret_cast<Header*>(user - sizeof(Header));
    ASAN_UNPOISON_MEMORY_REGION(header, sizeof(Header));
    heap.in_use -= header->bytes;
#if defined(XENRIG_ASAN)
    check(header->freed == 0, "nothing is freed twice");
    header->freed = 1;
    ASAN_POISON_MEMORY_REGION(header, sizeof(Header));
    // Who takes pictures of pages learns of a change by a write: of the page's shadow as well.
    for (std::size_t i = 0; i < header->bytes; i += kPage) {
        volatile std::byte* const touched = user + i;
        *touched = std::byte{0xfd};
    }
    ASAN_POISON_MEMORY_REGION(user, header->bytes);
#endif
}

}  // namespace

void WorldHeap::resume() {
    if (!heap.base) {
        heap.base = map();
        ASAN_POISON_MEMORY_REGION(heap.base, kBytes);
    }
    heap.on = true;
}

void WorldHeap::pause() { heap.on = false; }

std::span<std::byte> WorldHeap::mark() {
    std::byte* const from = heap.base + heap.mark;
    heap.mark = heap.top = up(heap.top, kPage);
    heap.in_use_at_mark = heap.in_use;
    return {from, heap.base + heap.mark};
}

void WorldHeap::back_to_mark() {
    ASAN_POISON_MEMORY_REGION(heap.base + heap.mark, heap.top - heap.mark);
    heap.top = heap.mark;
    heap.in_use = heap.in_use_at_mark;
}

void* WorldHeap::allocate(std::size_t bytes, std::size_t align) { return take(bytes, align); }

void WorldHeap::free(void* at) { give(at); }

bool WorldHeap::holds(const void* at) { return inside(at); }

std::size_t WorldHeap::size_of(void* at) {
    const auto* const header = reinterpret_cast<Header*>(static_cast<std::byte*>(at) - sizeof(Header));
    ASAN_UNPOISON_MEMORY_REGION(header, sizeof(Header));
    const std::size_t bytes = header->bytes;
    ASAN_POISON_MEMORY_REGION(header, sizeof(Header));
    return bytes;
}

std::size_t WorldHeap::in_use() { return heap.in_use; }

}  // namespace xenrig::fuzz

namespace {

constexpr std::size_t kPlain = __STDCPP_DEFAULT_NEW_ALIGNMENT__;

void* must(void* at) {
    xenrig::check(at != nullptr, "there is memory");
    return at;
}

}  // namespace

using xenrig::fuzz::give;
using xenrig::fuzz::take;

void* operator new(std::size_t n) { return must(take(n, kPlain)); }
void* operator new[](std::size_t n) { return must(take(n, kPlain)); }
void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return take(n, kPlain); }
void* operator new[](std::size_t n, const std::nothrow_t&) noexcept { return take(n, kPlain); }
void* operator new(std::size_t n, std::align_val_t a) { return must(take(n, static_cast<std::size_t>(a))); }
void* operator new[](std::size_t n, std::align_val_t a) { return must(take(n, static_cast<std::size_t>(a))); }
void operator delete(void* p) noexcept { give(p); }
void operator delete[](void* p) noexcept { give(p); }
void operator delete(void* p, std::size_t) noexcept { give(p); }
void operator delete[](void* p, std::size_t) noexcept { give(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { give(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { give(p); }
void operator delete(void* p, std::align_val_t) noexcept { give(p); }
void operator delete[](void* p, std::align_val_t) noexcept { give(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { give(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { give(p); }
