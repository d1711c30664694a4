// The connections that may have something to read or to write, in the order in which they came.
//
// A daemon with ten thousand idle connections looks at none of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "sim/xenstore/connection.h"

namespace xenrig::xenstore {

class ActiveSet {
public:
    void insert(Connection& connection) {
        if (connection.is_active) return;
        connection.is_active = true;
        connections_.insert(lower_bound(connection.id()), &connection);
    }
    void erase(Connection& connection) {
        if (!connection.is_active) return;
        connection.is_active = false;
        connections_.erase(lower_bound(connection.id()));
    }
    /// The first one whose id is greater than `id`, or null.
    Connection* after(std::uint64_t id) {
        const auto next = lower_bound(id + 1);
        return next == connections_.end() ? nullptr : *next;
    }
    const std::vector<Connection*>& all() const { return connections_; }

private:
    std::vector<Connection*>::iterator lower_bound(std::uint64_t id) {
        return std::lower_bound(connections_.begin(), connections_.end(), id,
                                [](const Connection* c, std::uint64_t i) { return c->id() < i; });
    }
    std::vector<Connection*> connections_;
};

}  // namespace xenrig::xenstore
