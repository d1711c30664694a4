// What the hostile domain passes: structs out of a fuzzer's bytes, and the pointers to them.
#include <array>
#include <cstring>

#include "sim/fuzz/hypercall_player.h"
#include "sim/fuzz/peer_values.h"
#include "sim/hypervisor/guest_access.h"
#include "sim/hypervisor/tools_abi.h"

namespace xenrig::fuzz {

using World = HypercallWorld;

DomId HypercallPlayer::domain(std::uint8_t byte) const {
    constexpr std::array<std::uint16_t, 8> kSpecial = {DOMID_SELF,    DOMID_IO,   DOMID_XEN, DOMID_COW,
                                                       DOMID_INVALID, DOMID_IDLE, 0xffff,    77};
    if (byte == 0) return DomId{DOMID_SELF};
    if (byte <= 4) return world_.member(byte - 1u).id;
    if (byte < 0x40) return DomId{byte};
    return DomId{kSpecial[byte % kSpecial.size()]};
}

std::uint64_t HypercallPlayer::page_table_entry(Input& input) {
    // Present, writable, user, accessed, dirty, large, global: what a guest may ask for, and the frame.
    const std::uint64_t flags = any_number(input);
    return value(input, Field::frame) << 12 | (flags & 0xfff) | (flags >> 12 & 1) << 63;
}

std::uint64_t HypercallPlayer::value(Input& input, Field kind) {
    const auto edge = [&](std::uint64_t small) { return small < kFirstEdge ? small : 0 - (small - kFirstEdge); };
    switch (kind) {
        case Field::none:
            return 0;
        case Field::any:
            return any_number(input);
        case Field::dom:
            return domain(input.byte()).value;
        case Field::port:
        case Field::ref:
        case Field::vcpu:
            return any_number(input);
        case Field::handle:
            return edge(input.byte());
        case Field::gfn: {
            constexpr std::array<std::uint64_t, 6> kEdges = {(1u << 27) - 1, 1u << 27, 1ull << 40,
                                                             1ull << 52,     ~0ull,    512};
            const std::uint8_t byte = input.byte();
            return byte < 250 ? byte : kEdges[byte - 250u];
        }
        case Field::frame: {
            const std::uint8_t byte = input.byte();
            if (byte < 0x60) return world_.frame_name(caller(), byte);
            if (byte < 0x80) return world_.frame_name(world_.member(World::kHelper), byte - 0x60u);
            if (byte < 0x90) return world_.xen().lookup(world_.member(World::kBystander).id, Gfn{byte - 0x80u})->value;
            if (byte < 0xe0) return world_.xen().memory().first().value + byte - 0x90u;
            return any_number(input);
        }
        case Field::linear: {
            const std::uint8_t byte = input.byte();
            return byte == 0xff ? any_number(input) : byte * kPageSize;
        }
        case Field::memory:
            return pointer(input, 64);
        case Field::entry:
            return page_table_entry(input);
        case Field::slot: {
            const std::uint64_t table = value(input, Field::frame);
            const std::uint64_t index = input.byte();
            return table << 12 | index << 3 | (input.byte() & 7u);
        }
        case Field::count: {
            const std::uint8_t byte = input.byte();
            return byte < 0xc0 ? byte % 8 : any_number(input);
        }
    }
    return 0;
}

std::uint64_t HypercallPlayer::pointer(Input& input, std::size_t bytes) {
    const std::uint8_t byte = input.byte();
    const std::uint64_t which = byte >> 3;
    constexpr std::uint64_t kHoleAt = kHole * kPageSize;
    switch (static_cast<Place>(byte & 7)) {
        case Place::fresh:
            if (next_ + bytes > kHoleAt) next_ = 0;
            last_pointer_ = next_;
            next_ = (next_ + bytes + 63) & ~std::uint64_t{63};
            break;
        case Place::same:
            last_pointer_ += which;
            break;
        case Place::crooked:
            last_pointer_ = 1 + which * 129;
            break;
        case Place::across:
            last_pointer_ = (1 + which % (kArgumentPages - 1)) * kPageSize - 1 - which;
            break;
        case Place::into_hole:
            last_pointer_ = kHoleAt - 1 - which;
            break;
        case Place::granted:
            last_pointer_ = (kGranted + which % 4) * kPageSize;
            break;
        case Place::mapped:
            last_pointer_ = (kWindows + which) * kPageSize + which;
            break;
        case Place::any:
            return any_number(input);
    }
    return last_pointer_;
}

HypercallPlayer::Prepared HypercallPlayer::prepare(Input& input) {
    const Shape& shape = shapes()[input.byte() % shapes().size()];
    Prepared call{.number = shape.number, .bytes = shape.bytes};
    if (shape.passing == Passing::registers) {
        for (const FieldAt& f : shape.fields)
            if (f.kind != Field::none && f.offset / 8u < call.args.size())
                call.args[f.offset / 8u] = value(input, f.kind);
        return call;
    }
    std::array<std::byte, 256> bytes{};
    for (const FieldAt& f : shape.fields) {
        const std::uint64_t v = value(input, f.kind);
        std::memcpy(bytes.data() + f.offset, &v, f.bytes);
    }
    if (shape.passing == Passing::in_struct) {
        // The interface's version, which is the same number for both, unless this byte says another one.
        static_assert(XEN_DOMCTL_INTERFACE_VERSION == XEN_SYSCTL_INTERFACE_VERSION);
        const std::uint32_t version = input.byte() == 0xff ? 0u : XEN_DOMCTL_INTERFACE_VERSION;
        std::memcpy(bytes.data() + 4, &version, sizeof version);
    }
    call.memory = pointer(input, shape.bytes);
    static_cast<void>(caller().memory->copy_to_guest(call.memory, bytes.data(), shape.bytes));
    switch (shape.passing) {
        case Passing::op_struct:
            call.args = {shape.operation, call.memory};
            break;
        case Passing::op_struct_count:
            call.args = {shape.operation, call.memory, 0};
            {
                // One most often; the others are what lies behind it.
                const std::uint64_t count = value(input, Field::count);
                call.args[2] = count == 0 ? 1 : count - 1;
            }
            break;
        case Passing::op_vcpu_struct:
            call.args = {shape.operation, value(input, Field::vcpu), call.memory};
            break;
        case Passing::op_count_struct:
            call.args = {shape.operation, any_number(input), call.memory};
            break;
        case Passing::in_struct:
            call.args = {call.memory};
            break;
        case Passing::structs: {
            const std::uint64_t count = value(input, Field::count);
            const std::uint64_t done = input.byte() & 1 ? pointer(input, 4) : 0;
            call.args = {call.memory, count == 0 ? 1 : count - 1, done, domain(input.byte()).value};
            break;
        }
        case Passing::registers:
            break;
    }
    return call;
}

}  // namespace xenrig::fuzz
