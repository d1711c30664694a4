// RM, and the nodes that a domain leaves behind: a subtree goes from its leaves up, and each node tells its watchers.
#include <vector>

#include "sim/xenstore/path.h"
#include "sim/xenstore/store.h"

namespace xenrig::xenstore {
namespace {

struct Step {
    const Node* node;
    std::vector<const Node*> children;
    std::size_t next = 0;
    std::size_t path_size;
};

}  // namespace

void Store::remove(const std::shared_ptr<Request>& cause, std::string_view path) {
    const Node* parent = tree_.find(parent_of(path));
    std::string at(path);
    std::vector<Step> steps;
    const Node* top = tree_.find(path);
    steps.push_back({top, children_of(*top), 0, at.size()});
    while (!steps.empty()) {
        Step& step = steps.back();
        if (step.next != step.children.size()) {
            const Node* child = step.children[step.next++];
            at.append(1, '/').append(child->name());
            steps.push_back({child, children_of(*child), 0, at.size()});
            continue;
        }
        const Node& node = *step.node;
        const bool is_top = steps.size() == 1;
        // One generation for the node that goes and one for the parent that loses it, which for the top is below.
        generation_ += is_top ? 1 : 2;
        const std::uint32_t owner = node.perms->owner();
        if (Domain* domain = domains_.find(owner)) {
            domain->usage.add(Quota::nodes, -1);
            if (owner != 0)
                domain->usage.add(Quota::memory, -static_cast<std::int64_t>(node.charged_size() + at.size()));
        }
        if (!watches_.empty()) {
            const Node* above = is_top ? parent : steps[steps.size() - 2].node;
            fire(cause, at, is_top ? Match::subtree : Match::exact, nullptr, {&node, above});
        }
        steps.pop_back();
        if (!steps.empty()) at.resize(steps.back().path_size);
    }
    Node& left = *tree_.edit(parent_of(path));
    renew(left);
    const std::uint32_t owner = left.perms->owner();
    if (owner != 0)
        if (Domain* domain = domains_.find(owner))
            domain->usage.add(Quota::memory, -static_cast<std::int64_t>(base_name(path).size() + 1));
    left.children.erase(base_name(path), hash_name(base_name(path)));
}

Answer<> Store::remove_in_transaction(Caller caller, std::string_view path) {
    Transaction& transaction = *caller.transaction;
    struct Place {
        std::vector<std::string> names;
        std::size_t next = 0;
        std::size_t path_size;
    };
    std::string at(path);
    std::vector<Place> places;
    const auto enter = [&]() -> Answer<> {
        const auto node = look(caller, at);
        if (!node) return std::unexpected(Errno::io);
        Place& place = places.emplace_back();
        place.path_size = at.size();
        (*node)->children.for_each([&](const Node& child) {
            place.names.emplace_back(child.name());
            return true;
        });
        return {};
    };
    if (auto entered = enter(); !entered) return entered;
    while (!places.empty()) {
        Place& place = places.back();
        if (place.next != place.names.size()) {
            at.append(1, '/').append(place.names[place.next++]);
            if (auto entered = enter(); !entered) return entered;
            continue;
        }
        ++generation_;
        Accessed& accessed = *transaction.find(at);
        count_node(caller, accessed.node->perms->owner(), -1);
        accessed.modified = true;
        accessed.node = {};
        accessed.children.clear();
        transaction.queue_event(at, places.size() == 1 ? Match::subtree : Match::exact);
        const std::string_view above = parent_of(at);
        const std::string_view name = base_name(at);
        // The parent was looked at before somebody else made the child: its list here does not have it.
        if (transaction.find(above)->node->children.find(name, hash_name(name)) == nullptr)
            return std::unexpected(Errno::io);
        change(caller, above)->children.erase(name, hash_name(name));
        transaction.find(above)->children.push_back({false, std::string(name)});
        places.pop_back();
        if (!places.empty()) at.resize(places.back().path_size);
    }
    return {};
}

Answer<> Store::rm(Caller caller, std::string_view path) {
    const auto name = canonical(caller.connection, path, false);
    if (!name) return std::unexpected(name.error());
    const auto node = reach(caller, *name, kWrite);
    if (!node) {
        if (node.error() != Errno::noent) return std::unexpected(node.error());
        // What is not there is removed already, if its parent is there.
        const auto parent = look(caller, parent_of(*name));
        return parent ? Answer<>{} : std::unexpected(parent.error());
    }
    if (*name == "/") return std::unexpected(Errno::inval);
    if (caller.transaction != nullptr) {
        if (const auto parent = look(caller, parent_of(*name)); !parent)
            return std::unexpected(parent.error() == Errno::nospc ? Errno::nospc : Errno::inval);
        return remove_in_transaction(caller, *name);
    }
    remove(caller.connection.current, *name);
    return {};
}

void Store::remove_nodes_of(DomId id) {
    Domain* domain = domains_.find(id.value);
    if (domain == nullptr) return;
    domain->gone = true;
    for (const std::string_view special : {kReleaseDomain, kIntroduceDomain})
        if (tree_.find(special)->perms->owner() == id.value) {
            Ref<Node>& node = tree_.edit(special);
            node->perms = with_owner(node->perms, 0);
            domain->usage.add(Quota::nodes, -1);
            domains_.find(0)->usage.add(Quota::nodes, 1);
        }
    if (domain->usage[Quota::nodes] == 0) return;
    // The list of what to look at comes from a snapshot, which stays as it is.
    const Tree before = tree_;
    std::string at = "/";
    std::vector<Step> steps;
    steps.push_back({&before.root(), children_of(before.root()), 0, 0});
    while (!steps.empty() && domain->usage[Quota::nodes] != 0) {
        Step& step = steps.back();
        if (step.next == step.children.size()) {
            steps.pop_back();
            continue;
        }
        at.resize(step.path_size);
        const Node* child = step.children[step.next++];
        at.append(1, '/').append(child->name());
        if (child->perms->owner() == id.value)
            remove(nullptr, at);
        else
            steps.push_back({child, children_of(*child), 0, at.size()});
    }
}

}  // namespace xenrig::xenstore
