#include "sim/protocols/blk/raw_ring.h"

#include <cstring>

#include "xenrig/shared/door.h"

namespace xenrig::blk {

static_assert(RawRing::kSlot == sizeof(union blkif_sring_entry));
static_assert(RawRing::kFirst == offsetof(blkif_sring_t, ring));
static_assert(RawRing::kSize == __CONST_RING_SIZE(blkif, kPageSize));

std::uint32_t RawRing::load(Word w) const {
    return shared::load<std::uint32_t>(page_, static_cast<std::size_t>(w), shared::Fetch::poll);
}

void RawRing::store(Word w, std::uint32_t value) {
    shared::store<std::uint32_t>(page_, static_cast<std::size_t>(w), value);
}

blkif_request_t RawRing::request(std::uint32_t index) const {
    shared::new_decision();
    if (!i386()) return shared::fetch<blkif_request_t>(page_, place(index));
    auto request = blank_request();
    auto* const to = reinterpret_cast<std::byte*>(&request);
    shared::copy_out(page_, place(index), to, kGap);
    shared::copy_out(page_, place(index) + kGap, to + 2 * kGap, slot_bytes_ - kGap);
    return request;
}

void RawRing::put(std::uint32_t index, const blkif_request_t& request) {
    const auto* const from = reinterpret_cast<const std::byte*>(&request);
    if (!i386()) return shared::copy_in(page_, place(index), from, sizeof request);
    shared::copy_in(page_, place(index), from, kGap);
    shared::copy_in(page_, place(index) + kGap, from + 2 * kGap, slot_bytes_ - kGap);
}

blkif_response_t RawRing::response(std::uint32_t index) const {
    shared::new_decision();
    auto response = blank_response();
    shared::copy_out(page_, place(index), &response, sizeof response - (i386() ? kGap : 0));
    return response;
}

void RawRing::put(std::uint32_t index, const blkif_response_t& response) {
    shared::copy_in(page_, place(index), &response, sizeof response - (i386() ? kGap : 0));
}

std::vector<std::byte> RawRing::bytes(std::size_t offset, std::size_t length) const {
    shared::new_decision();
    std::vector<std::byte> out(length);
    shared::copy_out(page_, offset, out.data(), length);
    return out;
}

void RawRing::write(std::size_t offset, std::span<const std::byte> bytes) {
    shared::copy_in(page_, offset, bytes.data(), bytes.size());
}

void RawRing::fill(std::size_t offset, std::size_t length, std::uint8_t value) {
    write(offset, std::vector<std::byte>(length, std::byte{value}));
}

void RawRing::initialise() {
    store(Word::req_prod, 0);
    store(Word::rsp_prod, 0);
    store(Word::req_event, 1);
    store(Word::rsp_event, 1);
    constexpr std::size_t kPvt = 16;
    fill(kPvt, kFirst - kPvt, 0);
}

blkif_request_t blank_request() {
    blkif_request_t r;
    std::memset(&r, 0, sizeof r);
    return r;
}

blkif_response_t blank_response() {
    blkif_response_t r;
    std::memset(&r, 0, sizeof r);
    return r;
}

std::vector<std::byte> sector_pattern(std::uint64_t sector, std::uint64_t sectors) {
    constexpr std::size_t kSector = 512;
    std::vector<std::byte> out(sectors * kSector);
    for (std::size_t at = 0; at < out.size(); at += 8) {
        const std::uint64_t word = (sector + at / kSector) * 0x9e3779b97f4a7c15ull + at % kSector;
        std::memcpy(&out[at], &word, sizeof word);
    }
    return out;
}

}  // namespace xenrig::blk
