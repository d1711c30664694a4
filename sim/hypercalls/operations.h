// The operations of a script on one kernel, by topic: what the kernel of tests/interop/real-xen does in C, to the byte
// of what it prints.
//
// au bi bv ip cl se um bc pr rs st (event channels), fi fx fw fh fm fd (the FIFO ABI), mask bits clr (bits in
// shared_info), ge gx gf (entries, version 1), gv g2 g3 gt gs (version 2), gm gu gc gq tr (map, unmap, copy,
// query_size, transfer), pw prd mw mr (bytes of pages and windows), w2 w4 w8 r2 r4 r8 (words of pages), hc (any
// hypercall by number).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/hypercalls/bare_kernel.h"

namespace xenrig::hypercalls {

using Arguments = std::array<std::int64_t, 10>;

/// An operation's answer as the kernel has it.
struct Answered {
    std::string line;  ///< behind the operation's name: " rc=0 port=1"
    bool well = true;
    bool asked_xen = false;
    /// The variable gets the number: not after a hypercall that failed, but a failed map stores a handle that is none.
    bool keeps = true;
    std::int64_t number = 0;  ///< a port or a handle
    /// The kernel's own memory was gone.
    bool faulted = false;

    /// " name=value" in decimal, or in hexadecimal.
    void say(const char* name, std::int64_t value);
    void say_hex(const char* name, std::uint64_t value);
};

class Operations {
public:
    /// Masks all events first.
    explicit Operations(BareKernel& kernel);

    /// " ?" for a name that nobody knows.
    Answered run(std::string_view name, const Arguments& a);
    BareKernel& kernel() { return kernel_; }

private:
    /// Each knows some names: false for another one.
    bool event(std::string_view name, const Arguments& a, Answered& out);
    bool fifo(std::string_view name, const Arguments& a, Answered& out);
    bool bits(std::string_view name, const Arguments& a, Answered& out);
    bool entry(std::string_view name, const Arguments& a, Answered& out);
    bool grant(std::string_view name, const Arguments& a, Answered& out);
    bool bytes(std::string_view name, const Arguments& a, Answered& out);
    bool words(std::string_view name, const Arguments& a, Answered& out);
    /// A word that names a frame, which no answer may show: it is another one on each machine.
    bool machine_words(std::string_view name, const Arguments& a, Answered& out);

    bool load(std::uint64_t address, void* to, std::size_t bytes, Answered& out);
    void store(std::uint64_t address, const void* from, std::size_t bytes, Answered& out);
    /// At most 512 bytes, all alike.
    void fill(std::uint64_t address, std::uint8_t value, std::size_t bytes, Answered& out);
    template <class Op>
    Op ask_event(unsigned operation, Op op, Answered& out);
    void status(const Arguments& a, Answered& out);
    /// A port's word in the FIFO's array; null where there is none yet.
    std::uint32_t* word_of(std::uint32_t port);
    void mask_word(const Arguments& a, Answered& out);
    void take_event(const Arguments& a, Answered& out);
    void map(const Arguments& a, Answered& out);
    void unmap(const Arguments& a, Answered& out);
    void copy(const Arguments& a, Answered& out);
    void query_size(const Arguments& a, Answered& out);
    void transfer(const Arguments& a, Answered& out);
    void set_version(const Arguments& a, Answered& out);
    void write_entry(std::uint64_t entry, std::string_view name, const Arguments& a, Answered& out);
    /// A page by its number, or a frame.
    std::uint64_t frame_named(std::int64_t page) const;

    BareKernel& kernel_;
    /// What the kernel believes of its 16 windows.
    enum class Window : std::uint8_t { unmapped, read_only, writable };
    std::array<Window, 16> windows_{};
    /// The pages of the FIFO's event array in their order, and where the first vCPU's control block is.
    std::vector<std::byte*> array_;
    std::byte* control_ = nullptr;
};

/// 16 pages and 16 windows go by their number; what is no such number is an address or a frame.
inline bool is_index(std::int64_t v) { return v >= 0 && v < 16; }

inline std::uint16_t u16(std::int64_t v) { return static_cast<std::uint16_t>(v); }
inline std::uint32_t u32(std::int64_t v) { return static_cast<std::uint32_t>(v); }

}  // namespace xenrig::hypercalls
