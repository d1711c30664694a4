// A guest's hypercalls as tests write them: one line each, with Xen's own structs behind.
#pragma once

#include <cstdint>
#include <cstring>

#include "sim/hypervisor/hypervisor.h"
#include "sim/hypervisor/xen_abi.h"
#include "xenrig/abi/check.h"
#include "xenrig/abi/hypercall.h"

namespace xenrig::test {

using hypervisor::DomainConfig;
using hypervisor::GuestType;
using hypervisor::HostConfig;
using hypervisor::Hypervisor;

/// A negated Errno or a count, as the guest's register has it.
using Answer = std::int64_t;
constexpr Answer error(Errno e) { return -static_cast<Answer>(e); }

/// The answer, and the number that came with it (a port, a handle, a status).
struct Numbered {
    Answer rc = 0;
    std::uint32_t number = 0;
};

struct Bits {
    bool pending, masked;
    std::uint64_t selector;
    bool upcall;
    friend bool operator==(const Bits&, const Bits&) = default;
};

/// Vector 0xf3.
constexpr std::uint64_t kCallbackVector = std::uint64_t{HVM_PARAM_CALLBACK_TYPE_VECTOR} << 56 | 0xf3;

class Guest {
public:
    Guest(Hypervisor& hv, DomainConfig config, std::uint64_t frames = 16) : hv_(hv) {
        const auto dom = hv.create_domain(config);
        check(dom.has_value(), "the test's domain can be made");
        id = *dom;
        check(hv.populate(id, Gfn{0}, frames).has_value(), "the test's domain gets its memory");
        pv_ = config.type == GuestType::pv;
        // Else its events would be pending and no vCPU would hear of them.
        if (!pv_)
            check(hv.set_param(id, HVM_PARAM_CALLBACK_IRQ, kCallbackVector).has_value(), "a vector is always had");
    }

    template <class... A>
    Answer call(unsigned number, A... args) {
        return hypercall(hv_.hypercalls(id, vcpu), number, args...);
    }

    // Event channels.
    Numbered alloc_unbound(DomId remote, DomId dom = DomId{DOMID_SELF}) {
        evtchn_alloc_unbound_t op{.dom = dom.value, .remote_dom = remote.value, .port = 0};
        const Answer rc = event(EVTCHNOP_alloc_unbound, op);
        return {rc, op.port};
    }
    Numbered bind_interdomain(DomId remote, std::uint32_t port) {
        evtchn_bind_interdomain_t op{.remote_dom = remote.value, .remote_port = port, .local_port = 0};
        const Answer rc = event(EVTCHNOP_bind_interdomain, op);
        return {rc, op.local_port};
    }
    Numbered bind_virq(std::uint32_t virq, std::uint32_t on = 0) {
        evtchn_bind_virq_t op{.virq = virq, .vcpu = on, .port = 0};
        const Answer rc = event(EVTCHNOP_bind_virq, op);
        return {rc, op.port};
    }
    Numbered bind_ipi(std::uint32_t on) {
        evtchn_bind_ipi_t op{.vcpu = on, .port = 0};
        const Answer rc = event(EVTCHNOP_bind_ipi, op);
        return {rc, op.port};
    }
    Answer close(std::uint32_t port) { return event(EVTCHNOP_close, evtchn_close_t{port}); }
    Answer send(std::uint32_t port) { return event(EVTCHNOP_send, evtchn_send_t{port}); }
    Answer unmask(std::uint32_t port) { return event(EVTCHNOP_unmask, evtchn_unmask_t{port}); }
    Answer bind_vcpu(std::uint32_t port, std::uint32_t to) {
        return event(EVTCHNOP_bind_vcpu, evtchn_bind_vcpu_t{port, to});
    }
    Answer reset(DomId dom = DomId{DOMID_SELF}) { return event(EVTCHNOP_reset, evtchn_reset_t{dom.value}); }
    /// The answer, and EVTCHNSTAT_*.
    Numbered status(std::uint32_t port, DomId dom = DomId{DOMID_SELF}) {
        evtchn_status_t op{};
        op.dom = dom.value;
        op.port = port;
        const Answer rc = event(EVTCHNOP_status, op);
        return {rc, op.status};
    }
    template <class Op>
    Answer event(int number, Op&& op) {
        return call(__HYPERVISOR_event_channel_op, number, &op);
    }

