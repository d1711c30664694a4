#include "tests/fuzz/xenstore_audit.h"

#include <algorithm>
#include <map>
#include <string>

#include "sim/xenstore/daemon.h"
#include "sim/xenstore/store.h"
#include "xenrig/abi/check.h"

namespace xenrig::fuzz {
namespace {

using namespace xenstore;

struct Owned {
    std::uint64_t nodes = 0, bytes = 0;
};
using Owners = std::map<std::uint32_t, Owned>;

void count(const Node& node, const std::string& path, Owners& owners) {
    Owned& owned = owners[node.perms->owner()];
    ++owned.nodes;
    owned.bytes += node.charged_size() + path.size();
    std::size_t children = 0, bytes = 0;
    node.children.for_each([&](const Node& child) {
        ++children;
        bytes += child.name().size() + 1;
        check(node.children.find(child.name(), child.name_hash()) == &child, "a directory finds each of its children");
        count(child, path == "/" ? "/" + std::string(child.name()) : path + "/" + std::string(child.name()), owners);
        return true;
    });
    check(children == node.children.count(), "a directory knows how many children it has");
    check(bytes == node.children.bytes(), "a directory knows how long the list of its children is");
}

void check_watches(Store& store, const Connection& connection) {
    for (const auto& [order, watch] : connection.watches) {
        const auto* there = store.watches().at(watch.path);
        check(there != nullptr && std::find(there->begin(), there->end(), &watch) != there->end(),
              "the index has every watch where it was set");
    }
}

void check_charges(const Domain& domain, const Owned& owned, bool exact) {
    const Usage& usage = domain.usage;
    check(usage[Quota::nodes] <= owned.nodes, "a domain is not charged for nodes that it does not own");
    check(!exact || usage[Quota::nodes] == owned.nodes, "a domain is charged for each of its nodes");
    if (domain.id.value == 0) return;
    std::uint64_t bytes = owned.bytes;
    std::size_t watches = 0, transactions = 0;
    if (const Connection* connection = domain.connection) {
        watches = connection->watches.size();
        transactions = connection->transactions.size();
        for (const auto& [order, watch] : connection->watches) bytes += watch.path.size() + watch.token.size();
        bytes += connection->pending_output().size();
    }
    check(usage[Quota::watches] == watches, "a domain is charged for just the watches that it has");
    check(usage[Quota::transactions] == transactions, "a domain is charged for just the transactions that it has open");
    // Of a message that is half sent, all of it is charged and only the rest is still there.
    constexpr std::size_t kMessageMax = kHeaderSize + kPayloadMax;
    check(usage[Quota::memory] <= bytes + kMessageMax, "a domain is not charged for bytes that it does not take");
    check(!exact || usage[Quota::memory] >= bytes, "a domain is charged for the bytes that it takes");
    const std::uint32_t limit = domain.limits.hard[static_cast<std::size_t>(Quota::memory)];
    check(limit == 0 || usage[Quota::memory] <= std::uint64_t{limit} + 2 * kMessageMax,
          "what a guest can cost us is bounded");
}

}  // namespace

void audit(Daemon& daemon, Personality personality, bool domains_ended) {
    Store& store = daemon.store();
    Owners owners;
    count(store.tree().root(), "/", owners);
    for (const std::string_view special : {kIntroduceDomain, kReleaseDomain})
        if (const Node* node = store.tree().find(special)) count(*node, std::string(special), owners);
    for (std::uint32_t id = 0; id < store.domains().end(); ++id) {
        const Domain* domain = store.domains().find(id);
        if (domain == nullptr) continue;
        if (domain->connection != nullptr) check_watches(store, *domain->connection);
        if (personality == Personality::c) check_charges(*domain, owners[id], !domains_ended);
    }
}

}  // namespace xenrig::fuzz
