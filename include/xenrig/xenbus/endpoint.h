// One end of a device in the store: its own directory, the other end's, and the state node between them.
//
// The directories are the toolstack's: it makes them, replaces them and removes them, at any time and without asking.
// So every change of state is a transaction that looks first whether the directory is still there, still names the same
// peer, and still has the state that we left in it. What is gone is not made again, and what was replaced is not
// written to.
//
// Threads: used by the device's service task alone.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "xenrig/platform/store.h"
#include "xenrig/xenbus/state.h"

namespace xenrig::xenbus {

enum class Side : std::uint8_t { frontend, backend };

/// Who the other end of a device is: `backend` and `backend-id` (or `frontend` and `frontend-id`) in its directory.
struct Peer {
    DomId domain;
    /// Absolute.
    std::string path;
    friend bool operator==(const Peer&, const Peer&) = default;
};

/// ENOENT while the toolstack has not written the nodes; EINVAL when they are garbled.
Result<Peer> read_peer(Store& store, Side side, const std::string& path);

/// What an end finds in its own state node.
enum class Standing : std::uint8_t {
    /// What it wrote there.
    ours,
    /// Somebody, the toolstack as a rule, wants the device closed; state() is closing now.
    told_to_close,
    /// The directory was made anew: another device of the same name.
    replaced,
    gone,
};

class Endpoint {
public:
    /// `path`: "device/vbd/51712" or "backend/vbd/1/51712", relative to the own domain's home.
    Endpoint(Store& store, Side side, std::string path) : store_(store), side_(side), path_(std::move(path)) {}

    Store& store() const { return store_; }
    Side side() const { return side_; }
    const std::string& path() const { return path_; }
    const Peer& peer() const { return peer_; }
    std::string node(std::string_view name) const { return path_ + '/' + std::string(name); }
    std::string peer_node(std::string_view name) const { return peer_.path + '/' + std::string(name); }

    /// What this end last wrote, or was told.
    State state() const { return state_; }

    /// Begins anew, with nothing remembered: reads who the peer is, and the own state.
    Result<> begin();
    /// The same, when the peer has just been read.
    Result<> begin(Peer peer);

    /// The peer's state when look_at_peer() last looked.
    State peer_state() const { return peer_state_; }
    void look_at_peer();
    /// How often it looked: more, when the peer may have written the same state again.
    std::uint64_t looks() const { return looks_; }

    /// Looks at the own state node.
    Standing look();

    /// In one transaction, repeated as often as the store asks: `nodes(tx)` writes what belongs to the new state, then
    /// the state. ENOENT when the device is gone or replaced, EBUSY when the own state node changed under us; the next
    /// look() tells which.
    Result<> move_to(State next, const std::function<Result<>(StoreTx)>& nodes = {});

    /// `error/<path>/error`: "<number> <message>", for the person who runs the toolstack.
    void write_error(const Error& e) const;

private:
    Store& store_;
    Side side_;
    std::string path_;
    Peer peer_;
    State state_ = State::unknown;
    State peer_state_ = State::unknown;
    std::uint64_t looks_ = 0;
};

}  // namespace xenrig::xenbus
