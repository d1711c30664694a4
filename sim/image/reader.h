// Reads a saved image that comes in pieces of any size, trusting nothing in it.
//
// A record's type, place and length are judged before its body is awaited, a count before anything is sized by it; no
// more is held than the longest record of its type. Optional records that nobody knows are skipped; mandatory ones are
// an error. Errors say the offset and the record, and after the first the visitor hears nothing more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "xenrig/abi/error.h"

namespace xenrig::image {

class Visitor;

/// What a record may hold at most, where the format leaves it open.
struct Limits {
    std::uint32_t guest_context_bytes = 16u << 20;
    std::uint32_t xenstore_bytes = 64u << 20;
};

class Reader {
public:
    /// The visitor must outlive the reader.
    explicit Reader(Visitor& visitor, Limits limits = {});
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    /// EBADMSG for an image that is damaged, out of order, or none; EOPNOTSUPP for one that Xen could restore and we
    /// cannot. The error stays.
    Result<> feed(std::span<const std::byte> piece);
    /// No more comes. ENODATA when the image was cut off, with the record that is missing or incomplete.
    Result<> finish();

    /// on_end() was called.
    bool done() const;
    /// Bytes taken so far.
    std::uint64_t offset() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace xenrig::image
