// The hypercalls that the target `hypercall` knows by their structs: which field of them is a port, a reference, a
// frame, so that a fuzzer's byte is most often one that means something.
//
// Nothing depends on a shape being right: any other bytes are played too. Offsets are those of the 64-bit structs.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace xenrig::fuzz {

enum class Field : std::uint8_t {
    none,
    any,     ///< any_number()
    dom,     ///< a domain's number, or a special one
    port,    ///< small, or an edge of the layouts
    ref,     ///< of a grant
    handle,  ///< of a mapping
    vcpu,
    gfn,     ///< of the caller's memory, or beyond
    frame,   ///< as the caller names frames: gfn, or mfn of its own, a peer's or nobody's
    linear,  ///< the address of a page of the caller's
    memory,  ///< a pointer to further arguments
    entry,   ///< a page-table entry
    slot,    ///< the machine address of a page-table entry, and the kind of update
    count,   ///< 0 to 3, or an edge
};

struct FieldAt {
    Field kind = Field::none;
    std::uint8_t offset = 0, bytes = 0;
};

/// How the operation's number and its struct are passed.
enum class Passing : std::uint8_t {
    op_struct,        ///< number, struct
    op_struct_count,  ///< number, structs, how many
    op_vcpu_struct,   ///< number, vCPU, struct
    op_count_struct,  ///< number, how many, struct
    in_struct,        ///< struct; its first four bytes are the number, then the interface's version
    structs,          ///< structs, how many, how many were done, domain (mmu_update and mmuext_op)
    registers,        ///< the fields are the arguments themselves, 8 bytes each
};

struct Shape {
    std::uint8_t number;
    std::uint32_t operation;
    Passing passing;
    std::uint8_t bytes;
    std::array<FieldAt, 7> fields;
};

std::span<const Shape> shapes();
/// The place of an operation in shapes(), for seeds; checks that there is one.
std::uint8_t shape_of(unsigned number, std::uint32_t operation);

}  // namespace xenrig::fuzz
