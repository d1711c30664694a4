// What mmu_update, update_va_mapping and mmuext_op have in common (x86/mm.c: get_pg_owner).
#pragma once

#include <cstdint>

#include "sim/hypervisor/call.h"

namespace xenrig::hypervisor {

class Domain;
class Vcpu;

/// MMUEXT_NEW_BASEPTR: the vCPU's linear addresses go through these tables from now on. What was loaded is let go.
std::int64_t load_page_tables(Vcpu& v, Mfn top);
/// Its tables and descriptors, when the domain ends.
void drop_page_tables(Vcpu& v);
/// DOMID_SELF, or another domain by its number; null when there is none.
Domain* page_owner(Call& call, std::uint16_t dom);
/// Tells the caller how many were done; at 0 it does not ask, and where it can't be told nothing comes of it.
void put_done(Call& call, std::uint64_t at, std::uint32_t done);
/// The set of vCPUs whose TLBs are meant: nothing here has a TLB, but it must be there.
bool vcpu_set_readable(Call& call, std::uint64_t at);

}  // namespace xenrig::hypervisor
