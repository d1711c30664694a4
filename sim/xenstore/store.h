// The operations of the store, each on behalf of a connection and perhaps in one of its transactions.
//
// Paths are as clients write them: absolute, relative to the caller's home, or special. What an operation answers,
// which error wins when there are several, and which events it sends before it answers are xenstored's (core.c,
// transaction.c, watch.c of head; docs/misc/xenstore.txt). Views that an operation returns last until the next one.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/xenstore/connection.h"
#include "sim/xenstore/domains.h"
#include "sim/xenstore/environment.h"
#include "sim/xenstore/transaction.h"
#include "sim/xenstore/tree.h"
#include "sim/xenstore/watches.h"
#include "xenrig/abi/error.h"

namespace xenrig::xenstore {

struct NodeImage;

template <class T = void>
using Answer = std::expected<T, Errno>;

struct Caller {
    Connection& connection;
    Transaction* transaction = nullptr;
};

class Store {
public:
    explicit Store(Environment& environment);

    Answer<std::string_view> read(Caller caller, std::string_view path);
    /// The names of the children, each with its nul.
    Answer<std::string> directory(Caller caller, std::string_view path);
    /// DIRECTORY_PART's answer: the node's generation, and as many names from byte `offset` on as fit.
    Answer<std::string> directory_part(Caller caller, std::string_view path, std::size_t offset);
    Answer<Perms> get_perms(Caller caller, std::string_view path);

    Answer<> write(Caller caller, std::string_view path, std::string_view value);
    Answer<> mkdir(Caller caller, std::string_view path);
    Answer<> rm(Caller caller, std::string_view path);
    Answer<> set_perms(Caller caller, std::string_view path, std::vector<Perm> entries);
    /// Entries as they stand on the wire; ENOSPC for more than the caller may set.
    Answer<std::vector<Perm>> parse_perms(Connection& connection, std::span<const std::string_view> texts) const;

    /// The first event is the caller's to send, after its answer: Connection::event() with what is returned.
    Answer<const Watch*> watch(Connection& connection, std::string_view path, std::string_view token, int depth);
    Answer<> unwatch(Connection& connection, std::string_view path, std::string_view token);
    void drop_watches(Connection& connection);

    Answer<std::uint32_t> start(Caller caller);
    /// Ends the caller's transaction; EAGAIN when something that it saw has changed.
    Answer<> end(Caller caller, bool commit);
    void drop_transactions(Connection& connection);

    /// Events of @introduceDomain and @releaseDomain, with and without the domain's number.
    void special_event(std::string_view name, DomId domain, bool plain, bool numbered);
    /// Removes what a domain that is gone owns.
    void remove_nodes_of(DomId domain);

    /// The absolute path, or EINVAL: letters, slashes, the caller's path quota.
    Answer<std::string_view> canonical(Connection& connection, std::string_view path, bool special_allowed);

    /// The whole tree anew, parents before children; owners that do not exist are replaced by dom0.
    void restore_nodes(const std::vector<NodeImage>& nodes);
    /// A transaction that an earlier daemon began; all that it can do is to be started again.
    void restore_transaction(Connection& connection, std::uint32_t id);

    /// Registers a watch; quotas and doubles are the caller's to look for.
    Watch& add_watch(Connection& connection, std::string_view path, std::string_view token, std::size_t prefix,
                     int depth);
    void remove_watch(Watch& watch);

    const Tree& tree() const { return tree_; }
    Tree& tree() { return tree_; }
    WatchIndex& watches() { return watches_; }
    Domains& domains() { return domains_; }
    std::uint64_t generation() const { return generation_; }

private:
    /// What decides whether a watcher may hear of a change: the permissions of the node and of its parent.
    struct Seen {
        const Node* node = nullptr;
        const Node* parent = nullptr;
    };

    // store.cpp
    Answer<const Node*> look(Caller caller, std::string_view path);
    Answer<const Node*> reach(Caller caller, std::string_view path, std::uint8_t needed);
    Errno hide(Caller caller, std::string_view path, Errno error, std::uint8_t needed);
    std::uint8_t access(const Connection& connection, const Perms& perms, std::uint64_t generation) const;
    std::uint8_t access(const Connection& connection, const Node& node) const {
        return access(connection, node.perms, node.generation);
    }

    // store_write.cpp
    void renew(Node& node);
    Ref<Node>& change(Caller caller, std::string_view path);
    Answer<> check_size(Caller caller, std::size_t size, std::uint32_t owner);
    void charge(Caller caller, std::uint32_t owner, std::int64_t bytes);
    void count_node(Caller caller, std::uint32_t owner, int change);
    Answer<> create(Caller caller, std::string_view path, std::string_view value);

    // store_remove.cpp
    void remove(const std::shared_ptr<Request>& cause, std::string_view path);
    Answer<> remove_in_transaction(Caller caller, std::string_view path);

    // store_commit.cpp
    Answer<> commit(Connection& connection, Transaction& transaction);
    void apply(Transaction& transaction);

    // store_watch.cpp
    void forget_watch(Watch& watch);
    bool may_hear(const Connection& watcher, const Perms* old_perms, const Seen& seen) const;
    void fire(const std::shared_ptr<Request>& cause, std::string_view path, Match match, const Perms* old_perms,
              const Seen& seen);
    void changed(Caller caller, std::string_view path, const Perms* old_perms = nullptr);

    Environment& environment_;
    Tree tree_;
    Domains domains_;
    WatchIndex watches_;
    std::uint64_t generation_ = 0;
    std::uint64_t watch_orders_ = 0;
    std::size_t guest_watches_ = 0;
    std::string canonical_;
};

}  // namespace xenrig::xenstore
