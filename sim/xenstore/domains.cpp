#include "sim/xenstore/domains.h"

#include <algorithm>

#include "sim/xenstore/environment.h"

namespace xenrig::xenstore {

std::uint32_t* Limits::find(std::string_view name) {
    constexpr std::string_view kSoft = "soft-";
    auto& limits = name.starts_with(kSoft) ? soft : hard;
    if (name.starts_with(kSoft)) name.remove_prefix(kSoft.size());
    for (std::size_t i = 0; i < kQuotas; ++i)
        if (kQuotaNames[i].name == name) return limits[i] == kQuotaDisabled ? nullptr : &limits[i];
    return nullptr;
}

Domain& Domains::add(DomId id, std::uint64_t generation) {
    if (id.value >= domains_.size()) domains_.resize(id.value + std::size_t{1});
    auto domain = std::make_unique<Domain>();
    domain->id = id;
    domain->generation = generation;
    domain->limits = global_limits;
    domains_[id.value] = std::move(domain);
    return *domains_[id.value];
}

Domain* Domains::find_existing(std::uint32_t id, std::uint64_t generation) {
    if (Domain* known = find(id)) return known;
    if (id > UINT16_MAX || environment_.domain_state(DomId(static_cast<std::uint16_t>(id))) == DomainState::missing)
        return nullptr;
    return &add(DomId(static_cast<std::uint16_t>(id)), generation);
}

Perms Domains::current(const Perms& list, std::uint64_t node_generation) const {
    const auto entries = list->entries();
    const auto stale = [&](const Perm& entry) { return !entry.ignored && !means(entry, node_generation); };
    if (entries.size() == 1 || std::none_of(entries.begin() + 1, entries.end(), stale)) return list;
    std::vector<Perm> kept(entries.begin(), entries.begin() + 1);
    std::copy_if(entries.begin() + 1, entries.end(), std::back_inserter(kept),
                 [&](const Perm& entry) { return !stale(entry); });
    return make_perms(std::move(kept));
}

}  // namespace xenrig::xenstore
