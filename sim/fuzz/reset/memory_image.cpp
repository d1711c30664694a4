#include "sim/fuzz/reset/memory_image.h"

#include <sys/mman.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "xenrig/abi/check.h"

#if defined(XENRIG_ASAN)
#include <sanitizer/asan_interface.h>
#endif

namespace xenrig::fuzz {

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kAreasMax = 256, kSmallMax = 4;
constexpr std::size_t kSmallBytes = 256;
/// Restores in a row that find a page as it was, before it is locked again.
constexpr std::uint16_t kPatience = 200;
#if defined(XENRIG_ASAN)
constexpr std::size_t kShadow = kPage / 8;
#else
constexpr std::size_t kShadow = 0;
#endif

/// No function that AddressSanitizer looks into: the memory copied is poisoned here and there.
inline void copy_bytes(void* to, const void* from, std::size_t bytes) {
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}

/// Makes a page as its copy is, and writes only where it differs: true when it did. For the same reason its own.
inline bool put_right(std::byte* page, const std::byte* copy) {
    using Words = std::uint64_t __attribute__((vector_size(32), may_alias));
    constexpr std::size_t kPiece = 4 * sizeof(Words);
    bool changed = false;
    for (std::size_t at = 0; at < kPage; at += kPiece) {
        auto* const now = reinterpret_cast<Words*>(page + at);
        const auto* const then = reinterpret_cast<const Words*>(copy + at);
        const Words different = (now[0] ^ then[0]) | (now[1] ^ then[1]) | (now[2] ^ then[2]) | (now[3] ^ then[3]);
        if ((different[0] | different[1] | different[2] | different[3]) == 0) continue;
        for (std::size_t i = 0; i < 4; ++i) now[i] = then[i];
        changed = true;
    }
    return changed;
}

std::byte* shadow_of([[maybe_unused]] std::byte* page) {
#if defined(XENRIG_ASAN)
    std::size_t scale = 0, offset = 0;
    __asan_get_shadow_mapping(&scale, &offset);
    return reinterpret_cast<std::byte*>((reinterpret_cast<std::uintptr_t>(page) >> scale) + offset);
#else
    return nullptr;
#endif
}

struct Area {
    std::byte* at;
    std::size_t pages;
    /// The shadow as it was, of all pages: it may change before its page does.
    std::byte* shadow;
};

struct Hot {
    std::byte* page;
    std::byte* shadow_now;
    const std::byte* shadow_then;
    std::byte* copy;
    std::uint16_t unchanged;
};

/// From the system, so that the handler and restore() depend on no heap.
template <class T>
T* system_memory(std::size_t count) {
    if (count == 0) return nullptr;
    void* at =
        mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check(at != MAP_FAILED, "there is memory for a picture of the world");
    return static_cast<T*>(at);
}

}  // namespace

struct MemoryImage::Impl {
    Area areas[kAreasMax];
    std::size_t area_count = 0;
    struct {
        std::byte* at;
        std::size_t bytes;
        std::byte then[kSmallBytes];
    } small[kSmallMax];
    std::size_t small_count = 0;
    struct {
        std::byte* at = nullptr;
        std::byte* now = nullptr;
        std::size_t bytes = 0;
    } kept;
    /// With room for all pages of all areas.
    Hot* hot = nullptr;
    std::byte* copies = nullptr;
    std::size_t hot_count = 0, pages = 0;
    Impl* next = nullptr;

    bool written(std::byte* address);
};

bool MemoryImage::Impl::written(std::byte* address) {
    for (std::size_t i = 0; i < area_count; ++i) {
        const Area& area = areas[i];
        if (address < area.at || address >= area.at + area.pages * kPage) continue;
        if (hot_count == pages) return false;
        const std::size_t number = static_cast<std::size_t>(address - area.at) / kPage;
        Hot& h = hot[hot_count];
        h.page = area.at + number * kPage;
        h.shadow_now = shadow_of(h.page);
        h.shadow_then = area.shadow + number * kShadow;
        h.copy = copies + hot_count * kPage;
        h.unchanged = 0;
        copy_bytes(h.copy, h.page, kPage);
        ++hot_count;
        return mprotect(h.page, kPage, PROT_READ | PROT_WRITE) == 0;
    }
    return false;
}

namespace {

/// What catches the faults of all pictures.
struct Catcher {
    MemoryImage::Impl* images = nullptr;
    struct sigaction before;
    stack_t stack_before;
    alignas(16) std::byte stack[1 << 16];
};
Catcher catcher;

void on_fault(int number, siginfo_t* info, void* context) {
    for (MemoryImage::Impl* image = catcher.images; image; image = image->next)
        if (image->written(static_cast<std::byte*>(info->si_addr))) return;
    const struct sigaction& before = catcher.before;
    if ((before.sa_flags & SA_SIGINFO) != 0 && before.sa_sigaction) return before.sa_sigaction(number, info, context);
    signal(SIGSEGV, SIG_DFL);
}

void catch_faults() {
    stack_t stack{};
    stack.ss_sp = catcher.stack;
    stack.ss_size = sizeof catcher.stack;
    check(sigaltstack(&stack, &catcher.stack_before) == 0, "a handler of faults gets a stack of its own");
    struct sigaction action{};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    check(sigaction(SIGSEGV, &action, &catcher.before) == 0, "faults can be caught");
}

void catch_no_faults() {
    sigaction(SIGSEGV, &catcher.before, nullptr);
    sigaltstack(&catcher.stack_before, nullptr);
}

}  // namespace

