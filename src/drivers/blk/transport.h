// What a frontend publishes of its rings, read afresh at each connection and held against what was offered
// (io/blkif.h, "Request Transport Parameters" and "Multiple hardware queues/rings").
#pragma once

#include <vector>

#include "xenrig/drivers/blk/blkback.h"
#include "xenrig/drivers/blk/command.h"

namespace xenrig::blk {

struct FrontendTransport {
    struct Queue {
        std::vector<GrantRef> refs;
        Port port;
    };
    Layout layout = Layout::x86_64;
    bool persistent = false;
    std::vector<Queue> queues;
};

/// EINVAL with the node's path when one is garbled or beyond what was offered, ENOENT when one is missing.
Result<FrontendTransport> read_transport(const xenbus::Endpoint& device, const BlkbackOptions& offered);

}  // namespace xenrig::blk
