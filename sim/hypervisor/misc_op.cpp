// The small hypercalls: console_io (console.c), callback_op (pv/callback.c) and multicall (multicall.c).
#include <algorithm>
#include <array>

#include "sim/hypervisor/call.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

std::int64_t console_io(Call& call) {
    constexpr std::uint32_t kWrite = CONSOLEIO_write, kRead = CONSOLEIO_read;
    const auto op = static_cast<std::uint32_t>(call.arg(0));
    if (!call.domain.privileged() && !(call.host.config.verbose_debug && op == kWrite)) return -error(Errno::perm);
    // What was read and an error must not be the same number.
    if (op == kRead) return static_cast<std::uint32_t>(call.arg(1)) > INT32_MAX ? -error(Errno::toobig) : 0;
    if (op != kWrite) return -error(Errno::nosys);
    std::array<char, 128> part;
    std::uint64_t at = call.arg(2);
    for (auto left = static_cast<std::uint32_t>(call.arg(1)); left != 0;) {
        const auto n = std::min<std::uint32_t>(left, part.size());
        if (!call.guest.copy_from_guest(part.data(), at, n)) return -error(Errno::fault);
        call.domain.console.append(part.data(), n);
        left -= n, at += n;
    }
    return 0;
}

/// Upcalls of a PV guest come by its runner here, so that its handlers are only looked at.
std::int64_t callback_op(Call& call) {
    if (call.domain.translated()) return -error(Errno::nosys);
    const auto op = static_cast<std::uint32_t>(call.arg(0));
    if (op != CALLBACKOP_register && op != CALLBACKOP_unregister) return -error(Errno::nosys);
    // Both structs begin with the type and its flags.
    callback_register_t handler{};
    const bool whole = op == CALLBACKOP_register;
    if (!call.guest.copy_from_guest(&handler, call.arg(1), whole ? sizeof handler : sizeof(callback_unregister_t)))
        return -error(Errno::fault);
    switch (handler.type) {
        case CALLBACKTYPE_event:
        case CALLBACKTYPE_failsafe:
        case CALLBACKTYPE_syscall:
        case CALLBACKTYPE_sysenter:
        case CALLBACKTYPE_syscall32:
            return whole ? 0 : -error(Errno::inval);
        case CALLBACKTYPE_nmi:
            return 0;
        default:
            return -error(Errno::nosys);
    }
}

namespace {

/// One entry as the caller's kind of guest has it: six arguments and two words more, of 4 or 8 bytes.
struct Entries {
    explicit Entries(Call& of) : call(of), bits32(of.domain.config.bits == 32) {}

    std::uint64_t address(std::uint32_t i) const {
        return call.arg(0) + std::uint64_t{i} * (bits32 ? sizeof(Words32) : sizeof(multicall_entry_t));
    }
    bool fetch(std::uint32_t i, multicall_entry_t& entry) const {
        if (!bits32) return call.guest.fetch(entry, address(i));
        Words32 words;
        if (!call.guest.fetch(words, address(i))) return false;
        entry.op = words[0];
        std::copy_n(words.begin() + 2, std::size(entry.args), entry.args);
        return true;
    }
    bool put_result(std::uint32_t i, std::int64_t result) const {
        if (!bits32) return call.guest.put(address(i) + offsetof(multicall_entry_t, result), result);
        return call.guest.put(address(i) + sizeof(std::uint32_t), static_cast<std::uint32_t>(result));
    }

    using Words32 = std::array<std::uint32_t, 8>;
    Call& call;
    bool bits32;
};

/// hypercall_preempt_check(): something waits for the vCPU to come out of the hypervisor.
bool preempted(const Vcpu& v) { return v.upcall_pending() || v.blocked || !v.shutdown_over; }

}  // namespace

std::int64_t multicall(Call& call) {
    if (call.vcpu.in_multicall) return -error(Errno::inval);
    const auto count = static_cast<std::uint32_t>(call.arg(1));
    constexpr std::uint32_t kEntries = ~0u / sizeof(multicall_entry_t);
    if (!may_be_guests(call.domain, call.arg(0)) || (!call.domain.translated() && count >= kEntries))
        return -error(Errno::fault);
    const Entries entries(call);
    call.vcpu.in_multicall = true;
    std::int64_t answer = 0;
    for (std::uint32_t i = 0; i < count && answer == 0; ++i) {
        // The guest sees its upcall between two entries, and makes the call for the others.
        if (i != 0 && preempted(call.vcpu)) {
            call.vcpu.continuation = HypercallArgs{entries.address(i), count - i};
            break;
        }
        multicall_entry_t entry;
        if (!entries.fetch(i, entry)) {
            answer = -error(Errno::fault);
            break;
        }
        HypercallArgs args;
        std::copy_n(entry.args, args.size(), args.begin());
        Call one{call.host, call.domain, call.vcpu, call.guest, args};
        const Handler handler = entry.op < 64 ? handler_of(static_cast<unsigned>(entry.op)) : nullptr;
        const std::int64_t result = handler ? handler(one) : -error(Errno::nosys);
        if (!entries.put_result(i, result)) answer = -error(Errno::fault);
    }
    call.vcpu.in_multicall = false;
    return answer;
}

}  // namespace xenrig::hypervisor
