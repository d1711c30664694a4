#include "sim/xenstore/store.h"

#include <charconv>

#include "sim/xenstore/path.h"

namespace xenrig::xenstore {

Store::Store(Environment& environment) : environment_(environment), domains_(environment) {
    domains_.add(DomId(0), generation_).introduced = true;
    const auto begin = [&](Ref<Node>& node) { node->generation = ++generation_; };
    begin(tree_.edit("/"));
    begin(tree_.create("/", "tool", "", tree_.root().perms));
    begin(tree_.create("/tool", "xenstored", "", tree_.root().perms));
    begin(tree_.edit(kReleaseDomain));
    begin(tree_.edit(kIntroduceDomain));
    domains_.find(0)->usage.add(Quota::nodes, 5);
}

Answer<std::string_view> Store::canonical(Connection& connection, std::string_view path, bool special_allowed) {
    const char first = path.empty() ? '\0' : path.front();
    if (first == '@' && !special_allowed) return std::unexpected(Errno::inval);
    if (first != '/' && first != '@') {
        canonical_.assign(connection.home()).append(1, '/').append(path);
        path = canonical_;
    }
    if (!well_formed(path)) return std::unexpected(Errno::inval);
    if (Domain* domain = connection.domain()) {
        const std::size_t length = counted_length(path);
        if (domain->exceeds(Quota::path_max, length)) return std::unexpected(Errno::inval);
        domain->usage.note_max(Quota::path_max, static_cast<std::uint32_t>(length));
    }
    return path;
}

Answer<const Node*> Store::look(Caller caller, std::string_view path) {
    if (caller.transaction == nullptr) {
        const Node* node = tree_.find(path);
        if (node == nullptr) return std::unexpected(Errno::noent);
        return node;
    }
    Transaction& transaction = *caller.transaction;
    Accessed* accessed = transaction.find(path);
    if (accessed == nullptr) {
        if (Domain* domain = caller.connection.domain()) {
            const std::size_t count = transaction.accessed().size() + 1;
            if (domain->exceeds(Quota::transaction_nodes, count)) {
                transaction.failed = true;
                return std::unexpected(Errno::nospc);
            }
            domain->usage.note_max(Quota::transaction_nodes, static_cast<std::uint32_t>(count));
        }
        accessed = &transaction.add(path);
        if (const Node* node = tree_.find(path)) {
            accessed->node = node->share();
            accessed->base_generation = node->generation;
            accessed->base_perms = domains_.current(node->perms, node->generation);
        }
    }
    if (!accessed->node) return std::unexpected(Errno::noent);
    return accessed->node.get();
}

std::uint8_t Store::access(const Connection& connection, const Perms& perms, std::uint64_t generation) const {
    constexpr std::uint8_t kAll = kRead | kWrite | kOwner;
    if (connection.privileged()) return kAll;
    const auto names_caller = [&](const Perm& entry) {
        return entry.domain == connection.domain_id().value || entry.domain == kDomIdAny ||
               (connection.target && entry.domain == connection.target->value);
    };
    const auto entries = perms->entries();
    if (names_caller(entries.front())) return kAll;
    for (const Perm& entry : entries.subspan(1))
        if (!entry.ignored && names_caller(entry) && domains_.means(entry, generation)) return entry.access;
    return entries.front().access;
}

Errno Store::hide(Caller caller, std::string_view path, Errno error, std::uint8_t needed) {
    // Whoever may not look into the parent does not learn whether the node is there.
    do {
        path = parent_of(path);
        const auto parent = look(caller, path);
        if (parent) return (access(caller.connection, **parent) & needed) != 0 ? error : Errno::access;
        if (parent.error() != Errno::noent) return parent.error();
    } while (path != "/");
    return Errno::access;
}

Answer<const Node*> Store::reach(Caller caller, std::string_view path, std::uint8_t needed) {
    const auto node = look(caller, path);
    if (node && (access(caller.connection, **node) & needed) == needed) return *node;
    const Errno error = node ? Errno::access : node.error();
    if (error == Errno::nospc) return std::unexpected(error);
    return std::unexpected(hide(caller, path, error, needed));
}

Answer<std::string_view> Store::read(Caller caller, std::string_view path) {
    const auto name = canonical(caller.connection, path, false);
    if (!name) return std::unexpected(name.error());
    const auto node = reach(caller, *name, kRead);
    if (!node) return std::unexpected(node.error());
    return (*node)->value();
}

Answer<std::string> Store::directory(Caller caller, std::string_view path) {
    const auto name = canonical(caller.connection, path, false);
    if (!name) return std::unexpected(name.error());
    const auto node = reach(caller, *name, kRead);
    if (!node) return std::unexpected(node.error());
    const Directory& children = (*node)->children;
    if (children.bytes() > kPayloadMax) return std::unexpected(Errno::toobig);
    std::string names;
    children.append_names(names, 0, kPayloadMax + 1);
    return names;
}

Answer<std::string> Store::directory_part(Caller caller, std::string_view path, std::size_t offset) {
    const auto name = canonical(caller.connection, path, false);
    if (!name) return std::unexpected(name.error());
    const auto node = reach(caller, *name, kRead);
    if (!node) return std::unexpected(node.error());
    std::string part = std::to_string((*node)->generation);
    part.push_back('\0');
    const Directory& children = (*node)->children;
    if (offset >= children.bytes() || children.append_names(part, offset, kPayloadMax - 1)) part.push_back('\0');
    return part;
}

Answer<Perms> Store::get_perms(Caller caller, std::string_view path) {
    const auto name = canonical(caller.connection, path, true);
    if (!name) return std::unexpected(name.error());
    const auto node = reach(caller, *name, kRead);
    if (!node) return std::unexpected(node.error());
    return domains_.current((*node)->perms, (*node)->generation);
}

}  // namespace xenrig::xenstore
