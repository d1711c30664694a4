// Inputs of the target `hypercall` in words: each function appends an act (sim/fuzz/hypercall_player.h) as the target
// will read it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "sim/fuzz/hypercall_player.h"

namespace xenrig::fuzz {

class HypercallScript {
public:
    using Act = HypercallPlayer::Act;
    using Place = HypercallPlayer::Place;

    explicit HypercallScript(unsigned hostile = 0, unsigned helper = 0) { byte(hostile).byte(helper); }

    /// The bytes of the struct's fields in their order, one each (hypercall_shapes.cpp); a pointer; then how many, or
    /// which vCPU, where the operation has that.
    HypercallScript& call(unsigned number, unsigned operation, std::initializer_list<int> fields, int at = 0,
                          std::initializer_list<int> further = {}) {
        return act(Act::call).shape(number, operation, fields, at, further);
    }
    /// Bytes behind a pointer, so that what follows points to them as well.
    static int pointer(Place place, int which = 0) { return static_cast<int>(place) | which << 3; }
    /// With zeroes in all its fields, one struct of it.
    HypercallScript& mildest(const Shape& shape) {
        act(Act::call).byte(static_cast<unsigned>(&shape - shapes().data()));
        for (const FieldAt& f : shape.fields)
            for (unsigned n = f.kind == Field::none    ? 0
                              : f.kind == Field::entry ? 2
                              : f.kind == Field::slot  ? 3
                                                       : 1;
                 n != 0; --n)
                byte(0);
        if (shape.passing == Passing::registers) return *this;
        if (shape.passing == Passing::in_struct) byte(0);
        byte(0);
        if (shape.passing == Passing::structs) byte(0).byte(0).byte(0);
        const bool one_further = shape.passing == Passing::op_struct_count ||
                                 shape.passing == Passing::op_vcpu_struct || shape.passing == Passing::op_count_struct;
        return one_further ? byte(0) : *this;
    }
    HypercallScript& begin_multicall(int entries) { return act(Act::multicall).byte(static_cast<unsigned>(entries)); }
    HypercallScript& shape(unsigned number, unsigned operation, std::initializer_list<int> fields, int at = 0,
                           std::initializer_list<int> further = {}) {
        byte(shape_of(number, operation));
        for (const int f : fields) byte(static_cast<unsigned>(f));
        byte(static_cast<unsigned>(at));
        for (const int f : further) byte(static_cast<unsigned>(f));
        return *this;
    }
    HypercallScript& end_multicall(int at = 0) { return byte(static_cast<unsigned>(at)); }
    /// Arguments of up to 223 each.
    HypercallScript& any_call(unsigned number, std::initializer_list<int> args) {
        act(Act::any_call).byte(number);
        std::size_t left = 5;
        for (const int a : args) byte(0).byte(static_cast<unsigned>(a)), --left;
        while (left-- != 0) byte(0).byte(0);
        return *this;
    }
    HypercallScript& by_helper(unsigned vcpu = 0) { return act(Act::caller).byte(1 | vcpu << 1); }
    HypercallScript& by_hostile(unsigned vcpu = 0) { return act(Act::caller).byte(vcpu << 1); }
    HypercallScript& entry(unsigned ref, unsigned to, unsigned frame, unsigned flags) {
        return act(Act::entry).byte(ref).byte(to).byte(frame).byte(flags);
    }
    HypercallScript& poke(unsigned page, unsigned word, unsigned value) {
        return act(Act::poke).byte(page).byte(word).byte(0).byte(value);
    }
    /// An entry of a page table: the frame, and small flags.
    HypercallScript& poke_entry(unsigned page, unsigned word, unsigned flags, unsigned frame) {
        return act(Act::poke).byte(page).byte(word).byte(1).byte(flags).byte(frame);
    }
    HypercallScript& bystander(unsigned what, unsigned number) { return act(Act::bystander).byte(what).byte(number); }
    HypercallScript& create(unsigned kind, unsigned frames) { return act(Act::create).byte(kind).byte(frames); }
    HypercallScript& destroy(unsigned which) { return act(Act::destroy).byte(which); }
    HypercallScript& kill_helper() { return act(Act::kill); }
    HypercallScript& toolstack(unsigned what) { return act(Act::toolstack).byte(what); }
    HypercallScript& pass(unsigned time) { return act(Act::pass).byte(time); }
    /// What was appended since the kinds of domains, so many times.
    HypercallScript& times(unsigned n) {
        const std::string acts = bytes_.substr(2);
        while (n-- > 1) bytes_ += acts;
        return *this;
    }
    const std::string& bytes() const { return bytes_; }

private:
    HypercallScript& act(Act a) { return byte(static_cast<unsigned>(a)); }
    HypercallScript& byte(unsigned value) {
        bytes_ += static_cast<char>(value);
        return *this;
    }

    std::string bytes_;
};

}  // namespace xenrig::fuzz
