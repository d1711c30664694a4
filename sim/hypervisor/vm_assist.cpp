// __HYPERVISOR_vm_assist (domain.c: do_vm_assist, vm_assist; x86/domain.c: arch_vm_assist_valid_mask). Of the types
// that a guest may turn on one has an effect here: VMASST_TYPE_runstate_update_flag (runstate.h).
#include "sim/hypervisor/call.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

namespace {

std::uint64_t valid_types(const Domain& d) {
    constexpr auto bit = [](unsigned type) { return std::uint64_t{1} << type; };
    constexpr std::uint64_t kRunstate = bit(VMASST_TYPE_runstate_update_flag);
    constexpr std::uint64_t kPv = bit(VMASST_TYPE_4gb_segments) | bit(VMASST_TYPE_4gb_segments_notify) |
                                  bit(VMASST_TYPE_writable_pagetables) | bit(VMASST_TYPE_pae_extended_cr3) |
                                  bit(VMASST_TYPE_architectural_iopl) | kRunstate | bit(VMASST_TYPE_m2p_strict);
    if (d.translated()) return kRunstate;
    return d.config.bits == 32 ? kPv & 0xffffffff : kPv;
}

}  // namespace

std::int64_t vm_assist(Call& call) {
    const auto command = static_cast<std::uint32_t>(call.arg(0)), type = static_cast<std::uint32_t>(call.arg(1));
    if (type >= 64 || (valid_types(call.domain) >> type & 1) == 0) return -error(Errno::inval);
    const std::uint64_t bit = std::uint64_t{1} << type;
    switch (command) {
        case VMASST_CMD_enable:
            call.domain.vm_assist |= bit;
            return 0;
        case VMASST_CMD_disable:
            call.domain.vm_assist &= ~bit;
            return 0;
        default:
            return -error(Errno::nosys);
    }
}

}  // namespace xenrig::hypervisor
