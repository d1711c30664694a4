// The structs of Xen's interface that hold a pointer or a frame number and are therefore not the same for a 32- and a
// 64-bit caller, by the width of the caller's word (grant_table.h, memory.h).
#pragma once

#include <cstdint>

namespace xenrig::hypercalls {

template <class Word>
struct SetupTable {
    std::uint16_t dom;
    std::uint32_t nr_frames;
    std::int16_t status;
    Word frame_list;
};

template <class Word>
struct CopySide {
    Word ref;
    std::uint16_t domid, offset;
};
template <class Word>
struct Copy {
    CopySide<Word> source, dest;
    std::uint16_t len, flags;
    std::int16_t status;
};

template <class Word>
struct Transfer {
    Word mfn;
    std::uint16_t domid;
    std::uint32_t ref;
    std::int16_t status;
};

template <class Word>
struct AddToPhysmap {
    std::uint16_t domid, size;
    std::uint32_t space;
    Word idx, gpfn;
};

static_assert(sizeof(SetupTable<std::uint64_t>) == 24 && sizeof(SetupTable<std::uint32_t>) == 16);
static_assert(sizeof(Copy<std::uint64_t>) == 40 && sizeof(Copy<std::uint32_t>) == 24);
static_assert(sizeof(Transfer<std::uint64_t>) == 24 && sizeof(Transfer<std::uint32_t>) == 16);
static_assert(sizeof(AddToPhysmap<std::uint64_t>) == 24 && sizeof(AddToPhysmap<std::uint32_t>) == 16);

}  // namespace xenrig::hypercalls
