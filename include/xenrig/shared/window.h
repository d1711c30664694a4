// A window on pages that another domain can change: the only form in which code holds such pages.
//
// A window can't be dereferenced; it is read and written through the door (door.h). Pages need not be neighbours in
// memory: an offset is translated page by page, so a multi-page ring is one window. Offsets are in bytes.
//
// Lifetime: its lease (lease.h). Copying a window copies the view, not the right.
#pragma once

#include <array>
#include <cstddef>

#include "xenrig/abi/check.h"
#include "xenrig/abi/types.h"
#include "xenrig/shared/lease.h"

namespace xenrig::shared {

/// The largest ring that the protocols know: 16 pages (xenbus ring-page-order 4).
inline constexpr std::size_t kWindowPagesMax = 16;

class Window {
public:
    Window() = default;
    Window(std::byte* page, LeasePtr lease) : count_(1), lease_(std::move(lease)) { pages_[0] = page; }

    /// Adds the next page of a window that spans several.
    void append(std::byte* page) {
        check(count_ < kWindowPagesMax, "a window has at most 16 pages");
        pages_[count_++] = page;
    }

    std::size_t size() const { return count_ * kPageSize; }
    explicit operator bool() const { return count_ != 0; }
    const Lease& lease() const { return *lease_; }
    const LeasePtr& lease_ptr() const { return lease_; }

    /// True when [offset, offset + length) lies inside.
    bool contains(std::size_t offset, std::size_t length) const {
        return offset <= size() && length <= size() - offset;
    }

    /// For the door alone. The bytes from `offset` to the end of its page.
    std::byte* host_address(std::size_t offset) const { return pages_[offset / kPageSize] + offset % kPageSize; }

private:
    std::array<std::byte*, kWindowPagesMax> pages_{};
    std::size_t count_ = 0;
    LeasePtr lease_;
};

}  // namespace xenrig::shared
