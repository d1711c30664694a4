// What carries a connection's bytes: a stream in process, a socket, or a guest's ring page.
//
// The daemon calls a transport from its own loop only. A transport never blocks: it moves what it can now and says how
// much that was. Sources: docs/misc/xenstore.txt, docs/misc/xenstore-ring.txt, io/xs_wire.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>

namespace xenrig::xenstore {

class Connection;

/// Why a ring connection is broken: the `error` field of its page (xs_wire.h, XENSTORE_ERROR_*).
enum class RingFault : std::uint32_t { none = 0, communication = 1, bad_index = 2, protocol = 3 };

class Transport {
public:
    virtual ~Transport() = default;

    /// Moves up to `out.size()` bytes from the client; returns how many. A fault breaks the connection.
    virtual std::expected<std::size_t, RingFault> read(std::span<std::byte> out) = 0;
    /// Moves up to `bytes.size()` bytes to the client; returns how many.
    virtual std::expected<std::size_t, RingFault> write(std::span<const std::byte> bytes) = 0;
    virtual bool can_read() = 0;
    virtual bool can_write() = 0;
    /// A daemon that goes on from another's state now serves it, as this connection.
    virtual void taken_over(Connection&) {}
    /// The daemon will neither read nor write any more. A socket is closed; a ring page stays mapped and shows `why`.
    virtual void broken(RingFault why) = 0;
};

/// The transport of a guest. Its connection outlives a break: only RELEASE or the domain's death ends it.
class RingTransport : public Transport {
public:
    /// INTRODUCE: both directions start empty, and a guest that waits for a reconnection is told that it is there.
    virtual void reset() = 0;
    /// Features that the page shows to the guest (XENSTORE_SERVER_FEATURE_*).
    virtual void set_features(std::uint32_t bits) = 0;
    /// The guest asks for a new connection (XENSTORE_RECONNECT), which reset() gives it.
    virtual bool wants_reset() = 0;
};

}  // namespace xenrig::xenstore
