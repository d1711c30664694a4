// What a generator does with grants: entries of either version, mappings, copies, alone and in batches.
#include <algorithm>

#include "sim/hypercalls/generator.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypercalls {

namespace {

constexpr std::size_t kMappingsMax = 12;
constexpr std::uint32_t kFirstRef = 8, kRefs = 24, kWindows = 16;

}  // namespace

void Generator::new_entry() {
    Party& p = me();
    Entry entry{.ref = kFirstRef + pick(kRefs)};
    entry.read_only = one_in(4);
    entry.page = pick(4);
    entry.to = pick(static_cast<std::uint32_t>(parties_.size()));
    const std::int64_t read_only = entry.read_only ? GTF_readonly : 0;
    const std::string ref = text(entry.ref), to = domain_of(entry.to), page = text(entry.page);
    entry.whole = p.version == 1 || !one_in(3);
    std::erase_if(p.entries, [&](const Entry& e) { return e.ref == entry.ref; });
    p.entries.push_back(entry);
    if (p.version == 1) {
        say("ge", {ref, to, page, text(GTF_permit_access | read_only)});
    } else if (entry.whole) {
        say("g2", {ref, to, page, text(GTF_permit_access | read_only)});
    } else if (one_in(2) || !std::ranges::all_of(parties_, [](const Party& q) { return q.mappings.empty(); })) {
        const std::string offset = text(pick(2048));
        say("g3", {ref, to, page, text(GTF_permit_access | GTF_sub_page | read_only), offset, text(pick(2048))});
    } else {
        // For oneself, and used by nobody: from a copy by a transitive entry that is pinned as something else, Xen 4.17
        // never returns.
        p.entries.back().to = actor_;
        const auto others = usable();
        const std::string behind = others.empty() ? own_domain() : domain_of(others.front().granter);
        const std::string behind_ref = text(others.empty() ? 8 : others.front().entry->ref);
        say("gt", {ref, domain_of(actor_), behind, behind_ref, text(GTF_transitive | read_only)});
    }
}

std::vector<Generator::Usable> Generator::usable() {
    std::vector<Usable> found;
    for (unsigned p = 0; p < parties_.size(); ++p)
        for (const Entry& entry : parties_[p].entries)
            // Where there is a physmap, mapping a page of one's own takes it from its place.
            if (entry.to == actor_ && !(p == actor_ && me().translated)) found.push_back({p, &entry});
    return found;
}

/// A PV kernel may map over a mapping. Where there is a physmap that is a mistake for which Xen ends the domain.
std::optional<unsigned> Generator::window_for_map() {
    const std::uint32_t first = pick(kWindows);
    if (!me().translated) return first;
    for (std::uint32_t i = 0; i < kWindows; ++i) {
        const unsigned window = (first + i) % kWindows;
        if ((me().occupied >> window & 1) == 0) return window;
    }
    return std::nullopt;
}

Answered Generator::map_at(unsigned window, std::initializer_list<std::string> words) {
    std::string line = me().prefix + ("gm " + text(window));
    for (const std::string& word : words) line += ' ' + word;
    const Answered mapped = perform(line + ' ' + free_variable());
    if (mapped.well) {
        me().mappings.push_back({next_variable_, window});
        me().occupied |= 1u << window;
    }
    return mapped;
}

Answered Generator::unmap_at(unsigned window, const std::string& handle) {
    const Answered unmapped = say("gu", {text(window), handle});
    if (unmapped.well) me().occupied &= ~(1u << window);
    return unmapped;
}

void Generator::map_entry() {
    const auto all = usable();
    if (all.empty() || me().mappings.size() >= kMappingsMax) return new_entry();
    const Usable use = any_of(all);
    const auto window = window_for_map();
    if (!window) return unmap();
    const std::int64_t kind = GNTMAP_host_map | (me().translated ? 0 : GNTMAP_application_map);
    const std::int64_t flags = kind | (use.entry->read_only || one_in(3) ? GNTMAP_readonly : 0);
    map_at(*window, {text(flags), text(use.entry->ref), domain_of(use.granter)});
}

void Generator::unmap() {
    auto& mappings = me().mappings;
    if (mappings.empty()) return new_entry();
    const std::size_t i = pick(static_cast<std::uint32_t>(mappings.size()));
    const Mapping mapping = mappings[i];
    mappings.erase(mappings.begin() + static_cast<std::ptrdiff_t>(i));
    unmap_at(mapping.window, variable(mapping.variable));
}

