// A guest's door: struct xenstore_domain_interface in a page of the guest (io/xs_wire.h).
//
// Two byte rings of 1024 bytes and, behind them, the server's features, the connection state and the error field. The
// guest may write any byte at any time: each index is loaded once for a decision, and indices more than a ring apart
// break this connection (XENSTORE_ERROR_RINGIDX) and hurt nobody else. A read or a write moves one contiguous piece,
// as xenstored's do, and is followed by an event.
//
// Lifetime: the window's lease must outlive the door. Threads: the daemon's.
#pragma once

#include <functional>

#include "sim/xenstore/transport.h"
#include "xenrig/shared/window.h"

namespace xenrig::xenstore {

class RingDoor final : public RingTransport {
public:
    /// `notify` sends the event of the domain's store channel.
    RingDoor(shared::Window page, std::function<void()> notify);

    std::expected<std::size_t, RingFault> read(std::span<std::byte> out) override;
    std::expected<std::size_t, RingFault> write(std::span<const std::byte> bytes) override;
    bool can_read() override;
    bool can_write() override;
    void broken(RingFault why) override;
    void reset() override;
    void set_features(std::uint32_t bits) override;
    bool wants_reset() override;

private:
    shared::Window page_;
    std::function<void()> notify_;
    bool shows_errors_ = false;
};

}  // namespace xenrig::xenstore
