// How a hypercall reaches the memory of its caller: the only way in which its arguments are read and its answers
// written.
//
// An argument is copied in once and judged on the copy, since the caller's other vCPUs run on meanwhile. Addresses are
// guest virtual ones; who the caller is decides what that means (C++ code in this process, later a program or a kernel
// in another one), so there is one implementation for each kind of caller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace xenrig::hypervisor {

class GuestAccess {
public:
    virtual ~GuestAccess() = default;
    /// The width of the caller's word, which says how its structs are laid out: 64, or 32 (compat.h).
    virtual unsigned bits() const { return 64; }
    /// Who called, below a translation of its structs; and what it calls an address of the translation.
    virtual GuestAccess& caller() { return *this; }
    virtual std::uint64_t callers(std::uint64_t address) const { return address; }
    /// False when a byte of it can't be read: the hypercall's answer is EFAULT.
    [[nodiscard]] virtual bool copy_from_guest(void* to, std::uint64_t from, std::size_t bytes) = 0;
    [[nodiscard]] virtual bool copy_to_guest(std::uint64_t to, const void* from, std::size_t bytes) = 0;

    /// The same caller's memory when the call is over, for a place that the hypervisor writes to again and again; null
    /// where that can't be had.
    virtual GuestAccess* lasting() { return nullptr; }

    template <class T>
    [[nodiscard]] bool fetch(T& out, std::uint64_t from) {
        static_assert(std::is_trivially_copyable_v<T>);
        return copy_from_guest(&out, from, sizeof out);
    }
    template <class T>
    [[nodiscard]] bool put(std::uint64_t to, const T& value) {
        static_assert(std::is_trivially_copyable_v<T>);
        return copy_to_guest(to, &value, sizeof value);
    }
};

/// For guests that are C++ code of this process: an address is one of ours. The first 64 KiB and what no user address
/// can be fault, as in a guest that has nothing mapped there.
class ProcessAccess final : public GuestAccess {
public:
    [[nodiscard]] bool copy_from_guest(void* to, std::uint64_t from, std::size_t bytes) override;
    [[nodiscard]] bool copy_to_guest(std::uint64_t to, const void* from, std::size_t bytes) override;
    GuestAccess* lasting() override;
};

}  // namespace xenrig::hypervisor
