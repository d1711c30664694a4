// __HYPERVISOR_mmuext_op: page tables as wholes, base pointers, TLBs, descriptor tables (x86/mm.c: do_mmuext_op,
// new_guest_cr3).
#include <cstring>

#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/mmu_op.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

namespace {

std::int64_t pin(Call& call, Domain& d, unsigned level, std::uint64_t frame) {
    if (level > top_level(d)) return -error(Errno::inval);
    const auto mfn = call.host.guest_frame(d, frame);
    return mfn ? call.host.page_types.pin(*mfn, d, level) : -error(Errno::inval);
}

std::int64_t unpin(Call& call, Domain& d, std::uint64_t frame) {
    const auto mfn = call.host.guest_frame(d, frame);
    return mfn ? call.host.page_types.unpin(*mfn) : -error(Errno::inval);
}

/// A frame whose contents are replaced: no page table, and nothing else that the guest may not write.
std::int64_t fill_page(Call& call, Domain& d, std::uint64_t to, std::optional<std::uint64_t> from) {
    PageTypes& types = call.host.page_types;
    std::optional<Mfn> source;
    if (from) {
        source = call.host.guest_frame(d, *from);
        if (!source) return -error(Errno::inval);
    }
    const auto mfn = call.host.guest_frame(d, to);
    if (!mfn || types.get(*mfn, d, FrameType::writable) != 0) return -error(Errno::inval);
    std::byte* page = call.host.memory.page(*mfn);
    if (source)
        std::memmove(page, call.host.memory.page(*source), kPageSize);
    else
        std::memset(page, 0, kPageSize);
    call.host.mark_dirty(d, *mfn);
    types.put(*mfn);
    return 0;
}

std::int64_t set_ldt(const mmuext_op_t& op) {
    constexpr std::uint32_t kEntriesMax = 8192;
    // Of none it does not matter where they are.
    if (op.arg2.nr_ents == 0) return 0;
    return op.arg1.linear_addr % kPageSize != 0 || op.arg2.nr_ents > kEntriesMax ? -error(Errno::inval) : 0;
}

std::int64_t new_user_base(Call& call, std::uint64_t frame) {
    if (call.domain.config.bits != 64) return -error(Errno::nosys);
    Vcpu& v = call.vcpu;
    PageTypes& types = call.host.page_types;
    std::optional<Mfn> next;
    if (frame != 0) {
        next = Mfn{frame};
        if (next == v.user_page_tables) return 0;
        if (const std::int64_t rc = types.get(*next, call.domain, table_type(top_level(call.domain))); rc != 0)
            return rc;
    }
    if (v.user_page_tables) types.put(*v.user_page_tables);
    v.user_page_tables = next;
    return 0;
}

/// About the calling vCPU and its tables: nobody else's.
std::int64_t own(Call& call, const mmuext_op_t& op) {
    switch (op.cmd) {
        case MMUEXT_NEW_BASEPTR:
            return load_page_tables(call.vcpu, Mfn{op.arg1.mfn});
        case MMUEXT_NEW_USER_BASEPTR:
            return new_user_base(call, op.arg1.mfn);
        case MMUEXT_TLB_FLUSH_MULTI:
        case MMUEXT_INVLPG_MULTI:
            return vcpu_set_readable(call, reinterpret_cast<std::uint64_t>(op.arg2.vcpumask.p)) ? 0
                                                                                                : -error(Errno::inval);
        case MMUEXT_FLUSH_CACHE:
            return call.domain.privileged() ? 0 : -error(Errno::access);
        case MMUEXT_FLUSH_CACHE_GLOBAL:
            return call.domain.privileged() ? 0 : -error(Errno::inval);
        case MMUEXT_SET_LDT:
            return set_ldt(op);
        default:
            return 0;
    }
}

std::int64_t perform(Call& call, Domain& d, const mmuext_op_t& op) {
    switch (op.cmd) {
        case MMUEXT_PIN_L1_TABLE:
        case MMUEXT_PIN_L2_TABLE:
        case MMUEXT_PIN_L3_TABLE:
        case MMUEXT_PIN_L4_TABLE:
            return pin(call, d, op.cmd - MMUEXT_PIN_L1_TABLE + 1, op.arg1.mfn);
        case MMUEXT_UNPIN_TABLE:
            return unpin(call, d, op.arg1.mfn);
        case MMUEXT_CLEAR_PAGE:
            return fill_page(call, d, op.arg1.mfn, std::nullopt);
        case MMUEXT_COPY_PAGE:
            return fill_page(call, d, op.arg1.mfn, op.arg2.src_mfn);
        case MMUEXT_MARK_SUPER:
        case MMUEXT_UNMARK_SUPER:
            return -error(Errno::opnotsupp);
        case MMUEXT_NEW_BASEPTR:
        case MMUEXT_NEW_USER_BASEPTR:
        case MMUEXT_TLB_FLUSH_LOCAL:
        case MMUEXT_INVLPG_LOCAL:
        case MMUEXT_TLB_FLUSH_MULTI:
        case MMUEXT_INVLPG_MULTI:
        case MMUEXT_TLB_FLUSH_ALL:
        case MMUEXT_INVLPG_ALL:
        case MMUEXT_FLUSH_CACHE:
        case MMUEXT_FLUSH_CACHE_GLOBAL:
        case MMUEXT_SET_LDT:
            return &d == &call.domain ? own(call, op) : -error(Errno::perm);
        default:
            return -error(Errno::nosys);
    }
}

}  // namespace

std::int64_t load_page_tables(Vcpu& v, Mfn top) {
    PageTypes& types = v.host.page_types;
    if (const std::int64_t rc = types.get(top, v.domain, table_type(top_level(v.domain))); rc != 0) return rc;
    if (v.page_tables) types.put(*v.page_tables);
    v.page_tables = top;
    return 0;
}

void drop_page_tables(Vcpu& v) {
    PageTypes& types = v.host.page_types;
    for (auto* base : {&v.page_tables, &v.user_page_tables})
        if (*base) {
            types.put(**base);
            base->reset();
        }
    for (const Mfn mfn : v.descriptor_frames) types.put(mfn);
    v.descriptor_frames.clear();
}

std::int64_t mmuext_op(Call& call) {
    Domain* d = page_owner(call, static_cast<std::uint16_t>(call.arg(3)));
    if (!d) return -error(Errno::srch);
    if (d->translated()) return -error(Errno::inval);
    if (!may_target(call.domain, *d)) return -error(Errno::perm);
    const auto count = static_cast<std::uint32_t>(call.arg(1));
    std::int64_t result = 0;
    std::uint32_t done = 0;
    for (; done < count && result == 0; done += result == 0 ? 1 : 0) {
        mmuext_op_t op;
        if (call.guest.fetch(op, call.arg(0) + std::uint64_t{done} * sizeof op))
            result = perform(call, *d, op);
        else
            result = -error(Errno::fault);
    }
    put_done(call, call.arg(2), done);
    return result;
}

}  // namespace xenrig::hypervisor
