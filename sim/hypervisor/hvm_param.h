// The parameters by which a builder tells an HVM or PVH guest where its store and console are (hvm/params.h).
#pragma once

#include <cstdint>

namespace xenrig::hypervisor {

class Domain;

/// 0 or a negated Errno. `by_itself`: the guest asks for itself, and may do less than its builder.
std::int64_t set_hvm_param(Domain& d, bool by_itself, std::uint32_t index, std::uint64_t value);
std::int64_t get_hvm_param(const Domain& d, bool by_itself, std::uint32_t index, std::uint64_t& value);

}  // namespace xenrig::hypervisor
