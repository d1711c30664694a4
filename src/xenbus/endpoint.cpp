#include "xenrig/xenbus/endpoint.h"

#include "xenrig/xenbus/nodes.h"

namespace xenrig::xenbus {

namespace {

/// "Look again": the answer of move_to() when the directory is no longer what this end left there. The number is one
/// that the store never gives.
std::unexpected<Error> look_again(std::string why) { return fail(Errno::restart, std::move(why)); }

const char* peer_path_node(Side side) { return side == Side::frontend ? "/backend" : "/frontend"; }

bool ends(State s) { return s == State::closing || s == State::closed; }

}  // namespace

Result<Peer> read_peer(Store& store, Side side, const std::string& path) {
    const std::string node = path + peer_path_node(side);
    auto where = store.read(StoreTx::none, node);
    if (!where) return fail(where.error().code, "reading " + node);
    if (where->empty() || where->front() != '/')
        return fail(Errno::inval, node + " is '" + *where + "', not an absolute path");
    auto domain = read_number(store, node + "-id", 0x7fef);
    if (!domain) return std::unexpected(domain.error());
    return Peer{DomId(static_cast<std::uint16_t>(*domain)), std::move(*where)};
}

Result<> Endpoint::begin() {
    auto peer = read_peer(store_, side_, path_);
    if (!peer) return std::unexpected(peer.error());
    return begin(std::move(*peer));
}

Result<> Endpoint::begin(Peer peer) {
    auto state = store_.read(StoreTx::none, node("state"));
    if (!state) return fail(state.error().code, "reading " + node("state"));
    peer_ = std::move(peer);
    state_ = parse_state(*state);
    return {};
}

void Endpoint::look_at_peer() {
    ++looks_;
    auto node = store_.read(StoreTx::none, peer_node("state"));
    peer_state_ = node ? parse_state(*node) : State::unknown;
}

Standing Endpoint::look() {
    auto node = store_.read(StoreTx::none, this->node("state"));
    if (!node) return node.error().code == Errno::noent ? Standing::gone : Standing::ours;
    const State now = parse_state(*node);
    if (now == state_) return Standing::ours;
    if (ends(now)) {
        state_ = State::closing;
        return Standing::told_to_close;
    }
    return now == State::initialising ? Standing::replaced : Standing::ours;
}

Result<> Endpoint::move_to(State next, const std::function<Result<>(StoreTx)>& nodes) {
    Result<> moved = store_.transaction([&](StoreTx tx) -> Result<> {
        auto now = store_.read(tx, node("state"));
        if (!now) return look_again("the device is gone");
        const State found = parse_state(*now);
        if (found != state_ && ((ends(found) && !ends(next)) || found == State::initialising))
            return look_again(std::string("the device was moved to ") + name(found));
        auto where = store_.read(tx, path_ + peer_path_node(side_));
        if (!where || *where != peer_.path) return look_again("the device has another peer");

        if (nodes)
            if (auto written = nodes(tx); !written) return written;
        return store_.write(tx, node("state"), to_node(next));
    });
    if (moved) state_ = next;
    return moved;
}

void Endpoint::write_error(const Error& e) const {
    const std::string text = std::to_string(static_cast<unsigned>(e.code)) + ' ' + e.message;
    (void)store_.write(StoreTx::none, "error/" + path_ + "/error", text);
}

}  // namespace xenrig::xenbus
