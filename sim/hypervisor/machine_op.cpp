// Hypercalls about what this machine does not have: platform_op (firmware, microcode, power), mca (machine checks),
// kexec_op, xenoprof_op and xenpmu_op (performance counters), hypfs_op, dm_op (device models) and the private
// continuation of shadow_op.
//
// Each refuses as Xen does who may not ask, what can't be read and what is of another version; what is left is answered
// as by a machine without the thing.
#include <array>
#include <cstring>
#include <optional>
#include <string_view>

#include "sim/hypervisor/call.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/tools_abi.h"

#include <xen/hvm/dm_op.h>
#include <xen/hypfs.h>
#include <xen/kexec.h>
#include <xen/platform.h>

namespace xenrig::hypervisor {

namespace {

/// What begins with a command and the version of its interface, and is read as a whole.
struct Versioned {
    std::uint32_t command = 0, version = 0;
};

template <std::size_t bytes>
std::optional<Versioned> versioned(Call& call) {
    std::array<std::byte, bytes> whole;
    if (!call.fetch(whole, 0)) return std::nullopt;
    Versioned head;
    std::memcpy(&head, whole.data(), sizeof head);
    return head;
}

bool narrow(const Call& call) { return call.domain.config.bits == 32; }

}  // namespace

std::int64_t platform_op(Call& call) {
    // A 32-bit caller's struct is shorter by the padding of its union (compat_platform_op).
    constexpr std::size_t kBytes = sizeof(xen_platform_op_t);
    const auto head = versioned<kBytes>(call);
    if (!head) return -error(Errno::fault);
    if (head->version != XENPF_INTERFACE_VERSION) return -error(Errno::access);
    return call.domain.privileged() ? -error(Errno::nosys) : -error(Errno::perm);
}

std::int64_t machine_check(Call& call) {
    constexpr std::uint32_t kVersion = 0x01ecc003;
    constexpr std::size_t kBytes = 440;
    if (!call.domain.privileged()) return -error(Errno::perm);
    const auto head = versioned<kBytes>(call);
    if (!head) return -error(Errno::fault);
    return head->version == kVersion ? -error(Errno::inval) : -error(Errno::access);
}

/// No memory is set aside for another kernel, and none is loaded. A command that nobody knows is not refused.
std::int64_t kexec_op(Call& call) {
    if (!call.domain.privileged()) return -error(Errno::perm);
    std::array<std::byte, sizeof(xen_kexec_exec_t)> begin;
    switch (call.arg(0)) {
        case KEXEC_CMD_kexec_get_range:
        case KEXEC_CMD_kexec_load_v1:
        case KEXEC_CMD_kexec_unload_v1:
        case KEXEC_CMD_kexec_load:
        case KEXEC_CMD_kexec_unload:
        case KEXEC_CMD_kexec_status:
            return call.fetch(begin) ? -error(Errno::inval) : -error(Errno::fault);
        case KEXEC_CMD_kexec: {
            std::uint32_t type = 0;
            if (!call.fetch(type)) return -error(Errno::fault);
            return type <= KEXEC_TYPE_CRASH ? -error(Errno::noent) : -error(Errno::inval);
        }
        default:
            return 0;
    }
}

/// Nobody profiles the machine, so that nobody is its profiler.
std::int64_t xenoprof_op(Call& call) {
    constexpr std::uint32_t kInit = 0, kEnableVirq = 8, kDisableVirq = 11, kGetBuffer = 14, kLast = 17;
    const auto operation = static_cast<std::uint32_t>(call.arg(0));
    if (operation > kLast) return -error(Errno::inval);
    switch (operation) {
        case kInit:
        case kEnableVirq:
        case kDisableVirq:
        case kGetBuffer:
            return -error(Errno::nodev);
        default:
            return -error(Errno::perm);
    }
}

std::int64_t xenpmu_op(Call&) { return -error(Errno::opnotsupp); }

/// The tree is empty.
std::int64_t hypfs_op(Call& call) {
    if (!call.domain.privileged()) return -error(Errno::perm);
    const std::uint64_t path = call.arg(1), length = call.arg(2);
    if (static_cast<std::uint32_t>(call.arg(0)) == XEN_HYPFS_OP_get_version) {
        const bool plain = path == 0 && length == 0 && call.arg(3) == 0 && call.arg(4) == 0;
        return plain ? XEN_HYPFS_VERSION : -error(Errno::inval);
    }
    std::array<char, XEN_HYPFS_MAX_PATHLEN> text;
    if (length > text.size()) return -error(Errno::inval);
    if (!call.guest.copy_from_guest(text.data(), path, length)) return -error(Errno::fault);
    const std::string_view name(text.data(), length);
    const bool ends_once = length != 0 && name.find('\0') == length - 1;
    return ends_once && name.front() == '/' ? -error(Errno::noent) : -error(Errno::inval);
}

/// The first buffer is the operation; there is no device model's work to do on it.
std::int64_t dm_op(Call& call) {
    constexpr std::uint32_t kBuffersMax = 2;
    constexpr std::size_t kHeader = 8;
    const auto buffers = static_cast<std::uint32_t>(call.arg(1));
    if (buffers == 0) return -error(Errno::nodata);
    if (buffers > kBuffersMax) return -error(Errno::toobig);
    const std::size_t word = narrow(call) ? sizeof(std::uint32_t) : sizeof(std::uint64_t);
    std::array<std::byte, sizeof(xen_dm_op_buf_t) * kBuffersMax> list{};
    if (!call.guest.copy_from_guest(list.data(), call.arg(2), 2 * word * buffers)) return -error(Errno::fault);
    std::uint64_t at = 0, bytes = 0;
    std::memcpy(&at, list.data(), word);
    std::memcpy(&bytes, list.data() + word, word);

    const Domain* d = call.host.find(DomId{static_cast<std::uint16_t>(call.arg(0))});
    if (!d) return -error(Errno::srch);
    if (d == &call.domain) return -error(Errno::perm);
    if (!d->translated()) return -error(Errno::inval);
    if (!may_target(call.domain, *d)) return -error(Errno::perm);
    std::array<std::byte, kHeader> header;
    if (bytes < kHeader || !call.guest.fetch(header, at)) return -error(Errno::fault);
    return -error(Errno::opnotsupp);
}

std::int64_t paging_domctl_cont(Call& call) {
    xen_domctl_t op;
    if (!call.fetch(op, 0)) return -error(Errno::fault);
    if (op.interface_version != XEN_DOMCTL_INTERFACE_VERSION || op.cmd != XEN_DOMCTL_shadow_op)
        return -error(Errno::opnotsupp);
    if (!call.host.find(DomId{op.domain})) return -error(Errno::srch);
    // A domctl is never preempted here, so that there is none to continue.
    return call.domain.privileged() ? -error(Errno::inval) : -error(Errno::perm);
}

}  // namespace xenrig::hypervisor
