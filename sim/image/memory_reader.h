// The libxc stream inside an image: headers, then records up to END.
//
// A machine of steps, each of which takes one part of known length from the Input, or leaves all as it is when that has
// not come yet. Errors are bare sentences; whoever drives the steps adds the Place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sim/image/content.h"
#include "sim/image/record_order.h"
#include "xenrig/abi/error.h"

namespace xenrig::image {

class Input;
class Visitor;
struct Place;

class MemoryReader {
public:
    MemoryReader(Input& in, Visitor& visitor, Place& place);

    /// False when it needs more bytes.
    Result<bool> step() { return (this->*step_)(); }
    /// END was read: the next byte is not ours.
    bool done() const { return done_; }

private:
    using Step = Result<bool> (MemoryReader::*)();

    Result<bool> image_header();
    Result<bool> domain_header();
    Result<bool> record_header();
    Result<bool> body();
    Result<bool> skip();
    Result<bool> page_count();
    Result<bool> pfns();
    Result<bool> pages();

    Result<> apply(std::span<const std::byte> body);
    Result<> apply_pv_info(std::span<const std::byte> body);
    Result<> apply_p2m_frames(std::span<const std::byte> body);
    Result<> apply_hvm_params(std::span<const std::byte> body);
    Result<> apply_machine_state(std::span<const std::byte> body);
    Result<> deliver_pages();

    Input& in_;
    Visitor& visitor_;
    Place& place_;
    Step step_ = &MemoryReader::image_header;
    bool done_ = false;
    std::optional<MemoryOrder> order_;
    std::uint8_t guest_width_ = 0;

    LibxcRecord type_{};
    std::uint32_t length_ = 0;
    std::uint64_t to_skip_ = 0;

    std::vector<std::uint64_t> pfns_;  ///< of the PAGE_DATA being read
    std::size_t next_pfn_ = 0;
    std::vector<Page> batch_;  ///< understood, and not yet delivered
};

}  // namespace xenrig::image
