// Operations that change nodes: WRITE, MKDIR, SET_PERMS.
#include <vector>

#include "sim/xenstore/path.h"
#include "sim/xenstore/store.h"

namespace xenrig::xenstore {
namespace {

std::size_t empty_size(const Perms& perms) { return 16 + 8 * perms->entries().size(); }

std::int64_t bytes(std::size_t n) { return static_cast<std::int64_t>(n); }

}  // namespace

/// The next generation. Permissions of domains that are gone go with the old one: under the new one they would grant
/// something to a later domain of the same number.
void Store::renew(Node& node) {
    if (node.perms->entries().size() > 1) node.perms = domains_.current(node.perms, node.generation);
    node.generation = ++generation_;
}

/// The node, which the caller has looked at, for writing.
Ref<Node>& Store::change(Caller caller, std::string_view path) {
    Ref<Node>* node = nullptr;
    if (Transaction* transaction = caller.transaction) {
        Accessed& accessed = *transaction->find(path);
        accessed.modified = true;
        if (!accessed.node.unique()) accessed.node = accessed.node->clone();
        node = &accessed.node;
    } else {
        node = &tree_.edit(path);
    }
    renew(**node);
    return *node;
}

/// Whether the caller may write a node of `size` bytes that `owner` is charged for.
Answer<> Store::check_size(Caller caller, std::size_t size, std::uint32_t owner) {
    Domain* domain = caller.connection.domain();
    if (domain == nullptr) return {};
    bool refused = domain->exceeds(Quota::node_size, size);
    Errno error = Errno::nospc;
    if (!refused) {
        domain->usage.note_max(Quota::node_size, static_cast<std::uint32_t>(size));
        const Domain* charged = domains_.find(owner);
        refused = charged != nullptr && domain->exceeds(Quota::memory, charged->usage[Quota::memory] + size);
        error = Errno::nomem;
    }
    if (!refused) return {};
    ++generation_;
    if (caller.transaction != nullptr) caller.transaction->failed = true;
    return std::unexpected(error);
}

void Store::charge(Caller caller, std::uint32_t owner, std::int64_t n) {
    // Dom0 has no limit, and a transaction is charged for when it ends.
    if (owner == 0 || caller.transaction != nullptr) return;
    if (Domain* domain = domains_.find(owner)) domain->usage.add(Quota::memory, n);
}

void Store::count_node(Caller caller, std::uint32_t owner, int change) {
    if (caller.transaction != nullptr)
        caller.transaction->count_node(owner, change);
    else if (Domain* domain = domains_.find_existing(owner, generation_))
        domain->usage.add(Quota::nodes, change);
}

Answer<> Store::create(Caller caller, std::string_view path, std::string_view value) {
    std::vector<std::string_view> missing{path};
    std::string_view above = parent_of(path);
    for (;;) {
        const auto parent = look(caller, above);
        if (parent) break;
        if (parent.error() != Errno::noent || above == "/") return std::unexpected(parent.error());
        missing.push_back(above);
        above = parent_of(above);
    }
    if (caller.transaction != nullptr) caller.transaction->node_created = true;
    if (Domain* domain = caller.connection.domain();
        domain != nullptr && domain->exceeds(Quota::nodes, std::uint64_t{domain->usage[Quota::nodes]} + 1))
        return std::unexpected(Errno::nospc);

    const Node& parent = **look(caller, above);
    Perms perms = domains_.current(parent.perms, parent.generation);
    if (!caller.connection.privileged()) perms = with_owner(perms, caller.connection.domain_id().value);

    // From the leaf up, as they are written; the one that exists comes last.
    const std::uint32_t owner = perms->owner();
    if (auto ok = check_size(caller, empty_size(perms) + value.size(), owner); !ok) return ok;
    for (std::size_t i = 0; i + 1 < missing.size(); ++i) {
        const std::size_t size = empty_size(perms) + base_name(missing[i]).size() + 1;
        if (auto ok = check_size(caller, size, owner); !ok) return ok;
    }
    const std::string_view top = base_name(missing.back());
    if (auto ok = check_size(caller, parent.charged_size() + top.size() + 1, parent.perms->owner()); !ok) return ok;

    const std::uint64_t before = generation_;
    generation_ += missing.size();
    const auto generation_of = [&](std::size_t i) { return before + 1 + i; };
    Ref<Node>* at = &change(caller, above);
    charge(caller, (*at)->perms->owner(), bytes(top.size() + 1));
    for (std::size_t i = missing.size(); i-- != 0;) {
        const std::string_view name = base_name(missing[i]);
        Ref<Node> node = Node::make(name, i == 0 ? value : std::string_view{}, perms);
        node->generation = generation_of(i);
        count_node(caller, owner, 1);
        charge(caller, owner,
               bytes(node->charged_size() + missing[i].size() + (i == 0 ? 0 : base_name(missing[i - 1]).size() + 1)));
        if (Transaction* transaction = caller.transaction) {
            // In a transaction a parent only has to know the name; the node itself has its own place.
            transaction->find(parent_of(missing[i]))->children.push_back({true, std::string(name)});
            (*at)->children.append(node->clone());
            Accessed& accessed = *transaction->find(missing[i]);
            accessed.modified = true;
            accessed.children.clear();
            accessed.node = std::move(node);
            at = &accessed.node;
        } else {
            const std::uint32_t hash = node->name_hash();
            (*at)->children.append(std::move(node));
            if (i != 0) at = (*at)->children.edit(name, hash);
        }
    }
    return {};
}

Answer<> Store::write(Caller caller, std::string_view path, std::string_view value) {
    const auto name = canonical(caller.connection, path, false);
    if (!name) return std::unexpected(name.error());
    const auto node = reach(caller, *name, kWrite);
    if (!node && node.error() != Errno::noent) return std::unexpected(node.error());
    if (!node) {
        if (auto made = create(caller, *name, value); !made) return made;
    } else {
        const std::size_t old_size = (*node)->value().size();
        const std::size_t size = (*node)->charged_size() - old_size + value.size();
        const std::uint32_t owner = (*node)->perms->owner();
        if (auto ok = check_size(caller, size, owner); !ok) return ok;
        Node::set_value(change(caller, *name), value);
        charge(caller, owner, bytes(value.size()) - bytes(old_size));
    }
    changed(caller, *name);
    return {};
}

Answer<> Store::mkdir(Caller caller, std::string_view path) {
    const auto name = canonical(caller.connection, path, false);
    if (!name) return std::unexpected(name.error());
    const auto node = reach(caller, *name, kWrite);
    if (node) return {};
    if (node.error() != Errno::noent) return std::unexpected(node.error());
    if (auto made = create(caller, *name, {}); !made) return made;
    changed(caller, *name);
    return {};
}

Answer<std::vector<Perm>> Store::parse_perms(Connection& connection, std::span<const std::string_view> texts) const {
    if (Domain* domain = connection.domain(); domain != nullptr) {
        if (domain->exceeds(Quota::node_permissions, texts.size())) return std::unexpected(Errno::nospc);
        domain->usage.note_max(Quota::node_permissions, static_cast<std::uint32_t>(texts.size()));
    }
    std::vector<Perm> entries;
    for (const std::string_view text : texts) {
        const auto entry = parse_perm(text);
        if (!entry) return std::unexpected(entry.error());
        entries.push_back(*entry);
    }
    return entries;
}

Answer<> Store::set_perms(Caller caller, std::string_view path, std::vector<Perm> entries) {
    Connection& connection = caller.connection;
    for (Perm& entry : entries) {
        const bool any = entry.domain == kDomIdAny;
        entry.ignored = any ? connection.domain() != nullptr && (connection.domain()->features & kFeatureDomIdAny) == 0
                            : domains_.find_existing(entry.domain, generation_) == nullptr;
    }
    if (entries.front().ignored) return std::unexpected(Errno::noent);
    const auto name = canonical(connection, path, true);
    if (!name) return std::unexpected(name.error());
    const auto node = reach(caller, *name, kWrite | kOwner);
    if (!node) return std::unexpected(node.error());

    const Perms old_perms = domains_.current((*node)->perms, (*node)->generation);
    const Perms perms = make_perms(std::move(entries));
    if (!connection.privileged() && perms->owner() != old_perms->owner()) return std::unexpected(Errno::perm);
    const std::size_t old_size = (*node)->charged_size();
    const std::size_t size = old_size - empty_size((*node)->perms) + empty_size(perms);
    count_node(caller, old_perms->owner(), -1);
    count_node(caller, perms->owner(), 1);
    if (auto ok = check_size(caller, size, perms->owner()); !ok) {
        count_node(caller, perms->owner(), -1);
        count_node(caller, old_perms->owner(), 1);
        return ok;
    }
    change(caller, *name)->perms = perms;
    charge(caller, old_perms->owner(), -bytes(old_size + name->size()));
    charge(caller, perms->owner(), bytes(size + name->size()));
    changed(caller, *name, &old_perms);
    return {};
}

}  // namespace xenrig::xenstore
