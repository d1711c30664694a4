// Inputs of the target `hypercall` in words: each function appends an act (sim/fuzz/hypercall_player.h) as the target
// will read it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <tuple>
#include <vector>

#include "sim/fuzz/hypercall_player.h"
#include "sim/fuzz/peer_values.h"

namespace xenrig::fuzz {

class HypercallScript {
public:
    using Act = HypercallPlayer::Act;
    using Place = HypercallPlayer::Place;

    explicit HypercallScript(unsigned hostile = 0, unsigned helper = 0) { byte(hostile).byte(helper); }

    /// The bytes of the struct's fields in their order, one each (hypercall_shapes.cpp); a pointer; then how many, or
    /// which vCPU, where the operation has that.
    using Bytes = std::vector<int>;
    HypercallScript& call(unsigned number, unsigned operation, const Bytes& fields, int at = 0,
                          const Bytes& further = {}) {
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
    HypercallScript& shape(unsigned number, unsigned operation, const Bytes& fields, int at = 0,
                           const Bytes& further = {}) {
        return byte(shape_of(number, operation)).all(fields).byte(static_cast<unsigned>(at)).all(further);
    }
    HypercallScript& end_multicall(int at = 0) { return byte(static_cast<unsigned>(at)); }
    /// Any number as a field's bytes: one byte below kFirstEdge, or all of it.
    static Bytes number(std::uint64_t value) {
        if (value < kFirstEdge) return {static_cast<int>(value)};
        Bytes bytes{0xff};
        for (unsigned i = 0; i < 8; ++i) bytes.push_back(static_cast<int>(value >> 8 * i & 0xff));
        return bytes;
    }
    /// Fields of several bytes one after the other.
    static Bytes fields(std::initializer_list<Bytes> all) {
        Bytes bytes;
        for (const Bytes& f : all) bytes.insert(bytes.end(), f.begin(), f.end());
        return bytes;
    }
    /// An operation's number and a pointer: what lies there is its struct.
    HypercallScript& any_call(unsigned number, unsigned operation, int at) {
        act(Act::any_call).byte(number).byte(0).byte(operation).byte(1).byte(static_cast<unsigned>(at));
        for (unsigned left = std::tuple_size_v<HypercallArgs> - 2; left != 0; --left) byte(0).byte(0);
        return *this;
    }
    HypercallScript& by_helper(unsigned vcpu = 0) { return act(Act::caller).byte(1 | vcpu << 1); }
    HypercallScript& by_hostile(unsigned vcpu = 0) { return act(Act::caller).byte(vcpu << 1); }
    HypercallScript& entry(unsigned ref, unsigned to, unsigned frame, unsigned flags) {
        return act(Act::entry).byte(ref).byte(to).byte(frame).byte(flags);
    }
    HypercallScript& entry(unsigned ref, unsigned to, const Bytes& frame, const Bytes& flags) {
        return act(Act::entry).byte(ref).byte(to).all(frame).all(flags);
    }
    /// A frame's field that holds this number, whatever it is.
    static Bytes frame_number(std::uint64_t value) {
        constexpr int kAny = 0xe0;
        return fields({{kAny}, number(value)});
    }
    HypercallScript& poke(unsigned page, unsigned word, unsigned value) {
        return act(Act::poke).byte(page).byte(word).byte(0).byte(value);
    }
    HypercallScript& poke(unsigned page, unsigned word, const Bytes& value) {
        return act(Act::poke).byte(page).byte(word).byte(0).all(value);
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
    HypercallScript& all(const Bytes& values) {
        for (const int value : values) byte(static_cast<unsigned>(value));
        return *this;
    }
    HypercallScript& byte(unsigned value) {
        bytes_ += static_cast<char>(value);
        return *this;
    }

    std::string bytes_;
};

}  // namespace xenrig::fuzz
