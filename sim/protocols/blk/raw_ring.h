// The pages of a block device's ring as bytes that a script reads and writes as it likes (xen/io/ring.h,
// xen/io/blkif.h).
//
// Nothing is checked here and no index is kept: whoever scripts a peer breaks rules on purpose. Offsets and layouts are
// libxen-dev's own structs, not those of the drivers that are held against them. Orders of accesses are the caller's.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <xen/io/blkif.h>

#include "xenrig/shared/window.h"

namespace xenrig::blk {

class RawRing {
public:
    /// Of a ring of one page.
    static constexpr std::uint32_t kSize = 32;
    static constexpr std::size_t kFirst = 64;
    static constexpr std::size_t kSlot = 112;

    enum class Word : std::size_t {
        req_prod = offsetof(blkif_sring_t, req_prod),
        req_event = offsetof(blkif_sring_t, req_event),
        rsp_prod = offsetof(blkif_sring_t, rsp_prod),
        rsp_event = offsetof(blkif_sring_t, rsp_event),
    };

    RawRing() = default;
    /// `i386`: requests have 108 bytes and responses 12, because a u64 is aligned to four.
    explicit RawRing(shared::Window page, bool i386 = false)
        : page_(std::move(page)), slot_bytes_(i386 ? kSlot - kGap : kSlot) {}

    explicit operator bool() const { return static_cast<bool>(page_); }
    const shared::Window& page() const { return page_; }

    /// Entries: as many as fit, rounded down to a power of two.
    std::uint32_t size() const {
        return static_cast<std::uint32_t>(std::bit_floor((page_.size() - kFirst) / slot_bytes_));
    }

    std::uint32_t load(Word w) const;
    void store(Word w, std::uint32_t value);

    /// Of the native ring of one page.
    static std::size_t slot(std::uint32_t index) { return kFirst + kSlot * (index % kSize); }
    std::size_t place(std::uint32_t index) const { return kFirst + slot_bytes_ * (index % size()); }
    blkif_request_t request(std::uint32_t index) const;
    void put(std::uint32_t index, const blkif_request_t& request);
    blkif_response_t response(std::uint32_t index) const;
    void put(std::uint32_t index, const blkif_response_t& response);

    std::vector<std::byte> bytes(std::size_t offset, std::size_t length) const;
    void write(std::size_t offset, std::span<const std::byte> bytes);
    void fill(std::size_t offset, std::size_t length, std::uint8_t value);

    /// XEN_FRONT_RING_INIT: producers 0, events 1, zeros in what is left of the header.
    void initialise();

private:
    /// What an i386 leaves out before the first u64 of a request, and behind a response.
    static constexpr std::size_t kGap = 4;
    bool i386() const { return slot_bytes_ != kSlot; }

    shared::Window page_;
    std::size_t slot_bytes_ = kSlot;
};

/// A request or response with every byte 0, those between its fields too.
blkif_request_t blank_request();
blkif_response_t blank_response();

/// What sector `n` of every scripted disk holds: 512 bytes that no other sector has.
std::vector<std::byte> sector_pattern(std::uint64_t sector, std::uint64_t sectors = 1);

}  // namespace xenrig::blk
