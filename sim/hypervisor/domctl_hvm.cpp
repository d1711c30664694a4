// The commands about an HVM domain's virtual hardware: gethvmcontext, sethvmcontext and gethvmcontext_partial
// (x86/domctl.c).
#include <vector>

#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/domctl.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/hvm_context.h"

namespace xenrig::hypervisor {

namespace {

HvmContext& context_of(Domain& d) {
    if (!d.hvm_context) d.hvm_context = std::make_unique<HvmContext>(d);
    return *d.hvm_context;
}

std::int64_t get_context(Domctl& d) {
    auto& op = d.op.u.hvmcontext;
    HvmContext& context = context_of(*d.domain);
    const auto at = reinterpret_cast<std::uint64_t>(op.buffer.p);
    const std::uint32_t most = context.size_max();
    if (at == 0) {
        op.size = most;
        return 0;
    }
    if (op.size < most) return -error(Errno::nospc);
    std::vector<std::byte> bytes;
    const std::int64_t result = context.save(bytes);
    op.size = static_cast<std::uint32_t>(bytes.size());
    return d.call.guest.copy_to_guest(at, bytes.data(), bytes.size()) ? result : -error(Errno::fault);
}

std::int64_t set_context(Domctl& d) {
    const auto& op = d.op.u.hvmcontext;
    if (op.size > d.call.host.memory.frames_free() * kPageSize) return -error(Errno::nomem);
    std::vector<std::byte> bytes(op.size);
    if (!d.call.guest.copy_from_guest(bytes.data(), reinterpret_cast<std::uint64_t>(op.buffer.p), bytes.size()))
        return -error(Errno::fault);
    return context_of(*d.domain).load(bytes);
}

std::int64_t get_one(Domctl& d) {
    auto& op = d.op.u.hvmcontext_partial;
    std::vector<std::byte> record;
    if (const std::int64_t no = context_of(*d.domain).save_one(op.type, op.instance, record); no != 0) return no;
    const auto at = reinterpret_cast<std::uint64_t>(op.buffer.p);
    if (at != 0 && op.bufsz < record.size()) return -error(Errno::nobufs);
    if (at != 0 && !d.call.guest.copy_to_guest(at, record.data(), record.size())) return -error(Errno::fault);
    op.bufsz = record.size();
    d.answered = true;
    return 0;
}

}  // namespace

std::int64_t hvm_domctl(Domctl& d) {
    const bool about_it = d.domain && d.domain != &d.call.domain && d.domain->translated();
    switch (d.op.cmd) {
        case XEN_DOMCTL_gethvmcontext:
            d.answered = true;
            return about_it ? get_context(d) : -error(Errno::inval);
        case XEN_DOMCTL_sethvmcontext:
            return about_it ? set_context(d) : -error(Errno::inval);
        case XEN_DOMCTL_gethvmcontext_partial:
            return about_it ? get_one(d) : -error(Errno::inval);
        default:
            return -error(Errno::nosys);
    }
}

}  // namespace xenrig::hypervisor
