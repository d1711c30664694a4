// Transactions of C xenstored: start, and an end that compares generations before it writes anything.
#include <algorithm>
#include <vector>

#include "sim/xenstore/path.h"
#include "sim/xenstore/store.h"

namespace xenrig::xenstore {

Answer<std::uint32_t> Store::start(Caller caller) {
    Connection& connection = caller.connection;
    if (caller.transaction != nullptr) return std::unexpected(Errno::busy);
    Domain* domain = connection.domain();
    if (domain != nullptr &&
        domain->exceeds(Quota::transactions, domain->usage[Quota::transactions] + std::uint64_t{1}))
        return std::unexpected(Errno::nospc);
    // Numbers wrap after 2^32 and then skip those in use; 0 is no transaction.
    std::uint32_t id = 0;
    do id = connection.next_transaction++;
    while (id == 0 || connection.transactions.contains(id));
    auto transaction = std::make_unique<Transaction>(id, ++generation_);
    connection.transactions.emplace(id, std::move(transaction));
    if (domain != nullptr) domain->usage.add(Quota::transactions, 1);
    return id;
}

Answer<> Store::end(Caller caller, bool commits) {
    if (caller.transaction == nullptr) return std::unexpected(Errno::noent);
    Connection& connection = caller.connection;
    const auto entry = connection.transactions.find(caller.transaction->id);
    const std::unique_ptr<Transaction> ended = std::move(entry->second);
    connection.transactions.erase(entry);
    if (Domain* domain = connection.domain()) domain->usage.add(Quota::transactions, -1);
    return commits ? commit(connection, *ended) : Answer<>{};
}

void Store::drop_transactions(Connection& connection) {
    if (Domain* domain = connection.domain())
        domain->usage.add(Quota::transactions, -static_cast<std::int64_t>(connection.transactions.size()));
    connection.transactions.clear();
}

Answer<> Store::commit(Connection& connection, Transaction& transaction) {
    if (transaction.restored) return std::unexpected(Errno::again);
    if (transaction.failed) return std::unexpected(Errno::nomem);
    if (transaction.node_created && !connection.privileged()) {
        for (const auto& [owner, count] : transaction.node_changes()) {
            Domain* domain = domains_.find_existing(owner, generation_);
            if (domain == nullptr) return std::unexpected(Errno::nomem);
            if (count >= 0 && domain->exceeds(Quota::nodes, std::uint64_t{domain->usage[Quota::nodes]} + count))
                return std::unexpected(Errno::nospc);
        }
    }
    for (const Accessed& accessed : transaction.accessed()) {
        const Node* node = tree_.find(accessed.path);
        if ((node != nullptr ? node->generation : kNoGeneration) != accessed.base_generation)
            return std::unexpected(Errno::again);
    }
    // Events of guests depend on permissions of nodes that are written one after the other; the old tree tells what a
    // node was while its turn had not come.
    std::optional<Tree> before;
    if (guest_watches_ != 0) before = tree_;
    apply(transaction);
    for (Accessed& accessed : transaction.accessed()) {
        accessed.applied = true;
        if (!accessed.event) continue;
        const auto now = [&](std::string_view path) {
            if (!before) return tree_.find(path);
            const Accessed* other = transaction.find(path);
            const bool waits = other != nullptr && other->modified && !other->applied;
            return waits ? before->find(path) : tree_.find(path);
        };
        const Perms* old_perms = accessed.base_perms ? &accessed.base_perms : nullptr;
        const Seen seen{now(accessed.path), now(parent_of(accessed.path))};
        fire(connection.current, accessed.path, *accessed.event, old_perms, seen);
    }
    for (const auto& [owner, count] : transaction.node_changes())
        if (Domain* domain = domains_.find_existing(owner, generation_)) domain->usage.add(Quota::nodes, count);
    return {};
}

void Store::apply(Transaction& transaction) {
    std::vector<Accessed*> modified;
    const auto charge_live = [&](const Accessed& accessed, int sign) {
        const Node* node = tree_.find(accessed.path);
        if (node == nullptr || node->perms->owner() == 0) return;
        if (Domain* domain = domains_.find(node->perms->owner()))
            domain->usage.add(Quota::memory,
                              sign * static_cast<std::int64_t>(node->charged_size() + accessed.path.size()));
    };
    // Generations count in the order in which nodes were first looked at.
    for (Accessed& accessed : transaction.accessed()) {
        if (!accessed.modified) continue;
        if (accessed.node) accessed.node->generation = ++generation_;
        modified.push_back(&accessed);
        charge_live(accessed, -1);
    }
    // Parents before their children, which their lists create.
    std::sort(modified.begin(), modified.end(), [](const Accessed* a, const Accessed* b) { return a->path < b->path; });
    for (Accessed* accessed : modified) {
        if (!accessed->node) continue;
        const Node& made = *accessed->node;
        Ref<Node>& node = tree_.edit(accessed->path);
        node->perms = made.perms;
        node->generation = made.generation;
        for (const ChildChange& change : accessed->children) {
            if (change.added)
                node->children.append(Node::make(change.name, {}, made.perms));
            else
                node->children.erase(change.name, hash_name(change.name));
        }
        if (node->value() != made.value()) Node::set_value(node, made.value());
    }
    for (const Accessed* accessed : modified) charge_live(*accessed, 1);
}

}  // namespace xenrig::xenstore
