// A hypervisor of one domain, as small as it can be: pages in a map, ports that tell the test, answers that the test
// writes. For what the simulated hypervisor never does, and for looking at what a guest asks.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "xenrig/abi/address_space.h"
#include "xenrig/abi/hypercall.h"
#include "xenrig/guest/domain_link.h"
#include "xenrig/platform/cpu.h"
#include "xenrig/platform/scheduler.h"

extern "C" {
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/xen.h>
}

namespace xenrig::guest::test {

class FakeDomain final : public Hypercalls, public AddressSpace {
public:
    FakeDomain(DomId id, std::vector<Cpu*> vcpus) : id_(id), vcpus_(std::move(vcpus)) { page_at(kSharedInfo); }

    Binding binding() { return {std::vector<Hypercalls*>(vcpus_.size(), this), this, id_}; }

    // What the test sets.
    std::map<unsigned, std::uint64_t> params;
    std::uint32_t next_port = 5;
    std::uint32_t grant_frames_max = 2;
    /// The status of mapping a reference; default is okay.
    std::map<std::uint32_t, std::int16_t> map_status;
    std::function<void(std::uint32_t port)> on_send;
    /// The answer to SCHEDOP_shutdown.
    std::function<std::int64_t(unsigned reason)> on_shutdown;

    // What the test looks at.
    std::map<unsigned, unsigned> calls;
    std::set<std::uint32_t> closed;
    std::map<std::uint32_t, std::uint64_t> mapped;  ///< handle to host address
    std::vector<Gfn> dirty;

    shared_info_t& shared_info() { return *reinterpret_cast<shared_info_t*>(page_at(kSharedInfo)); }
    grant_entry_v1_t& entry(std::uint32_t ref) {
        auto* table = reinterpret_cast<grant_entry_v1_t*>(page_at(kGrantFrames + ref / 512));
        return table[ref % 512];
    }
    void populate(Gfn first, std::uint64_t count) {
        for (std::uint64_t i = 0; i < count; ++i) physmap_[first.value + i] = page_at(first.value + i);
    }
    /// An event for one of the guest's ports, delivered to `vcpu`.
    void raise(std::uint32_t port, unsigned vcpu = 0) {
        const std::uint64_t bit = 1ull << port % 64;
        std::uint64_t& pending = shared_info().evtchn_pending[port / 64];
        if (std::exchange(pending, pending | bit) & bit) return;
        if ((shared_info().evtchn_mask[port / 64] & bit) == 0) tell(port, vcpu);
    }

    std::byte* page(Gfn gfn) override {
        const auto found = physmap_.find(gfn.value);
        return found == physmap_.end() ? nullptr : found->second;
    }
    void mark_dirty(Gfn gfn) override { dirty.push_back(gfn); }

    std::int64_t call(unsigned number, const HypercallArgs& args) override {
        if (scheduler) scheduler->point(Step::hypercall, number);
        ++calls[number];
        switch (number) {
            case __HYPERVISOR_memory_op:
                return add_to_physmap(*at<xen_add_to_physmap_t>(args[1]));
            case __HYPERVISOR_hvm_op:
                return hvm_param(args[0], *at<xen_hvm_param_t>(args[1]));
            case __HYPERVISOR_event_channel_op:
                return event_channel_op(args[0], args[1]);
            case __HYPERVISOR_grant_table_op:
                return grant_table_op(args[0], args[1], args[2]);
            case __HYPERVISOR_sched_op:
                return on_shutdown ? on_shutdown(at<sched_shutdown_t>(args[1])->reason) : 1;
            default:
                return -38;
        }
    }

private:
    // Our own pages: where no guest puts any.
    static constexpr std::uint64_t kSharedInfo = 1ull << 32, kGrantFrames = kSharedInfo + 1,
                                   kForeign = kSharedInfo + 100;
    using Page = std::array<std::byte, kPageSize>;

