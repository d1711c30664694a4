// The numbers of the Xen ABI that must not be mixed: domain ids, ports, grant references, frames.
//
// Each is a value of its own type, so a machine frame can't be passed for a guest frame, nor a port for a grant
// reference. They convert to their number only by name (`.value`). Source: xen.h, event_channel.h, grant_table.h.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace xenrig {

template <class Tag, class Rep>
struct Strong {
    using rep = Rep;
    Rep value{};

    constexpr Strong() = default;
    constexpr explicit Strong(Rep v) : value(v) {}
    friend constexpr auto operator<=>(const Strong&, const Strong&) = default;
};

/// domid_t: 0 is the control domain; numbers from 0x7ff0 have special meanings (xen.h).
using DomId = Strong<struct DomIdTag, std::uint16_t>;
/// evtchn_port_t: local to a domain; 0 is never a valid port (event_channel.h).
using Port = Strong<struct PortTag, std::uint32_t>;
/// grant_ref_t: an index into the granting domain's table (grant_table.h).
using GrantRef = Strong<struct GrantRefTag, std::uint32_t>;
/// grant_handle_t: a mapping, local to the domain that mapped (grant_table.h).
using GrantHandle = Strong<struct GrantHandleTag, std::uint32_t>;
/// A frame number in a domain's own, gap-free view of its memory (PV: pfn; HVM: gfn).
using Gfn = Strong<struct GfnTag, std::uint64_t>;
/// A frame number of the machine: changes when a guest moves to another host.
using Mfn = Strong<struct MfnTag, std::uint64_t>;
/// A domain's virtual CPU, from 0.
using VcpuId = Strong<struct VcpuIdTag, std::uint32_t>;

/// Virtual time since the world began; on real platforms the monotonic clock.
struct Nanoseconds {
    std::uint64_t value{};
    friend constexpr auto operator<=>(const Nanoseconds&, const Nanoseconds&) = default;
    friend constexpr Nanoseconds operator+(Nanoseconds a, Nanoseconds b) { return {a.value + b.value}; }
    friend constexpr Nanoseconds operator-(Nanoseconds a, Nanoseconds b) { return {a.value - b.value}; }
};

constexpr Nanoseconds operator""_us(unsigned long long n) { return {n * 1'000}; }
constexpr Nanoseconds operator""_ms(unsigned long long n) { return {n * 1'000'000}; }
constexpr std::size_t operator""_KiB(unsigned long long n) { return n << 10; }
constexpr std::size_t operator""_MiB(unsigned long long n) { return n << 20; }

/// Bytes of a page, for x86 the only granularity of frames and grants.
inline constexpr std::size_t kPageSize = 4096;

}  // namespace xenrig

template <class Tag, class Rep>
struct std::hash<xenrig::Strong<Tag, Rep>> {
    std::size_t operator()(const xenrig::Strong<Tag, Rep>& v) const noexcept { return std::hash<Rep>{}(v.value); }
};