void Generator::copy_entries() {
    const auto all = usable();
    if (all.empty()) return new_entry();
    const auto side = [&](std::uint32_t room) {
        const Usable use = any_of(all);
        const std::string owner = use.granter == actor_ ? own_domain() : domain_of(use.granter);
        return text(use.entry->ref) + ' ' + owner + ' ' + text(pick(room));
    };
    const std::string source = side(3800), dest = side(3900);
    say("gc", {source, dest, text(pick(256))});
}

/// Three copies in one hypercall, between entries and pages of one's own, of which the middle one may be bad.
void Generator::copy_batch() {
    const auto all = usable();
    if (all.empty()) return new_entry();
    constexpr unsigned kCopies = 3;
    const unsigned size = me().narrow ? 24 : 40, status = me().narrow ? 20 : 32;
    for (unsigned i = 0; i < kCopies; ++i) {
        const Usable use = any_of(all);
        const std::string ref = one_in(6) ? "4096" : text(use.entry->ref);
        const std::string owner = domain_of(use.granter);
        const std::string to = '%' + text(pick(4));
        const std::string offset = text(pick(2000));
        const std::string to_offset = text(pick(2000));
        put_struct(i * size, {{0, ref},
                              {2, owner},
                              {2, offset},
                              {0, to},
                              {2, text(DOMID_SELF)},
                              {2, to_offset},
                              {2, text(pick(64))},
                              {2, text(GNTCOPY_source_gref)},
                              {2, "99"}});
    }
    ask(__HYPERVISOR_grant_table_op, {text(GNTTABOP_copy), "@15", text(kCopies)});
    for (unsigned i = 0; i < kCopies; ++i) say("r2", {"15", text(i * size + status)});
}

void Generator::swap_entries() {
    auto& entries = me().entries;
    if (entries.size() < 2) return new_entry();
    Entry& a = entries[pick(static_cast<std::uint32_t>(entries.size()))];
    Entry& b = entries[pick(static_cast<std::uint32_t>(entries.size()))];
    put_struct(0, {{4, text(a.ref)}, {4, text(b.ref)}, {2, "99"}});
    const bool asked = ask(__HYPERVISOR_grant_table_op, {text(GNTTABOP_swap_grant_ref), "@15", "1"}).well;
    const Answered status = say("r2", {"15", "8"});
    if (asked && status.line == " 0") std::swap(a.ref, b.ref);
}

/// Only while nothing is in use; the entries are gone then.
void Generator::change_version() {
    Party& p = me();
    const unsigned wanted = one_in(10) ? 3 : 3 - p.version;
    if (say("gv", {text(wanted)}).well) {
        p.version = wanted;
        p.entries.clear();
    }
}

void Generator::grants() {
    Party& p = me();
    if (p.entries.empty()) return new_entry();
    if (p.mappings.size() >= kMappingsMax) return unmap();
    switch (pick(19)) {
        case 0:
        case 1:
            return new_entry();
        case 2: {
            const std::string ref = text(any_of(p.entries).ref);
            p.version == 1 ? say(one_in(3) ? "gx" : "gf", {ref}) : say("gs", {ref});
            break;
        }
        case 3:
        case 4:
        case 5:
        case 6:
            return map_entry();
        case 7:
        case 8:
        case 9:
            return unmap();
        case 10:
        case 11:
            return copy_entries();
        case 12:
            return one_in(3) ? copy_batch() : copy_entries();
        case 13: {
            const std::string page = text(pick(4));
            const std::string offset = text(pick(4096));
            say("pw", {page, offset, text(pick(256))});
            break;
        }
        case 14:
        case 15: {
            const std::string page = text(pick(4));
            say("prd", {page, text(pick(4096))});
            break;
        }
        case 16:
            return one_in(4) ? change_version() : swap_entries();
        case 17: {
            const std::string ref = text(any_of(p.entries).ref);
            say(p.version == 1 ? "gf" : "gs", {ref});
            break;
        }
        default: {
            const std::string window = text(p.mappings.empty() ? pick(16) : any_of(p.mappings).window);
            const std::string offset = text(pick(4096));
            one_in(2) ? say("mr", {window, offset}) : say("mw", {window, offset, text(pick(256))});
            break;
        }
    }
}

}  // namespace xenrig::hypercalls
