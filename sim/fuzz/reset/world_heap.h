// A heap that can forget: while a world runs, all that this program allocates comes from one piece of address space,
// upwards, and a mark says how far back to go.
//
// Its objects stand one after the other and are not used again before the heap goes back to its mark, so
// AddressSanitizer, which it tells what is allocated, sees every access to a freed one. Replaces this program's
// operator new and delete: linked only into programs that fuzz. Threads: one world, on one thread; other allocations
// are malloc's.
#pragma once

#include <cstddef>
#include <span>

namespace xenrig::fuzz {

class WorldHeap {
public:
    /// From now on, operator new takes from here; pause() and resume() nest nowhere.
    static void resume();
    static void pause();

    /// What was allocated since the last mark stays from now on, in whole pages; everything above is forgotten by
    /// back_to_mark().
    static std::span<std::byte> mark();
    static void back_to_mark();

    /// As operator new and delete do it.
    static void* allocate(std::size_t bytes, std::size_t align);
    static void free(void* at);
    static bool holds(const void* at);
    /// Of what it holds, as it was asked for.
    static std::size_t size_of(void* at);

    /// Bytes of what is allocated at this time.
    static std::size_t in_use();
};

}  // namespace xenrig::fuzz
