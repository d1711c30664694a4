#include "sim/hypervisor/linear_space.h"

#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/page_walk.h"

namespace xenrig::hypervisor {

std::optional<Mfn> LinearSpace::frame(Gfn gfn) const {
    const auto at = walk(*domain_.vcpus.front(), base_ + gfn.value * kPageSize);
    if (!at || !at->entry.present() || !domain_.host.memory.allocated(at->entry.mfn())) return std::nullopt;
    return at->entry.mfn();
}

std::byte* LinearSpace::page(Gfn gfn) {
    const auto mfn = frame(gfn);
    return mfn ? domain_.host.memory.page(*mfn) : nullptr;
}

void LinearSpace::mark_dirty(Gfn gfn) {
    if (!domain_.dirty.enabled()) return;
    const MachineMemory& memory = domain_.host.memory;
    if (const auto mfn = frame(gfn); mfn && memory.owner(*mfn) == domain_.id && memory.kind(*mfn) == FrameKind::ram)
        domain_.dirty.mark(memory.gfn(*mfn));
}

Gfn LinearSpace::machine_to_phys(Mfn mfn) const {
    static_assert(kNowhere == kNoGfn);
    return domain_.host.memory.machine_to_phys(mfn);
}

}  // namespace xenrig::hypervisor
