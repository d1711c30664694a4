// A PV domain from nothing to its first instruction, as libxc builds one (tools/libs/guest: meminit_pv,
// setup_pgtables_pv, bootlate_pv, vcpu_x86_64), by the control domain's hypercalls.
#pragma once

#include "sim/toolstack/pv_start_info.h"

namespace xenrig::toolstack {

struct DomainSpec;
class Host;

/// Fills a new, paused domain of `plan.bits`: memory, start page, page tables, the first vCPU. In a task of the control
/// domain. The store's port.
Result<Port> build_pv(Host& host, DomId domain, const PvPlan& plan, const DomainSpec& spec);

/// The entries that are reserved for the control domain's use of the ring pages (xc_dom_gnttab_seed).
Result<> grant_rings(Host& host, DomId domain, Gfn store, Gfn console);

/// Where a new PV domain's vCPU 0 finds its start page: what its first context has in %rsi.
Result<std::uint64_t> pv_start_address(Host& host, DomId domain, unsigned bits);

}  // namespace xenrig::toolstack
