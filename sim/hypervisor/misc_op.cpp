// The small hypercalls: console_io (console.c), callback_op and set_callbacks (pv/callback.c) and multicall
// (multicall.c).
#include <algorithm>
#include <array>

#include "sim/hypervisor/call.h"
#include "sim/hypervisor/canonical.h"
#include "sim/hypervisor/compat.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

namespace {
/// Of what nobody has taken yet, this much is kept at least, and at most twice as much.
constexpr std::size_t kConsoleMax = 128_KiB;
}  // namespace

std::int64_t console_io(Call& call) {
    constexpr std::uint32_t kWrite = CONSOLEIO_write, kRead = CONSOLEIO_read;
    const auto op = static_cast<std::uint32_t>(call.arg(0));
    if (!call.domain.privileged() && !(call.host.config.verbose_debug && op == kWrite)) return -error(Errno::perm);
    // Nobody types. More characters than can be answered are too many to ask for.
    if (op == kRead) return static_cast<std::int32_t>(call.arg(1)) < 0 ? -error(Errno::toobig) : 0;
    if (op != kWrite) return -error(Errno::nosys);
    std::array<char, 128> part;
    std::uint64_t at = call.arg(2);
    for (auto left = static_cast<std::uint32_t>(call.arg(1)); left != 0;) {
        const auto n = std::min<std::uint32_t>(left, part.size());
        if (!call.guest.copy_from_guest(part.data(), at, n)) return -error(Errno::fault);
        call.host.console.write({part.data(), n});
        std::string& text = call.domain.console;
        text.append(part.data(), n);
        if (text.size() > 2 * kConsoleMax) text.erase(0, text.size() - kConsoleMax);
        left -= n, at += n;
    }
    return 0;
}

/// Where a PV guest wants to be called. Its runner makes the call, so that of all but events and their failure it is
/// only looked at.
std::int64_t callback_op(Call& call) {
    if (call.domain.translated()) return -error(Errno::nosys);
    const auto op = static_cast<std::uint32_t>(call.arg(0));
    const bool narrow = call.domain.config.bits == 32;
    if (op != CALLBACKOP_register && op != CALLBACKOP_unregister) return -error(narrow ? Errno::inval : Errno::nosys);
    // Both structs begin with the type and its flags.
    callback_register_t handler{};
    const bool whole = op == CALLBACKOP_register;
    if (!call.guest.copy_from_guest(&handler, call.arg(1), whole ? sizeof handler : sizeof(callback_unregister_t)))
        return -error(Errno::fault);
    const std::uint64_t address = handler.address;
    if (whole && !narrow && !canonical(address)) return -error(Errno::inval);
    switch (handler.type) {
        case CALLBACKTYPE_event:
            if (whole) call.vcpu.event_callback = address;
            return whole ? 0 : -error(Errno::inval);
        case CALLBACKTYPE_failsafe:
            if (whole) call.vcpu.failsafe_callback = address;
            return whole ? 0 : -error(Errno::inval);
        case CALLBACKTYPE_syscall:
            // The instruction that 64-bit programs enter their kernel by.
            if (narrow) return -error(Errno::nosys);
            [[fallthrough]];
        case CALLBACKTYPE_sysenter:
        case CALLBACKTYPE_syscall32:
            return whole ? 0 : -error(Errno::inval);
        case CALLBACKTYPE_nmi:
            return 0;
        default:
            return -error(Errno::nosys);
    }
}

/// The older way to say it: of a 32-bit guest each address comes behind its code segment.
std::int64_t set_callbacks(Call& call) {
    if (call.domain.translated()) return -error(Errno::nosys);
    const bool wide = call.domain.config.bits == 64;
    const std::uint64_t event = call.arg(wide ? 0 : 1), failsafe = call.arg(wide ? 1 : 3);
    if (canonical(event)) call.vcpu.event_callback = event;
    if (canonical(failsafe)) call.vcpu.failsafe_callback = failsafe;
    return 0;
}

namespace {

/// hypercall_preempt_check(): something waits for the vCPU to come out of the hypervisor.
bool preempted(const Vcpu& v) { return v.upcall_pending() || v.blocked || !v.shutdown_over; }

}  // namespace

std::int64_t multicall(Call& call) {
    if (call.vcpu.in_multicall) return -error(Errno::inval);
    const auto count = static_cast<std::uint32_t>(call.arg(1));
    // A list of 32-bit words stands translated where no guest's can (compat.h), and fails entry by entry.
    const bool as_it_is = &call.guest.caller() == &call.guest;
    if (as_it_is && !may_be_guests(call.domain, call.arg(0))) return -error(Errno::fault);
    call.vcpu.in_multicall = true;
    std::int64_t answer = 0;
    for (std::uint32_t i = 0; i < count && answer == 0; ++i) {
        // The guest sees its upcall between two entries, and makes the call for the others.
        if (i != 0 && preempted(call.vcpu)) {
            call.vcpu.continuation = HypercallArgs{call.arg(0) + i * sizeof(multicall_entry_t), count - i};
            break;
        }
        const std::uint64_t at = call.arg(0) + i * sizeof(multicall_entry_t);
        multicall_entry_t entry;
        if (!call.guest.fetch(entry, at)) {
            answer = -error(Errno::fault);
            break;
        }
        HypercallArgs args;
        std::copy_n(entry.args, args.size(), args.begin());
        Call one{call.host, call.domain, call.vcpu, call.guest.caller(), args};
        const std::int64_t result = entry.op < 64 ? invoke(one, static_cast<unsigned>(entry.op)) : -error(Errno::nosys);
        entry.result = static_cast<xen_ulong_t>(result);
        if (!call.guest.put(at + offsetof(multicall_entry_t, result), entry.result)) answer = -error(Errno::fault);
    }
    call.vcpu.in_multicall = false;
    return answer;
}

}  // namespace xenrig::hypervisor
