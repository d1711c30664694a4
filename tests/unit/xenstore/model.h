// The store as plainly as it can be said: a flat map of paths, copied node by node into transactions.
//
// It shares no code and no structure with the store, and knows privileged clients only. Requests and answers are the
// wire's.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace xenrig::xenstore::test {

enum class Op : std::uint8_t { write, mkdir, rm, read, directory, set_perms, get_perms, watch, unwatch, start, end };

struct Request {
    unsigned client = 0;
    Op op = Op::read;
    std::string path;
    std::string value;    ///< or permissions, or a token
    bool inside = false;  ///< in the client's oldest transaction, if it has one
    bool commit = true;
};

/// What each client hears, in order: "event path token", or the answer of the one that asked.
using Heard = std::map<unsigned, std::vector<std::string>>;

class Model {
public:
    Heard run(const Request& request);
    /// The id of the client's oldest transaction; 0 if it has none.
    std::uint32_t oldest_transaction(unsigned client) const;

private:
    struct Node {
        std::string value;
        std::string perms = "n0";
        std::vector<std::string> children;
        std::uint64_t version = 0;
    };
    struct Copy {
        std::optional<Node> node;
        std::uint64_t base = 0;  ///< version; 0 for a missing node
        bool modified = false;
        bool event = false, subtree = false;
    };
    struct Transaction {
        std::uint32_t id = 0;
        std::map<std::string, Copy> copies;
        std::vector<std::string> order;
    };
    struct Watch {
        unsigned client;
        std::string path, token;
    };

    Node* look(const std::string& path);
    Node& touch(const std::string& path);
    void put(const std::string& path, Node node);
    void drop(const std::string& path);
    void changed(const std::string& path, bool subtree);
    void tell(const std::string& path, bool subtree);
    void look_up(const std::string& path);
    bool remove(const std::string& path, bool top);
    std::string answer(const Request& request);
    std::string commit(Transaction& transaction);

    std::map<std::string, Node> nodes_{{"/", {"", "n0", {"tool"}, 1}},
                                       {"/tool", {"", "n0", {"xenstored"}, 2}},
                                       {"/tool/xenstored", {"", "n0", {}, 3}}};
    std::uint64_t versions_ = 3;
    std::vector<Watch> watches_;
    std::map<unsigned, std::vector<Transaction>> transactions_;
    std::map<unsigned, std::uint32_t> next_id_;
    Transaction* inside_ = nullptr;
    Heard heard_;
};

}  // namespace xenrig::xenstore::test
