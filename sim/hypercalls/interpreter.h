// Runs a script on a bare kernel and answers each operation with a numbered line, to the byte what the same script
// gives under real Xen.
//
// Operations: au bi bv ip cl se um bc pr rs st (event channels), mask bits clr (their bits in shared_info), ge gx gf
// (grant entries), gm gu gc gq (map, unmap, copy, query_size), pw prd mw mr (bytes of pages and windows), w2 w4 w8 r2
// r4 r8 (words of pages), hc (any hypercall by number; its structs are made in pages, its pointers are @page).
//
// A script that takes the kernel's memory away ends with the fault that this is on the real machine, without @@DONE.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "sim/hypercalls/bare_kernel.h"
#include "sim/hypercalls/script.h"

namespace xenrig::hypercalls {

struct Tally {
    std::uint64_t operations = 0;
    /// Operations that were a hypercall; the others read or write the kernel's own memory.
    std::uint64_t hypercalls = 0;
    /// Hypercalls that Xen did what it was asked by.
    std::uint64_t successes = 0;
};

/// An operation's answer as the kernel has it.
struct Answered {
    std::string line;  ///< behind the operation's name: " rc=0 port=1"
    bool well = true;
    bool asked_xen = false;
    std::int64_t number = 0;  ///< a port or a handle
};

class Interpreter {
public:
    Interpreter();

    /// What the kernel prints before the first operation, and after the last.
    static std::string opening();
    std::string closing() const { return faulted_ ? "" : "@@DONE\n"; }
    /// The line's answer with its newline; empty for a line without an operation, and after a fault.
    std::string run_line(std::string_view line);
    Answered run(const Operation& op);

    bool faulted() const { return faulted_; }
    const Tally& tally() const { return tally_; }
    BareKernel& kernel() { return kernel_; }

private:
    using Arguments = std::array<std::int64_t, 10>;
    bool event(std::string_view name, const Arguments& a, Answered& out);
    bool bits(std::string_view name, const Arguments& a, Answered& out);
    bool entry(std::string_view name, const Arguments& a, Answered& out);
    bool grant(std::string_view name, const Arguments& a, Answered& out);
    bool any_hypercall(std::string_view name, const Arguments& a, Answered& out);
    bool words(std::string_view name, const Arguments& a, Answered& out);
    std::int64_t value_of(const Argument& given) const;
    bool bytes(std::string_view name, const Arguments& a, Answered& out);
    void status(const Arguments& a, Answered& out);
    void map(const Arguments& a, Answered& out);
    void copy(const Arguments& a, Answered& out);

    BareKernel kernel_;
    std::array<std::int64_t, kVariables> variables_{};
    /// What the kernel believes of its 16 windows.
    enum class Window : std::uint8_t { unmapped, read_only, writable };
    std::array<Window, 16> windows_{};
    std::uint64_t line_ = 0;
    bool faulted_ = false;
    Tally tally_;
};

/// A whole script, from @@START to @@DONE or @@FAULT.
std::string run_script(std::string_view script, Tally* tally = nullptr);

}  // namespace xenrig::hypercalls