    template <class T>
    static T* at(std::uint64_t address) {
        return reinterpret_cast<T*>(address);
    }
    std::byte* page_at(std::uint64_t number) {
        auto& page = pages_[number];
        if (!page) page.reset(new (std::align_val_t{kPageSize}) Page{});
        return page->data();
    }
    void tell(std::uint32_t port, unsigned vcpu) {
        shared_info().vcpu_info[vcpu].evtchn_pending_sel |= 1ull << port / 64;
        shared_info().vcpu_info[vcpu].evtchn_upcall_pending = 1;
        vcpus_[vcpu]->kick();
    }

    std::int64_t add_to_physmap(const xen_add_to_physmap_t& add) {
        if (add.space == XENMAPSPACE_grant_table && add.idx >= grant_frames_max) return -22;
        physmap_[add.gpfn] = page_at(add.space == XENMAPSPACE_grant_table ? kGrantFrames + add.idx : kSharedInfo);
        return 0;
    }
    std::int64_t hvm_param(std::uint64_t op, xen_hvm_param_t& param) {
        if (op == HVMOP_get_param) param.value = params[param.index];
        return 0;
    }
    std::int64_t event_channel_op(std::uint64_t op, std::uint64_t arg) {
        switch (op) {
            case EVTCHNOP_alloc_unbound:
                at<evtchn_alloc_unbound_t>(arg)->port = next_port++;
                return 0;
            case EVTCHNOP_bind_interdomain: {
                const std::uint32_t port = at<evtchn_bind_interdomain_t>(arg)->local_port = next_port++;
                raise(port);
                return 0;
            }
            case EVTCHNOP_send:
                if (on_send) on_send(at<evtchn_send_t>(arg)->port);
                return 0;
            case EVTCHNOP_close:
                closed.insert(at<evtchn_close_t>(arg)->port);
                return 0;
            case EVTCHNOP_bind_vcpu:
                vcpu_of_[at<evtchn_bind_vcpu_t>(arg)->port] = at<evtchn_bind_vcpu_t>(arg)->vcpu;
                return 0;
            case EVTCHNOP_unmask: {
                const std::uint32_t port = at<evtchn_unmask_t>(arg)->port;
                const std::uint64_t bit = 1ull << port % 64;
                shared_info().evtchn_mask[port / 64] &= ~bit;
                if (shared_info().evtchn_pending[port / 64] & bit) tell(port, vcpu_of_[port]);
                return 0;
            }
            default:
                return -38;
        }
    }
    std::int64_t grant_table_op(std::uint64_t op, std::uint64_t arg, std::uint64_t count) {
        if (op == GNTTABOP_query_size) {
            at<gnttab_query_size_t>(arg)->nr_frames = 1;
            at<gnttab_query_size_t>(arg)->max_nr_frames = grant_frames_max;
            at<gnttab_query_size_t>(arg)->status = GNTST_okay;
            return 0;
        }
        for (std::uint64_t i = 0; i < count; ++i) {
            if (op == GNTTABOP_map_grant_ref) {
                gnttab_map_grant_ref_t& map = at<gnttab_map_grant_ref_t>(arg)[i];
                map.status = map_status[map.ref];
                if (map.status != GNTST_okay) continue;
                map.handle = next_handle_++;
                mapped[map.handle] = map.host_addr;
                physmap_[map.host_addr / kPageSize] = page_at(kForeign + map.ref);
            } else if (op == GNTTABOP_unmap_grant_ref) {
                gnttab_unmap_grant_ref_t& unmap = at<gnttab_unmap_grant_ref_t>(arg)[i];
                unmap.status = mapped.contains(unmap.handle) && mapped[unmap.handle] == unmap.host_addr
                                   ? GNTST_okay
                                   : GNTST_bad_handle;
                mapped.erase(unmap.handle);
                physmap_.erase(unmap.host_addr / kPageSize);
            } else {
                return -38;
            }
        }
        return 0;
    }

    struct Free {
        void operator()(Page* page) const { ::operator delete(page, std::align_val_t{kPageSize}); }
    };
    DomId id_;
    std::vector<Cpu*> vcpus_;
    std::map<std::uint64_t, std::unique_ptr<Page, Free>> pages_;
    std::map<std::uint64_t, std::byte*> physmap_;
    std::map<std::uint32_t, std::uint32_t> vcpu_of_;
    std::uint32_t next_handle_ = 100;
};

}  // namespace xenrig::guest::test
