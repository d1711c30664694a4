// The acts of a hostile frontend, each with the bytes that are its own.
#include <array>

#include "sim/fuzz/common_acts.h"
#include "sim/fuzz/hostile_frontend.h"
#include "sim/fuzz/peer_values.h"

namespace xenrig::fuzz {

namespace {

constexpr std::array kNodes = {"ring-ref",
                               "event-channel",
                               "protocol",
                               "state",
                               "ring-ref0",
                               "ring-page-order",
                               "num-ring-pages",
                               "multi-queue-num-queues",
                               "ring-ref1",
                               "feature-persistent",
                               "device-type",
                               "queue-0/ring-ref",
                               "queue-1/ring-ref",
                               "queue-0/event-channel",
                               "queue-1/event-channel",
                               "backend",
                               "feature-large-sector-size"};

/// Those of the backend's that no toolstack is believed to keep right; `mode` is.
constexpr std::array kToolstackNodes = {"params",        "type",           "removable", "device-type",
                                        "media-present", "discard-enable", "online"};

constexpr std::array kMedia = {"", "disk0", "there is no such disk", "disk1"};

}  // namespace

void HostileFrontend::write_node(Input& input) {
    const std::string name = kNodes[input.byte() % kNodes.size()];
    nodes_garbled_ =
        nodes_garbled_ || name.find("ring-p") != std::string::npos || name.find("num") != std::string::npos;
    persistent_once_ = persistent_once_ || name == "feature-persistent";
    write(name, any_text(input));
}

void HostileFrontend::many(Input& input) {
    const unsigned n = input.byte() & 63U;
    const std::vector<std::byte> bytes = request(input);
    for (unsigned i = 0; i < n; ++i) put(bytes);
    push(0);
    (void)ring().channel.notify();
}

void HostileFrontend::handshake(Input& input) {
    const std::uint8_t how = input.byte();
    setting_.page_order = how % 5;
    setting_.queues = 1 + (how / 5) % 4;
    setting_.persistent = (how & 0x80U) != 0;
    setting_.x86_32 = (how & 0x40U) != 0;
    reconnect();
}

/// Those that lie about the ring, or about what was said of it, say so to its book.
void HostileFrontend::act(Input& input) {
    const auto act = static_cast<Act>(input.byte() % static_cast<unsigned>(Act::count));
    if (act_in_common<HostileFrontend>(
            act, input, world_, ring().channel, queue_, [this](int further) { push(further); },
            [this](Input& in, bool late) { poke_slot(in, late); }))
        return;
    switch (act) {
        case Act::request:
            return put(request(input));
        case Act::poke_page:
        case Act::late_page:
            return poke_page(input, act == Act::late_page);
        case Act::take_answers:
            return count_answers();
        case Act::many:
            return many(input);
        case Act::end_grant:
            return end_grant(input);
        case Act::regrant:
            return regrant(input);
        case Act::map: {
            const GrantRef ref{gref(input)};
            auto mapped = world_.platform.grants().map(world_.backend, {&ref, 1}, Access::read_write);
            if (mapped) stolen_.push_back(std::move(*mapped));
            return;
        }
        default:
            lie();
            return act_on_ring(act, input);
    }
}

void HostileFrontend::act_on_ring(Act act, Input& input) {
    switch (act) {
        case Act::poke_index:
            return poke_index(ring().window, input);
        case Act::write_node:
            return write_node(input);
        case Act::remove_node:
            return (void)world_.platform.store().rm(StoreTx::none, path_ + '/' + kNodes[input.byte() % kNodes.size()]);
        case Act::state:
            return write("state", any_text(input));
        case Act::close_port:
            return ring().channel.close();
        case Act::new_port:
            if (auto made = world_.platform.events().alloc_unbound(world_.backend, [] {}))
                ring().channel = std::move(*made);
            return;
        case Act::new_ring:
            return make_rings();
        case Act::publish:
            return publish();
        case Act::reconnect:
            reconnect();
            if (!nodes_garbled_ && !store_ring_read_over_)
                for (Ring& r : rings_) r.book.begin();
            return;
        case Act::handshake:
            return handshake(input);
        default:
            return act_on_world(act, input);
    }
}

void HostileFrontend::act_on_world(Act act, Input& input) {
    // Another disk than the one that the rules are about, once it has connected anew.
    if (act == Act::toolstack_node || act == Act::medium) setting_.disk.reset();
    switch (act) {
        case Act::detach:
            return world_.detach(setting_.device);
        case Act::toolstack_node: {
            const std::string node = kToolstackNodes[input.byte() % kToolstackNodes.size()];
            const bool removed = (input.byte() & 1U) != 0;
            auto value = removed ? std::nullopt : std::optional(any_text(input));
            return world_.toolstack_node(setting_.device, node, std::move(value));
        }
        case Act::medium:
            return world_.medium(setting_.device, kMedia[input.byte() % kMedia.size()]);
        case Act::resize: {
            const std::uint64_t sectors = input.byte();
            if (setting_.disk) setting_.disk->sectors = sectors;
            return world_.resize(setting_.device, sectors);
        }
        case Act::fail_hypercall:
            return world_.fail_hypercall(input.byte() & 31U);
        default:
            return;
    }
}

}  // namespace xenrig::fuzz
