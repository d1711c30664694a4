// One request on the ring, as its task waits for it; and what goes into messages (xs_wire.h, misc/xenstore.txt).
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "xenrig/abi/error.h"
#include "xenrig/guest/xenstore_client.h"

extern "C" {
#include <xen/io/xs_wire.h>
}

namespace xenrig::guest {

struct XenstoreClient::Request {
    Request(std::uint32_t type, std::string_view payload);

    /// Of an ERROR reply, in the daemon's spelling; EINVAL for a name that nobody knows.
    Error error() const;

    /// "READ device/vbd": for reports and errors.
    const std::string what;
    WaitQueue done;
    bool answered = false;
    std::uint32_t reply_type = 0;
    std::string reply;
};

struct XenstoreClient::Registration {
    std::string path;
    WatchHandler handler;
    /// The daemon has it: a new one must be told.
    bool registered = false;
};

/// A request or a whole watch(): held back while the store is suspended, and waited for by a suspend. A task within a
/// transaction is let through, since the suspend waits for its end.
class XenstoreClient::Use {
public:
    explicit Use(XenstoreClient& store) : store_(store) {
        const std::lock_guard held(store.lock_);
        store.gate_.wait(store.lock_, [&] { return !store.suspending_ || !store.transactions_.empty(); });
        ++store.users_;
    }
    ~Use() {
        const std::lock_guard held(store_.lock_);
        if (--store_.users_ == 0) store_.quiet_.wake_all();
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

private:
    XenstoreClient& store_;
};

/// The strings of "<a>|<b>|…", each ended by a nul. False when the last one isn't ended.
bool split_strings(std::string_view body, std::vector<std::string>& out);

/// "<path>|" as a request carries it.
inline std::string with_nul(std::string_view text) { return std::string(text) + '\0'; }

}  // namespace xenrig::guest
