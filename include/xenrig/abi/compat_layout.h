// The structs of hypercalls that a 32-bit caller lays out in another way than a 64-bit one: where each field lies in
// either, and which pointer leads to what.
//
// Structs without a pointer, a frame number or an unsigned long are the same in both and are not named here
// (xen/common/compat, include/xlat.lst).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace xenrig {

struct CompatLayout;

/// How long the list behind a pointer is: the 4 bytes at `count` of the 64-bit struct say so. Of elements that are
/// alike in both, each has `bytes`.
struct CompatList {
    std::uint16_t count;
    std::uint16_t bytes = 0;
};

/// A number, widened with zeros on its way in and cut on its way out; or a pointer, which is only read.
struct CompatField {
    std::uint16_t native, compat;
    std::uint8_t native_bytes, compat_bytes;
    /// `answers`: a pointer to a list that only takes answers; that one can't be written, nobody is told.
    enum Kind : std::uint8_t { number, pointer, answers } kind = number;
    /// What elements a pointer leads to, when they are not alike in both.
    const CompatLayout* to = nullptr;
    /// Null where the struct does not say, or where it is a place that is used when the call is over.
    const CompatList* list = nullptr;

    bool is_pointer() const { return kind != number; }
};

struct CompatLayout {
    const char* name;
    std::uint16_t native_size, compat_size;
    std::span<const CompatField> fields;
};

/// The argument of a hypercall that points to such a struct, or to an array of them.
struct CompatArgument {
    std::size_t index;
    const CompatLayout* layout;
};

/// Null when the operation's struct, if it has one, is the same for both.
const CompatArgument* compat_argument(unsigned number, std::uint64_t operation);
/// All of them, for a test that compares them with what a 32-bit compiler says.
std::span<const CompatLayout* const> compat_layouts();

}  // namespace xenrig
