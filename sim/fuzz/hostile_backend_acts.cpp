// The acts of a hostile backend, each with the bytes that are its own.
#include <array>

#include "sim/fuzz/common_acts.h"
#include "sim/fuzz/hostile_backend.h"
#include "sim/fuzz/peer_values.h"

namespace xenrig::fuzz {

namespace {

constexpr std::array kNodes = {"state",
                               "sectors",
                               "sector-size",
                               "physical-sector-size",
                               "info",
                               "feature-barrier",
                               "feature-flush-cache",
                               "feature-discard",
                               "discard-granularity",
                               "discard-alignment",
                               "discard-secure",
                               "feature-persistent",
                               "feature-max-indirect-segments",
                               "max-ring-page-order",
                               "max-ring-pages",
                               "multi-queue-max-queues",
                               "online",
                               "frontend",
                               "frontend-id"};

}  // namespace

void HostileBackend::user(Input& input) {
    constexpr unsigned kKinds = 6, kSecureDiscard = 5, kSegmentsMax = 40;
    UserWish wish{.device = setting_.device};
    const unsigned kind = input.byte() % kKinds;
    wish.secure = kind == kSecureDiscard;
    wish.kind = wish.secure ? blk::BlkOp::Kind::discard : static_cast<blk::BlkOp::Kind>(kind);
    wish.sector = any_number(input);
    const std::uint8_t size = input.byte();
    if (wish.kind == blk::BlkOp::Kind::discard) {
        wish.units = size;
        wish.segments = 0;
    } else if (wish.kind == blk::BlkOp::Kind::flush) {
        wish.segments = 0;
    } else {
        wish.segments = 1u + size % kSegmentsMax;
        wish.last = (size & 0x80U) != 0 ? 0 : 7;
    }
    world_.users.ask(wish);
}

void HostileBackend::leave() {
    world_.late.clear();
    queues_.clear();
    queues_.resize(1);
}

void HostileBackend::act(Input& input) {
    const auto act = static_cast<Act>(input.byte() % static_cast<unsigned>(Act::count));
    if (act_in_common<HostileBackend>(
            act, input, world_, queue().channel, queue_, [this](int further) { push(further); },
            [this](Input& in, bool late) { poke_slot(in, late); }))
        return;
    switch (act) {
        case Act::user:
            return user(input);
        case Act::serve:
            return serve();
        case Act::take:
            return take(1u + (input.byte() & 31U));
        case Act::answer:
            return answer(input);
        case Act::answer_any:
            return answer_any(input);
        case Act::keep_page:
            return keep_page(input);
        case Act::poke_page:
            return poke_page(input);
        case Act::let_go:
            return kept_.clear();
        case Act::fail_hypercall:
            return world_.fail_hypercall(input.byte() & 31U);
        case Act::hold:
            return world_.users.ask({.what = UserWish::What::hold, .device = setting_.device});
        case Act::eject:
            return world_.users.ask({.what = UserWish::What::eject, .device = setting_.device});
        default:
            honest_ = false;
            fresh_ = fresh_ && act == Act::connect;
            return act_on_device(act, input);
    }
}

void HostileBackend::act_on_device(Act act, Input& input) {
    switch (act) {
        case Act::poke_index:
            garbled_ = true;
            return poke_index(queue().mapping.window(), input);
        case Act::leave:
            return leave();
        case Act::join:
            return join();
        case Act::close_port:
            return queue().channel.close();
        case Act::replug:
            leave();
            taken_.clear();
            fresh_ = true;
            return world_.replug(setting_.device);
        case Act::connect:
            return connect();
        case Act::detach:
            return world_.detach(setting_.device);
        default:
            return act_on_store(act, input);
    }
}

void HostileBackend::act_on_store(Act act, Input& input) {
    switch (act) {
        case Act::write_node: {
            const std::string node = kNodes[input.byte() % kNodes.size()];
            return write(node, any_text(input));
        }
        case Act::remove_node: {
            const std::string node = kNodes[input.byte() % kNodes.size()];
            return (void)world_.platform.store().rm(StoreTx::none, path_ + '/' + node);
        }
        case Act::state:
            return write("state", any_text(input));
        case Act::handshake: {
            const std::uint8_t how = input.byte();
            setting_.page_order = how % 5;
            setting_.queues = 1 + (how / 5) % 4;
            setting_.persistent = (how & 0x80U) != 0;
            setting_.features = (how & 0x40U) != 0;
            return offer();
        }
        default:
            return;
    }
}

}  // namespace xenrig::fuzz
