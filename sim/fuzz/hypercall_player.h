// The hostile domain's acts in the target `hypercall`, one byte each with its own arguments.
//
// Structs and pointers come from the shapes (hypercall_shapes.h) or from any bytes; they lie in the caller's own
// pages, where a pointer may be crooked, end in a hole, or be the same as another one.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "sim/fuzz/hypercall_shapes.h"
#include "sim/fuzz/hypercall_world.h"
#include "sim/fuzz/input.h"
#include "xenrig/abi/hypercall.h"

namespace xenrig::fuzz {

class HypercallPlayer {
public:
    enum class Act : std::uint8_t {
        call,       ///< of a shape
        any_call,   ///< any number, any registers
        multicall,  ///< of shapes
        caller,     ///< who calls from now on, on which vCPU
        poke,       ///< a word of the caller's pages
        entry,      ///< a grant entry of the caller's
        bystander,  ///< it grants, revokes, maps, sends or closes
        create,     ///< by the toolstack: another domain
        destroy,    ///< by the toolstack: the helper or a domain made since
        kill,       ///< the helper's vCPUs stop, and it still holds what it held
        toolstack,  ///< pause, unpause, resume, start or stop the dirty log
        pass,       ///< time goes by
        kActs,
    };
    /// Where a pointer leads, in the lowest three bits of its byte; the rest is which of them.
    enum class Place : std::uint8_t { fresh, same, crooked, across, into_hole, granted, mapped, any };

    explicit HypercallPlayer(HypercallWorld& world) : world_(world) {}

    void act(Input& input);
    std::uint64_t calls() const { return calls_; }
    /// Of all answers, and what the caller finds in the structs.
    std::uint64_t hash() const { return hash_.value(); }
    /// The last acts, oldest first, a line each.
    std::vector<std::string> tail() const;

private:
    struct Prepared {
        unsigned number = 0;
        HypercallArgs args{};
        std::uint64_t memory = 0;
        std::size_t bytes = 0;
    };
    HypercallWorld::Member& caller() { return world_.member(caller_); }
    Prepared prepare(Input& input);
    void perform(const Prepared& call);
    void multicall(Input& input);
    void poke(Input& input);
    void entry(Input& input);
    void bystander(Input& input);
    void create(Input& input);
    void destroy(Input& input);
    void toolstack(Input& input);

    std::uint64_t value(Input& input, Field kind);
    std::uint64_t pointer(Input& input, std::size_t bytes);
    std::uint64_t page_table_entry(Input& input);
    DomId domain(std::uint8_t byte) const;
    /// By the toolstack, not one of those of the beginning.
    std::vector<DomId> created() const;
    struct Note {
        const char* what = "hypercall";
        DomId dom{};
        VcpuId vcpu{};
        std::uint64_t number = 0;
        HypercallArgs args{};
        std::int64_t result = 0;
    };
    static std::string line(const Note& note);
    void note(const Note& note) { notes_[noted_++ % notes_.size()] = note; }

    HypercallWorld& world_;
    std::size_t caller_ = HypercallWorld::kHostile;
    VcpuId vcpu_{0};
    /// The next byte of the argument pages that nothing was put at, and the last pointer.
    std::uint64_t next_ = 0, last_pointer_ = 0;
    unsigned created_ = 0;
    std::uint64_t calls_ = 0;
    Hash hash_;
    std::array<Note, 40> notes_{};
    std::size_t noted_ = 0;
};

}  // namespace xenrig::fuzz
