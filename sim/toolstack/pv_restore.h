// A PV guest's way out of a saved image into a new domain, with other machine frames than it had (tools/libs/guest:
// xg_sr_restore_x86_pv.c).
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "sim/toolstack/toolstack.h"

namespace xenrig::toolstack {

/// Fills a new, paused domain that has no memory yet, by the control domain's hypercalls; in a task of it. The store's
/// port. EBADMSG for an image that is damaged, cut off, another Guest's, or says what no PV guest's memory can be.
Result<Port> restore_pv(Host& host, DomId domain, std::span<const std::byte> saved, std::string_view guest);

}  // namespace xenrig::toolstack