bool MemoryImage::possible() {
#if defined(XENRIG_ASAN)
    return __asan_get_current_fake_stack() == nullptr;
#else
    return true;
#endif
}

MemoryImage::MemoryImage() : impl_(system_memory<Impl>(1)) {
    if (!catcher.images) catch_faults();
    impl_->next = catcher.images;
    catcher.images = impl_;
}

MemoryImage::~MemoryImage() {
    for (std::size_t i = 0; i < impl_->area_count; ++i) {
        mprotect(impl_->areas[i].at, impl_->areas[i].pages * kPage, PROT_READ | PROT_WRITE);
        if (kShadow != 0 && impl_->pages != 0) munmap(impl_->areas[i].shadow, impl_->areas[i].pages * kShadow);
    }
    if (impl_->kept.bytes != 0) munmap(impl_->kept.now, impl_->kept.bytes);
    if (impl_->pages != 0) {
        munmap(impl_->hot, impl_->pages * sizeof(Hot));
        munmap(impl_->copies, impl_->pages * kPage);
    }
    MemoryImage::Impl** at = &catcher.images;
    while (*at != impl_) at = &(*at)->next;
    *at = impl_->next;
    if (!catcher.images) catch_no_faults();
    munmap(impl_, sizeof *impl_);
}

void MemoryImage::add(std::span<std::byte> pages) {
    check(impl_->area_count < kAreasMax, "a picture has room for a world's areas");
    check(reinterpret_cast<std::uintptr_t>(pages.data()) % kPage == 0, "a picture is of whole pages");
    impl_->areas[impl_->area_count++] = {pages.data(), (pages.size() + kPage - 1) / kPage, nullptr};
}

void MemoryImage::add_small(std::span<std::byte> bytes) {
    check(impl_->small_count < kSmallMax && bytes.size() <= kSmallBytes, "a picture has room for some bytes");
    auto& s = impl_->small[impl_->small_count++];
    s.at = bytes.data();
    s.bytes = bytes.size();
}

void MemoryImage::keep(std::span<std::byte> bytes) {
    if (bytes.empty()) return;
    check(impl_->kept.bytes == 0, "a picture leaves out one piece");
    impl_->kept = {bytes.data(), system_memory<std::byte>(bytes.size()), bytes.size()};
}

void MemoryImage::take() {
    for (std::size_t i = 0; i < impl_->small_count; ++i)
        copy_bytes(impl_->small[i].then, impl_->small[i].at, impl_->small[i].bytes);
    for (std::size_t i = 0; i < impl_->area_count; ++i) impl_->pages += impl_->areas[i].pages;
    impl_->hot = system_memory<Hot>(impl_->pages);
    impl_->copies = system_memory<std::byte>(impl_->pages * kPage);
    for (std::size_t i = 0; i < impl_->area_count; ++i) {
        Area& area = impl_->areas[i];
        if (kShadow != 0) {
            area.shadow = system_memory<std::byte>(area.pages * kShadow);
            for (std::size_t p = 0; p < area.pages; ++p)
                copy_bytes(area.shadow + p * kShadow, shadow_of(area.at + p * kPage), kShadow);
        }
        check(mprotect(area.at, area.pages * kPage, PROT_READ) == 0, "a world's pages can be locked");
    }
}

void MemoryImage::restore() {
    Impl& m = *impl_;
    copy_bytes(m.kept.now, m.kept.at, m.kept.bytes);
    for (std::size_t i = 0; i < m.small_count; ++i) copy_bytes(m.small[i].at, m.small[i].then, m.small[i].bytes);
    for (std::size_t i = 0; i < m.hot_count;) {
        Hot& h = m.hot[i];
        if (kShadow != 0) copy_bytes(h.shadow_now, h.shadow_then, kShadow);
        if (put_right(h.page, h.copy)) {
            h.unchanged = 0;
        } else if (++h.unchanged == kPatience) {
            mprotect(h.page, kPage, PROT_READ);
            Hot& last = m.hot[--m.hot_count];
            // The copies' places change owners with their pages.
            std::byte* const place = h.copy;
            if (&h != &last) {
                h = last;
                copy_bytes(place, last.copy, kPage);
                h.copy = place;
            }
            continue;
        }
        ++i;
    }
    // Where nothing was copied back, nothing has changed, and the page may be locked.
    for (std::size_t i = 0; i < m.kept.bytes; ++i)
        if (m.kept.at[i] != m.kept.now[i]) m.kept.at[i] = m.kept.now[i];
}

}  // namespace xenrig::fuzz
