#include "sim/fuzz/hypercall_player.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "sim/fuzz/peer_values.h"
#include "sim/hypervisor/guest_access.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::fuzz {

using World = HypercallWorld;

namespace {

constexpr unsigned kCreatedMax = 4;
/// Entries of a multicall, and copies of a struct.
constexpr std::size_t kEntriesMax = 8;

}  // namespace

std::string HypercallPlayer::line(const Note& note) {
    char text[160];
    const auto n = [](std::uint64_t v) { return static_cast<unsigned long long>(v); };
    if (note.what != Note{}.what)
        std::snprintf(text, sizeof text, "%s of d%u", note.what, note.dom.value);
    else
        std::snprintf(text, sizeof text, "d%uv%u hypercall %llu (%#llx, %#llx, %#llx, %#llx) = %lld", note.dom.value,
                      note.vcpu.value, n(note.number), n(note.args[0]), n(note.args[1]), n(note.args[2]),
                      n(note.args[3]), static_cast<long long>(note.result));
    return text;
}

std::vector<std::string> HypercallPlayer::tail() const {
    std::vector<std::string> lines;
    for (std::size_t i = noted_ - std::min(noted_, notes_.size()); i < noted_; ++i)
        lines.push_back(line(notes_[i % notes_.size()]));
    return lines;
}

void HypercallPlayer::perform(const Prepared& call) {
    World::Member& by = caller();
    if (!world_.may_call(by, vcpu_)) return;
    const std::int64_t result = world_.xen().hypercall(by.id, vcpu_, *by.memory, call.number, call.args);
    ++calls_;
    hash_.add(call.number);
    hash_.add(static_cast<std::uint64_t>(result));
    std::array<std::byte, 256> memory;
    const std::span seen = std::span(memory).first(call.bytes);
    // What other domains were told lies in their own memory; this is what the caller was.
    if (world_.alive(by) && by.memory->copy_from_guest(seen.data(), call.memory, seen.size())) hash_.add(seen);
    note({.dom = by.id, .vcpu = vcpu_, .number = call.number, .args = call.args, .result = result});
}

void HypercallPlayer::multicall(Input& input) {
    const std::size_t entries = input.byte() % (kEntriesMax + 1);
    std::array<multicall_entry_t, kEntriesMax> calls{};
    for (std::size_t i = 0; i < entries; ++i) {
        const Prepared one = prepare(input);
        calls[i].op = one.number;
        std::ranges::copy(one.args, calls[i].args);
    }
    const std::uint64_t at = pointer(input, entries * sizeof(multicall_entry_t));
    static_cast<void>(caller().memory->copy_to_guest(at, calls.data(), entries * sizeof(multicall_entry_t)));
    perform({.number = __HYPERVISOR_multicall,
             .args = {at, entries},
             .memory = at,
             .bytes = std::min<std::size_t>(entries * 64, 256)});
}

void HypercallPlayer::poke(Input& input) {
    const std::uint64_t page = input.byte() * kPageSize;
    const std::uint64_t at = page + input.byte() * std::uint64_t{8};
    const std::uint64_t word = value(input, (input.byte() & 1) != 0 ? Field::entry : Field::any);
    if (world_.alive(caller())) static_cast<void>(caller().memory->put(at, word));
}

void HypercallPlayer::entry(Input& input) {
    const std::uint8_t ref = input.byte();
    const DomId to = domain(input.byte());
    const std::uint64_t frame = value(input, Field::frame);
    const std::uint64_t flags = any_number(input);
    if (world_.alive(caller())) world_.grant(caller(), ref, to, frame, static_cast<unsigned>(flags));
}

