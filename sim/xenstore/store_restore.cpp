// The store as an earlier daemon left it.
#include <algorithm>

#include "sim/xenstore/path.h"
#include "sim/xenstore/state_image.h"
#include "sim/xenstore/store.h"

namespace xenrig::xenstore {

void Store::restore_nodes(const std::vector<NodeImage>& nodes) {
    tree_ = Tree();
    for (std::uint32_t id = 0; id < domains_.end(); ++id)
        if (Domain* domain = domains_.find(id)) domain->usage[Quota::nodes] = 0;
    for (const NodeImage& image : nodes) {
        std::vector<Perm> entries = image.perms;
        if (domains_.find_existing(entries.front().domain, 0) == nullptr) entries.front().domain = 0;
        for (Perm& entry : entries)
            if (entry.domain != kDomIdAny && domains_.find_existing(entry.domain, 0) == nullptr) entry.ignored = true;
        Perms perms = make_perms(std::move(entries));
        const std::uint32_t owner = perms->owner();
        const bool made = image.path != "/" && image.path.front() != '@';
        if (!made && tree_.find(image.path) == nullptr) continue;
        Ref<Node>& node = made ? tree_.create(parent_of(image.path), base_name(image.path), image.value, perms)
                               : tree_.edit(image.path);
        if (!made) {
            node->perms = perms;
            Node::set_value(node, image.value);
        }
        node->generation = ++generation_;
        Domain& domain = *domains_.find(owner);
        domain.usage.add(Quota::nodes, 1);
        if (owner != 0)
            domain.usage.add(Quota::memory, static_cast<std::int64_t>(node->charged_size() + image.path.size()));
        if (made && tree_.find(parent_of(image.path))->perms->owner() != 0)
            domains_.find(tree_.find(parent_of(image.path))->perms->owner())
                ->usage.add(Quota::memory, static_cast<std::int64_t>(base_name(image.path).size() + 1));
    }
}

void Store::restore_transaction(Connection& connection, std::uint32_t id) {
    auto transaction = std::make_unique<Transaction>(id, ++generation_);
    transaction->restored = true;
    connection.transactions[id] = std::move(transaction);
    connection.next_transaction = std::max(connection.next_transaction, id + 1);
    if (Domain* domain = connection.domain()) domain->usage.add(Quota::transactions, 1);
}

}  // namespace xenrig::xenstore
