// Transactions: nothing is held still. Each node is copied when it is first looked at, and the end asks whether all of
// them are what they were.
#include "tests/model/reference.h"

#include <cstdint>
#include <optional>

#include "tests/model/reference_text.h"

namespace xenrig::model {

Reference::Answer Reference::start(const std::string& name) {
    if (inside_ != nullptr) return fail("EBUSY");
    if (reaches_limit("transactions", client_->transactions.size() + 1)) return fail("ENOSPC");
    ++generation_;
    const std::uint32_t id = client_->next_id++;
    client_->transactions[id] = {};
    ids_[name] = id;
    return {"(id)"};
}

Reference::Answer Reference::commit(Transaction& transaction) {
    if (transaction.failed) return fail("ENOMEM");
    if (transaction.created && is_ring(client_->name)) {
        for (const auto& [owner, count] : transaction.nodes) {
            const Domain* domain = existing(owner);
            if (domain == nullptr) return fail("ENOMEM");
            const std::uint32_t limit = domain->limits.at("nodes");
            const auto id = static_cast<std::uint16_t>(owner);
            if (count >= 0 && limit != 0 && id != 0 && owned_by(id) + static_cast<std::uint32_t>(count) >= limit)
                return fail("ENOSPC");
        }
    }
    for (const auto& [path, copy] : transaction.copies) {
        const auto live = nodes_.find(path);
        const bool same =
            copy.base ? live != nodes_.end() && live->second.generation == copy.base->generation : live == nodes_.end();
        if (!same) return fail("EAGAIN");
    }
    // One after the other, in the order in which they were first looked at, each with its event.
    for (const std::string& path : transaction.order) {
        const Copy& copy = transaction.copies.at(path);
        if (copy.modified && copy.node) {
            nodes_[path] = *copy.node;
            nodes_[path].generation = ++generation_;
        } else if (copy.modified) {
            nodes_.erase(path);
        }
        if (!copy.event) continue;
        std::optional<Perms> old;
        if (copy.base) old = current(copy.base->perms, copy.base->generation);
        const auto node = nodes_.find(path);
        const auto parent = nodes_.find(parent_of(path));
        fire(path, *copy.event ? Match::subtree : Match::exact, old ? &*old : nullptr,
             node != nodes_.end() ? &node->second : nullptr, parent != nodes_.end() ? &parent->second : nullptr);
    }
    for (const auto& [owner, count] : transaction.nodes) (void)existing(owner);
    return ok();
}

}  // namespace xenrig::model