void HypercallPlayer::bystander(Input& input) {
    World::Member& c = world_.member(World::kBystander);
    const std::uint8_t what = input.byte();
    const std::uint8_t number = input.byte();
    const DomId peer = world_.member(what >> 7 != 0 ? World::kHelper : World::kHostile).id;
    if (!world_.alive(c)) return;
    Hypercalls& calls = world_.xen().hypercalls(c.id, VcpuId{0});
    const auto events = [&](unsigned op, auto arg) {
        calls.call(__HYPERVISOR_event_channel_op, {op, reinterpret_cast<std::uint64_t>(&arg)});
    };
    switch (what % 6) {
        case 0:
            // A page that was a secret before.
            world_.expose(number % 4u);
            return world_.grant(c, 11 + number % 16u, peer, number % 4u, GTF_permit_access);
        case 1:
            return world_.grant(c, 8 + number % 16u, peer, 0, GTF_invalid);
        case 2: {
            // One that maps over a mapping of its own would be ended for it.
            if (world_.xen().lookup(c.id, Gfn{kWindows + number % 8u})) return;
            gnttab_map_grant_ref_t map{};
            map.host_addr = (kWindows + number % 8u) * kPageSize;
            map.flags = GNTMAP_host_map | ((number & 8) != 0 ? GNTMAP_readonly : 0u);
            map.ref = 8 + number / 16u;
            map.dom = peer.value;
            calls.call(__HYPERVISOR_grant_table_op, {GNTTABOP_map_grant_ref, reinterpret_cast<std::uint64_t>(&map), 1});
            return;
        }
        case 3: {
            gnttab_unmap_grant_ref_t unmap{};
            unmap.host_addr = (kWindows + number % 8u) * kPageSize;
            unmap.handle = number / 8u;
            calls.call(__HYPERVISOR_grant_table_op,
                       {GNTTABOP_unmap_grant_ref, reinterpret_cast<std::uint64_t>(&unmap), 1});
            return;
        }
        case 4:
            return events(EVTCHNOP_send, evtchn_send_t{number});
        default:
            return events(EVTCHNOP_close, evtchn_close_t{number});
    }
}

std::vector<DomId> HypercallPlayer::created() const {
    std::vector<DomId> found = world_.xen().domains();
    std::erase_if(found, [&](DomId dom) {
        for (std::size_t which = 0; which <= World::kControl; ++which)
            if (which != World::kHelper && world_.member(which).id == dom) return true;
        return false;
    });
    return found;
}

void HypercallPlayer::create(Input& input) {
    const DomainKind kind(input.byte());
    const std::uint8_t frames = input.byte() % 16u;
    if (created_ == kCreatedMax) return;
    ++created_;
    const auto dom =
        world_.xen().create_domain({.name = "other", .type = kind.type, .bits = kind.bits, .max_frames = frames});
    if (dom) static_cast<void>(world_.xen().populate(*dom, Gfn{0}, frames));
}

void HypercallPlayer::destroy(Input& input) {
    const std::uint8_t which = input.byte();
    const std::vector<DomId> all = created();
    if (all.empty()) return;
    const DomId dom = all[which % all.size()];
    note({.what = "destruction", .dom = dom});
    static_cast<void>(world_.xen().destroy_domain(dom));
}

void HypercallPlayer::toolstack(Input& input) {
    const std::uint8_t what = input.byte();
    hypervisor::Hypervisor& xen = world_.xen();
    const DomId dom = world_.member(what >> 7 != 0 ? World::kHelper : World::kHostile).id;
    constexpr std::array kActs = {"pause", "unpause", "resume", "dirty log's start", "dirty log's end"};
    note({.what = kActs[what % kActs.size()], .dom = dom});
    switch (what % kActs.size()) {
        case 0:
            return static_cast<void>(xen.pause(dom));
        case 1:
            return static_cast<void>(xen.unpause(dom));
        case 2:
            return static_cast<void>(xen.resume(dom));
        case 3:
            return static_cast<void>(xen.enable_log_dirty(dom));
        default:
            static_cast<void>(xen.clean_dirty(dom));
            return xen.disable_log_dirty(dom);
    }
}

void HypercallPlayer::act(Input& input) {
    switch (static_cast<Act>(input.byte() % static_cast<unsigned>(Act::kActs))) {
        case Act::call:
            return perform(prepare(input));
        case Act::any_call: {
            Prepared call{.number = input.byte()};
            for (std::uint64_t& arg : call.args) arg = (input.byte() & 1) != 0 ? pointer(input, 64) : any_number(input);
            return perform(call);
        }
        case Act::multicall:
            return multicall(input);
        case Act::caller: {
            const std::uint8_t who = input.byte();
            caller_ = (who & 1) != 0 ? World::kHelper : World::kHostile;
            vcpu_ = VcpuId{who >> 1 & 1u};
            return;
        }
        case Act::poke:
            return poke(input);
        case Act::entry:
            return entry(input);
        case Act::bystander:
            return bystander(input);
        case Act::create:
            return create(input);
        case Act::destroy:
            return destroy(input);
        case Act::kill:
            note({.what = "kill", .dom = world_.member(World::kHelper).id});
            return static_cast<void>(world_.xen().kill_domain(world_.member(World::kHelper).id));
        case Act::toolstack:
            return toolstack(input);
        case Act::pass: {
            constexpr unsigned kTimersMax = 64;
            return world_.machine().pass(Nanoseconds{any_number(input) % (std::uint64_t{1} << 40)}, kTimersMax);
        }
        case Act::kActs:
            return;
    }
}

}  // namespace xenrig::fuzz
