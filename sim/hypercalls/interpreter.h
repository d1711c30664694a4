// Runs a script on the bare kernels of a scene and answers each operation with a numbered line, to the byte what the
// same script gives under real Xen (docs/howto-hypercalls.md is the language; operations.h what each line does).
//
// A script that takes a kernel's memory away ends with the fault that this is on the real machine, without @@DONE.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sim/hypercalls/operations.h"
#include "sim/hypercalls/scene.h"
#include "sim/hypercalls/script.h"

namespace xenrig::hypercalls {

struct Tally {
    std::uint64_t operations = 0;
    /// Operations that were a hypercall; the others read or write the kernel's own memory.
    std::uint64_t hypercalls = 0;
    /// Hypercalls that Xen did what it was asked by.
    std::uint64_t successes = 0;
};

class Interpreter {
public:
    explicit Interpreter(const KernelKind& kind = kernel_kinds().front());

    /// What is printed before the first operation, and after the last.
    std::string opening();
    std::string closing() const { return faulted_ ? "" : "@@DONE\n"; }
    /// The line's answer with its newline; empty for a line without an operation, and after a fault.
    std::string run_line(std::string_view line);
    Answered run(const Operation& op);

    bool faulted() const { return faulted_; }
    const Tally& tally() const { return tally_; }
    Scene& scene() { return scene_; }

private:
    std::int64_t value_of(const Argument& given, BareKernel& kernel) const;

    Scene scene_;
    Operations subject_;
    /// dom0's, where that is another kernel.
    std::optional<Operations> control_;
    std::array<std::int64_t, kVariables> variables_{};
    std::uint64_t line_ = 0;
    bool faulted_ = false;
    Tally tally_;
};

/// A whole script, from @@START to @@DONE or @@FAULT.
std::string run_script(std::string_view script, Tally* tally = nullptr,
                       const KernelKind& kind = kernel_kinds().front());

}  // namespace xenrig::hypercalls
