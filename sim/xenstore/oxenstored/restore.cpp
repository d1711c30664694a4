// oxenstored goes on from a state: the real one has a text of its own for that; here it is Xen's migration stream, as
// for C xenstored. What the stream cannot say is in docs/fidelity.md.
#include "sim/xenstore/oxenstored/service.h"
#include "sim/xenstore/path.h"
#include "sim/xenstore/state_image.h"

namespace xenrig::xenstore::oxen {

void Service::restore_nodes(const std::vector<NodeImage>& nodes) {
    Tree& tree = daemon_.store.tree();
    tree = Tree();
    counts_.clear();
    for (const NodeImage& image : nodes) {
        // C xenstored's special nodes are none of the tree; oxenstored has them below the root.
        if (image.path.front() == '@') continue;
        Perms perms = make_perms(image.perms);
        if (image.path == "/") {
            tree.edit("/")->perms = perms;
            Node::set_value(tree.edit("/"), image.value);
        } else {
            ++counts_[perms->owner()];
            tree.create(parent_of(image.path), base_name(image.path), image.value, perms);
        }
    }
}

Connection& Service::restore_domain(DomId id, std::unique_ptr<RingTransport> ring, Port port) {
    domains_[id.value] = {kUnknownFrame, port.value};
    return connect_ring(id, std::move(ring), port);
}

void Service::restore_transaction(Connection& connection, std::uint32_t id) {
    auto transaction = std::make_shared<Transaction>(id, live());
    transaction->restored = true;
    connection.snapshots.emplace(id, std::move(transaction));
    connection.next_transaction = std::max(connection.next_transaction, id + 1);
}

}  // namespace xenrig::xenstore::oxen
