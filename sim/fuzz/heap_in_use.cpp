#include "sim/fuzz/heap_in_use.h"

#if defined(XENRIG_ASAN) || defined(XENRIG_TSAN)
#include <sanitizer/allocator_interface.h>
#else
#include <malloc.h>
#endif

namespace xenrig::fuzz {

namespace {
std::size_t (*own_count)() = nullptr;
}

void count_heap_by(std::size_t (*count)()) { own_count = count; }

std::size_t heap_in_use() {
    if (own_count) return own_count();
#if defined(XENRIG_ASAN) || defined(XENRIG_TSAN)
    return __sanitizer_get_current_allocated_bytes();
#else
    // Pieces beyond the threshold are mapped, and counted by themselves.
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#endif
}

}  // namespace xenrig::fuzz
