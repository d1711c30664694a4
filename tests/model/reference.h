// C xenstored as plainly as it can be said: a map from paths to nodes, watches in a list, and for each transaction its
// own copy of each node that it has looked at.
//
// It shares no code and no structure with sim/xenstore: nothing is indexed, shared or counted ahead, so that it can be
// read and believed. What it says is what docs/misc/xenstore.txt and C xenstored's head say; generations are counted as
// there, because DIRECTORY_PART shows them. Left out: CONTROL, and limits that count bytes of memory or time.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/model/player.h"

namespace xenrig::model {

class Reference final : public Player {
public:
    Reference();

    /// Nothing is heard by connections that are not there. Requests at once are answered one after the other, and no
    /// events are merged between them: the runner allows for that.
    Heard run(const Step& step) override;
    /// Whether requests of the connection are read: an open socket, or the ring of a domain that was introduced.
    bool connected(const std::string& connection) const;
    /// Whether anybody has heard of the domain.
    bool exists(std::uint16_t domain) const { return world_.contains(domain); }

private:
    struct Perm {
        std::uint32_t domain = 0;
        char letter = 'n';
        bool ignored = false;  ///< the domain did not exist when the list was set
    };
    using Perms = std::vector<Perm>;
    struct Node {
        std::string value;
        Perms perms;
        std::vector<std::string> children;
        std::uint64_t generation = 0;
    };
    struct Copy {
        std::optional<Node> node;
        std::optional<Node> base;  ///< as it was when it was first looked at
        bool modified = false;
        std::optional<bool> event;  ///< whether it is for the whole subtree
    };
    struct Transaction {
        std::map<std::string, Copy> copies;
        std::vector<std::string> order;
        bool failed = false, created = false;
        std::map<std::uint32_t, int> nodes;  ///< more or fewer, by owner
    };
    struct Watch {
        std::string connection, path, token;
        std::string shown;  ///< as the client wrote it
        int depth;
    };
    using Limits = std::map<std::string, std::uint32_t>;
    struct Domain {
        bool introduced = false, shutdown = false, gone = false;
        std::uint32_t features = 14;
        std::uint64_t since = 0;
        std::optional<std::uint16_t> target;
        Limits limits;
    };
    struct Client {
        std::string name;
        std::map<std::uint32_t, Transaction> transactions{};
        std::uint32_t next_id = 1;
    };
    /// An error's word, or what is answered.
    struct Answer {
        std::string payload;
        bool error = false;
    };
    enum class Match : std::uint8_t { exact, subtree, plain_special, numbered_special };
    enum Access : unsigned { kRead = 1, kWrite = 2, kOwner = 4 };

    static Answer fail(const char* word) { return {word, true}; }
    static Answer ok() { return {std::string("OK\0", 3), false}; }

    // Requests.
    void request(const Request& request);
    Answer answer(const Request& request);
    Answer read(const std::string& path, std::uint32_t type, std::string_view offset);
    Answer write(const std::string& path, const std::string& value, bool directory);
    Answer create(const std::string& path, const std::string& value);
    Answer remove(const std::string& path);
    Answer set_perms(const std::string& path, const std::vector<std::string>& texts);
    Answer watch(const std::vector<std::string>& strings);
    Answer unwatch(const std::vector<std::string>& strings);
    Answer start(const std::string& name);
    Answer end(bool commits);
    Answer commit(Transaction& transaction);
    Answer domain_request(std::uint32_t type, const std::string& payload);
    Answer introduce(std::uint16_t id);
    Answer release(std::uint16_t id);
    Answer feature_or_quota(std::uint32_t type, const std::vector<std::string>& strings);

    // Nodes, as the request sees them: in its transaction, or live.
    Node* look(const std::string& path);
    Node& touch(const std::string& path);
    void put(const std::string& path, std::optional<Node> node);
    Answer reach(const std::string& path, unsigned needed);
    std::string absolute(const std::string& path) const;
    bool is_path(const std::string& path, bool special) const;
    bool too_large(std::size_t size);
    void count_nodes(std::uint32_t owner, int change);
    std::uint32_t owned_by(std::uint16_t id) const;
    void post_order(const std::string& path, std::vector<std::string>& paths) const;
    void erase_live(const std::string& path);

    // Rights and domains.
    bool reaches_limit(const char* quota, std::size_t value) const;
    bool means(const Perm& perm, std::uint64_t generation) const;
    Perms current(const Perms& perms, std::uint64_t generation) const;
    unsigned access(const std::string& connection, const Perms& perms, std::uint64_t generation) const;
    Domain* existing(std::uint32_t id);
    void end_domain(std::uint16_t id);
    void forget(const std::string& connection);
    void check_domains();

    // Events.
    void changed(const std::string& path, const Perms* old_perms);
    void fire(const std::string& path, Match match, const Perms* old_perms, const Node* node, const Node* parent);
    void special(const char* name, std::uint16_t domain, bool plain, bool numbered);
    void hear(const std::string& connection, std::uint32_t type, const std::string& payload);

    std::map<std::string, Node> nodes_;
    std::uint64_t generation_ = 0;
    std::vector<Watch> watches_;
    std::list<Client> clients_;  ///< in the order in which they came
    std::map<std::uint16_t, Domain> domains_;
    std::map<std::uint16_t, Step::Kind> world_;  ///< what Xen says of domains
    Limits global_limits_;
    Client* client_ = nullptr;  ///< whose request is being answered
    Transaction* inside_ = nullptr;
    std::map<std::string, std::uint32_t> ids_, known_ids_;  ///< of transactions, by name: all, and before this step
    std::optional<std::uint16_t> ends_after_answer_;
    bool merges_ = true;
    Heard heard_;
};

}  // namespace xenrig::model
