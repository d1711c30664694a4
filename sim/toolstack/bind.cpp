#include "sim/toolstack/bind.h"

#include "sim/toolstack/pv_build.h"
#include "xenrig/abi/check.h"

namespace xenrig::toolstack {

guest::Binding attach(Host& host, DomId domain, const DomainSpec& spec, const std::vector<Cpu*>& cpus) {
    guest::Binding binding = host.attach(domain, cpus);
    if (spec.type == hypervisor::GuestType::pv) {
        const auto start = pv_start_address(host, domain, spec.bits);
        check(start.has_value(), "a PV domain's first vCPU has a context");
        binding.pv = &host.xen().linear_space(domain, layout_of(spec).pv->virt_base);
        binding.memory = binding.pv;
        binding.start_info = *start;
    }
    if (spec.type == hypervisor::GuestType::pvh) binding.start_info = memory_plan(spec).start_info().value * kPageSize;
    return binding;
}

}  // namespace xenrig::toolstack
