#include "sim/xenstore/transaction.h"

namespace xenrig::xenstore {
namespace {

/// Up to here a look along the list is faster than a table.
constexpr std::size_t kListMax = 8;

}  // namespace

Accessed* Transaction::find(std::string_view path) {
    if (accessed_.size() <= kListMax) {
        for (Accessed& a : accessed_)
            if (a.path == path) return &a;
        return nullptr;
    }
    const auto found = by_path_.find(path);
    return found == by_path_.end() ? nullptr : found->second;
}

Accessed& Transaction::add(std::string_view path) {
    Accessed& added = accessed_.emplace_back();
    added.path = path;
    if (accessed_.size() == kListMax + 1) {
        for (Accessed& a : accessed_) by_path_.emplace(a.path, &a);
    } else if (accessed_.size() > kListMax) {
        by_path_.emplace(added.path, &added);
    }
    return added;
}

void Transaction::queue_event(std::string_view path, Match match) {
    Accessed* accessed = find(path);
    if (accessed == nullptr) {
        failed = true;
    } else if (!accessed->event || match == Match::subtree) {
        accessed->event = match;
    }
}

void Transaction::count_node(std::uint32_t owner, int change) {
    for (auto& [domain, count] : node_changes_) {
        if (domain != owner) continue;
        count += change;
        return;
    }
    node_changes_.emplace_back(owner, change);
}

}  // namespace xenrig::xenstore