    // What the guest sees in shared_info.
    shared_info_t& shared() { return *reinterpret_cast<shared_info_t*>(hv_.shared_info(id)); }
    vcpu_info_t& info() { return shared().vcpu_info[vcpu.value]; }
    Bits bits(std::uint32_t port) {
        const auto word = port / 64;
        return {.pending = (shared().evtchn_pending[word] >> port % 64 & 1) != 0,
                .masked = (shared().evtchn_mask[word] >> port % 64 & 1) != 0,
                .selector = info().evtchn_pending_sel,
                .upcall = info().evtchn_upcall_pending != 0};
    }
    void mask_all() { std::memset(shared().evtchn_mask, 0xff, sizeof shared().evtchn_mask); }
    void clear_events() {
        std::memset(shared().evtchn_pending, 0, sizeof shared().evtchn_pending);
        info().evtchn_pending_sel = 0;
        info().evtchn_upcall_pending = 0;
    }

    // Memory and grants.
    std::byte* page(std::uint64_t gfn) { return hv_.address_space(id).page(Gfn{gfn}); }
    const char* text(std::uint64_t gfn) { return reinterpret_cast<const char*>(page(gfn)); }
    void write(std::uint64_t gfn, const char* text) { std::memcpy(page(gfn), text, std::strlen(text) + 1); }
    /// How the guest names a frame in a grant: its gfn, or the machine frame of a PV guest.
    std::uint32_t frame(std::uint64_t gfn) {
        return static_cast<std::uint32_t>(pv_ ? hv_.lookup(id, Gfn{gfn})->value : gfn);
    }
    Answer map_special(unsigned space, std::uint64_t index, std::uint64_t gfn) {
        xen_add_to_physmap_t op{};
        op.domid = DOMID_SELF;
        op.space = space;
        op.idx = index;
        op.gpfn = gfn;
        return call(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, &op);
    }
    /// Where a PV kernel maps the frame that setup_table names; a translated one asks for it at kGrantGfn.
    grant_entry_v1_t* grants() {
        if (!table_ && pv_) {
            xen_pfn_t frames[1];
            gnttab_setup_table_t op{};
            op.dom = DOMID_SELF;
            op.nr_frames = 1;
            op.frame_list.p = frames;
            check(call(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &op, 1) == 0 && op.status == 0,
                  "a guest sets up its grant table");
            table_ = reinterpret_cast<grant_entry_v1_t*>(hv_.memory().page(Mfn{frames[0]}));
        } else if (!table_) {
            check(map_special(XENMAPSPACE_grant_table, 0, kGrantGfn) == 0, "a guest maps its grant table");
            table_ = reinterpret_cast<grant_entry_v1_t*>(page(kGrantGfn));
        }
        return table_;
    }
    void grant(std::uint32_t ref, DomId to, std::uint64_t gfn, std::uint16_t flags = GTF_permit_access) {
        grants()[ref].domid = to.value;
        grants()[ref].frame = frame(gfn);
        grants()[ref].flags = flags;
    }
    std::uint16_t flags(std::uint32_t ref) { return grants()[ref].flags; }
    /// `rc` is the status of the one entry, as Xen leaves it; `number` the handle.
    Numbered map(DomId owner, std::uint32_t ref, std::uint64_t at_gfn, std::uint32_t flags = GNTMAP_host_map) {
        gnttab_map_grant_ref_t op{};
        op.host_addr = at_gfn * kPageSize;
        op.flags = flags;
        op.ref = ref;
        op.dom = owner.value;
        op.status = 0x55;
        check(call(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &op, 1) == 0, "a map is answered by a status");
        return {op.status, op.handle};
    }
    Answer unmap(std::uint32_t handle, std::uint64_t at_gfn) {
        gnttab_unmap_grant_ref_t op{};
        op.host_addr = at_gfn * kPageSize;
        op.handle = handle;
        check(call(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, &op, 1) == 0,
              "an unmap is answered by a status");
        return op.status;
    }
    gnttab_copy_t copy_op(std::uint32_t source, DomId source_dom, std::uint32_t dest, DomId dest_dom) {
        gnttab_copy_t op{};
        op.source.u.ref = source;
        op.source.domid = source_dom.value;
        op.dest.u.ref = dest;
        op.dest.domid = dest_dom.value;
        op.len = 32;
        op.flags = GNTCOPY_source_gref | GNTCOPY_dest_gref;
        return op;
    }
    Answer copy(gnttab_copy_t op) {
        check(call(__HYPERVISOR_grant_table_op, GNTTABOP_copy, &op, 1) == 0, "a copy is answered by a status");
        return op.status;
    }

    static constexpr std::uint64_t kGrantGfn = 0x8'0000;

    DomId id;
    VcpuId vcpu{0};

private:
    Hypervisor& hv_;
    grant_entry_v1_t* table_ = nullptr;
    bool pv_ = false;
};

}  // namespace xenrig::test
