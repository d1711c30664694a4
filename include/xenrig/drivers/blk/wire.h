// What goes over a block device's ring, in the terms of io/blkif.h: its structs, and its numbers as types.
//
// All sectors are units of 512 bytes, whatever the disk's own sector size is (Xen's development head; the header of
// 4.17 can also be read as units of `sector-size`).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <xen/io/blkif.h>

#include "xenrig/abi/types.h"

namespace xenrig::blk {

using Request = blkif_request_t;
using Response = blkif_response_t;

/// How a compiler laid out the structs of a ring. They differ in alignment: an i386 aligns a u64 to four bytes.
enum class Layout : std::uint8_t { x86_64, x86_32 };

/// Bytes of a request in the ring.
constexpr std::size_t request_bytes(Layout layout) { return layout == Layout::x86_64 ? 112 : 108; }
constexpr std::size_t response_bytes(Layout layout) { return layout == Layout::x86_64 ? 16 : 12; }

/// An entry's bytes, aligned as in the ring.
template <Layout layout>
struct alignas(layout == Layout::x86_64 ? 8 : 4) RequestBytes {
    std::array<std::byte, request_bytes(layout)> bytes;
};
template <Layout layout>
struct alignas(layout == Layout::x86_64 ? 8 : 4) ResponseBytes {
    std::array<std::byte, response_bytes(layout)> bytes;
};

/// Bytes of a unit; a page has eight.
inline constexpr std::size_t kUnit = 512;
inline constexpr unsigned kUnitsPerPage = kPageSize / kUnit;
inline constexpr unsigned kSegmentsMax = BLKIF_MAX_SEGMENTS_PER_REQUEST;

/// Operations that both of our ends know; indirect is a form of read and write.
enum class Op : std::uint8_t {
    read = BLKIF_OP_READ,
    write = BLKIF_OP_WRITE,
    barrier = BLKIF_OP_WRITE_BARRIER,
    flush = BLKIF_OP_FLUSH_DISKCACHE,
    discard = BLKIF_OP_DISCARD,
};

enum class Status : std::int16_t {
    okay = BLKIF_RSP_OKAY,
    error = BLKIF_RSP_ERROR,
    not_supported = BLKIF_RSP_EOPNOTSUPP,
};

/// All bytes zero, those between the fields too: nothing of our own memory goes to the peer. In place, because a copy
/// of a struct need not carry its padding.
template <class Message>
void clear(Message& m) {
    std::memset(static_cast<void*>(&m), 0, sizeof m);
}

}  // namespace xenrig::blk
