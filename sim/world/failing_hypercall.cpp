// One hypercall of one end of a guest's disks fails: the n-th with which it takes something, or tells its peer.
#include "sim/world/failing_hypercall.h"

#include <algorithm>
#include <memory>

#include "sim/hypervisor/guest_access.h"
#include "sim/world/scenario_run.h"

extern "C" {
// xen.h first: the others lean on its types.
#include <xen/xen.h>

#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/hvm/params.h>
}

namespace xenrig::world {

namespace {

struct Count {
    unsigned calls = 0;
    bool struck = false;
};

bool made_by_driver() {
    const Task* task = scheduler ? scheduler->current_task() : nullptr;
    return task && (task->name().starts_with("blk") || task->name().starts_with("xenbus "));
}

}  // namespace

bool takes_or_tells(unsigned number, const HypercallArgs& args, hypervisor::GuestAccess& caller,
                    std::uint64_t store_port) {
    if (number == __HYPERVISOR_grant_table_op) return args[0] == GNTTABOP_map_grant_ref || args[0] == GNTTABOP_copy;
    if (number != __HYPERVISOR_event_channel_op) return false;
    if (args[0] == EVTCHNOP_send) {
        evtchn_send_t send{};
        return caller.fetch(send, args[1]) && send.port != store_port;
    }
    return args[0] == EVTCHNOP_alloc_unbound || args[0] == EVTCHNOP_bind_interdomain;
}

void ScenarioRun::fail_hypercall(const FaultSpec& fault) {
    for (auto& w : workloads_)
        if (w->guest() == fault.guest) {
            w->expect_disk_to_go();
            w->expect_errors();
        }
    Site& site = site_named(scenario_.guest(fault.guest)->host);
    const auto count = std::make_shared<Count>();
    site.host->xen().set_fault(
        [this, &fault, count, &site](DomId domain, unsigned number, const HypercallArgs& args,
                                     hypervisor::GuestAccess& caller) -> std::optional<std::int64_t> {
            if (count->struck || domain != (fault.at_backend ? DomId{0} : guest_named(fault.guest).domain())) return {};
            const auto store_port = site.host->xen().get_param(domain, HVM_PARAM_STORE_EVTCHN);
            if (!made_by_driver() || !takes_or_tells(number, args, caller, store_port.value_or(0)) ||
                ++count->calls != fault.nth)
                return {};
            count->struck = true;
            ++faults_;
            return -static_cast<std::int64_t>(Errno::nomem);
        });
    site.host->control().spawn("xl watches", TaskRole::service, [this, &fault] { replace_closed_disks(fault); });
}

/// What an administrator does who sees that a disk has closed: looks for the reason, takes it away and gives it back.
void ScenarioRun::replace_closed_disks(const FaultSpec& fault) {
    Guest& guest = guest_named(fault.guest);
    guest.wait_bound();
    Site& site = site_of(guest);
    for (const toolstack::DiskNodes& disk : guest.spec().disks) {
        if (auto closed = site.tools->wait_until_closed(guest.domain(), disk.number); !closed) return;
        const bool over = std::ranges::all_of(workloads_, [](const auto& w) { return w->finished(); });
        if (over) return;
        if (site.tools->device_error(guest.domain(), disk.number).empty())
            broken("device-closed", "disk " + std::to_string(disk.number) + " closed and nobody says why");
        if (auto gone = site.tools->remove_disk(guest.domain(), disk.number); !gone)
            return broken("block-detach", gone.error().to_string());
        if (auto back = site.tools->add_disk(guest.domain(), disk); !back)
            return broken("block-attach", back.error().to_string());
        ++changes_;
    }
}

}  // namespace xenrig::world
