// The door in process, and what a socket stands on: a privileged connection as two bounded byte streams.
//
// feed() and take_output() only move bytes and may be called at any time, also while the daemon is serving somebody
// else; the daemon sees them at its next pass. The buffers stand for a socket's: a client that never reads fills its
// own and stops being written to. Bytes: the wire protocol (io/xs_wire.h).
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "sim/xenstore/transport.h"

namespace xenrig::xenstore {

class Connection;
class Daemon;

class StreamDoor final : public Transport {
public:
    /// Bytes that each direction holds at most, as a Linux unix socket does by default.
    static constexpr std::size_t kCapacity = 212'992;

    /// Connects. The daemon must outlive the door. `on_output` is called when there is something to take after there
    /// was nothing, and when the daemon hangs up; it must not call back.
    explicit StreamDoor(Daemon& daemon, std::function<void()> on_output = {});
    StreamDoor(const StreamDoor&) = delete;
    StreamDoor& operator=(const StreamDoor&) = delete;
    /// Hangs up: what was fed but not yet looked at is dropped, as on a closed socket.
    ~StreamDoor() override;

    /// Bytes that feed() would take now.
    std::size_t room() const { return kCapacity - (in_.size() - in_taken_); }
    /// Takes bytes from the client; returns how many there was room for.
    std::size_t feed(std::span<const std::byte> bytes);
    /// Gives bytes to the client; returns how many.
    std::size_t take_output(std::span<std::byte> out);
    /// What waits for take_output(), without taking it.
    std::span<const std::byte> output() const { return std::span(out_).subspan(out_taken_); }
    void discard_output(std::size_t bytes);
    /// For Daemon::adopt: what was fed and what waits to be taken goes over to another daemon.
    Transport& hand_to(Daemon& next) {
        daemon_ = &next;
        return *this;
    }
    /// The daemon hung up: a message that was too long, or a shutdown.
    bool closed() const { return connection_ == nullptr; }
    /// Null once the daemon has hung up.
    const Connection* connection() const { return connection_; }

    std::expected<std::size_t, RingFault> read(std::span<std::byte> out) override;
    std::expected<std::size_t, RingFault> write(std::span<const std::byte> bytes) override;
    bool can_read() override { return in_taken_ != in_.size(); }
    bool can_write() override { return out_.size() - out_taken_ < kCapacity; }
    void taken_over(Connection& connection) override;
    void broken(RingFault) override;

private:
    Daemon* daemon_;
    std::function<void()> on_output_;
    Connection* connection_ = nullptr;
    std::vector<std::byte> in_, out_;
    std::size_t in_taken_ = 0, out_taken_ = 0;
};

}  // namespace xenrig::xenstore
