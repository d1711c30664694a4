// What the store knows of a domain that is saved, in the published format (docs/designs/xenstore-migration).
//
//   stream = StreamHeader { RecordHeader body padding }        conn-ids and transaction ids are the stream's own
//
// A migration carries the nodes that belong to the domain, its connection with the watches and open transactions, and
// nothing of the daemon itself: records of a live update are refused. Version 1 is written unless a watch has a depth.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "xenrig/abi/error.h"
#include "xenrig/abi/types.h"

namespace xenrig::image {

/// A domain's ring. `target`: whom it acts for (SET_TARGET), or DOMID_INVALID.
struct StoreConnection {
    std::uint32_t id = 0;  ///< not 0
    DomId domain;
    DomId target{0x7ff4};
    Port port;
    std::string in;                  ///< read from the ring, not yet a whole message
    std::string out;                 ///< not yet written to the ring
    std::uint16_t out_response = 0;  ///< bytes at the start of `out` that are the rest of a response begun

    friend bool operator==(const StoreConnection&, const StoreConnection&) = default;
};

struct StoreWatch {
    static constexpr std::uint16_t kAnyDepth = 0xffff;

    std::uint32_t connection = 0;
    std::string path, token;
    std::uint16_t depth = kAnyDepth;

    friend bool operator==(const StoreWatch&, const StoreWatch&) = default;
};

struct StoreTransaction {
    std::uint32_t connection = 0, id = 0;

    friend bool operator==(const StoreTransaction&, const StoreTransaction&) = default;
};

struct StorePerm {
    char access = 'n';  ///< r, w, b or n as in SET_PERMS
    DomId domain;
    bool stale = false;

    friend bool operator==(const StorePerm&, const StorePerm&) = default;
};

struct StoreNode {
    std::string path;  ///< absolute
    std::string value;
    std::vector<StorePerm> perms;  ///< the first names the owner
    std::uint32_t connection = 0;  ///< not 0: only that connection's transaction sees the node like this
    std::uint32_t transaction = 0;
    std::uint16_t access = 0;  ///< in a transaction: 1 read, 2 written; 0 deleted

    friend bool operator==(const StoreNode&, const StoreNode&) = default;
};

struct StoreRecords {
    std::vector<StoreConnection> connections;
    std::vector<StoreWatch> watches;
    std::vector<StoreTransaction> transactions;
    std::vector<StoreNode> nodes;  ///< parents before children

    friend bool operator==(const StoreRecords&, const StoreRecords&) = default;
};

/// The stream's bytes, a multiple of 8. The strings keep xenstore's own limits (xs_wire.h).
std::vector<std::byte> encode(const StoreRecords& records);

/// EBADMSG names the record and its offset in the stream.
Result<StoreRecords> decode(std::span<const std::byte> stream);

}  // namespace xenrig::image
