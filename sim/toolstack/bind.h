// How a guest's kernel is tied to a domain: its runners to the vCPUs, its view to the memory.
#pragma once

#include <vector>

#include "sim/toolstack/toolstack.h"

namespace xenrig::toolstack {

/// The domain is paused; in a task of the control domain when it is a PV guest's.
guest::Binding attach(Host& host, DomId domain, const DomainSpec& spec, const std::vector<Cpu*>& cpus);

}  // namespace xenrig::toolstack
