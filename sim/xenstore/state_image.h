// The state of a store between two daemons: a live update, or one domain's part of it for a migration.
//
// The stream is Xen's published format (docs/designs/xenstore-migration.md, version 2; xenstore_state.h of head): a
// preamble, then records of a type, a length and a body, each a multiple of 8 bytes, parents before children, END last.
// Numbers are little-endian, except in the preamble.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/xenstore/perms.h"
#include "xenrig/abi/error.h"

namespace xenrig::xenstore {

struct ConnectionImage {
    std::uint32_t id = 0;  ///< not 0; watches and transactions name it
    bool socket = false;
    std::uint16_t domain = 0;            ///< of a ring
    std::uint16_t target = 0x7FF4;       ///< DOMID_INVALID for none
    std::uint32_t port = 0;              ///< of a ring
    std::string unprocessed, unwritten;  ///< bytes of a half message that came in; bytes that still have to go out
    std::uint16_t half_written = 0;      ///< the first bytes of `unwritten` that are the rest of a message
};

struct WatchImage {
    std::uint32_t connection = 0;
    int depth = -1;
    std::string path;  ///< as the client wrote it: relative or absolute
    std::string token;
};

struct TransactionImage {
    std::uint32_t connection = 0, id = 0;
};

struct NodeImage {
    std::string path, value;
    std::vector<Perm> perms;
};

struct DomainImage {
    std::uint16_t id = 0;
    std::uint32_t features = 0;
    std::vector<std::pair<std::string, std::uint32_t>> quotas;
};

struct StateImage {
    std::vector<ConnectionImage> connections;
    std::vector<WatchImage> watches;
    std::vector<TransactionImage> transactions;
    std::vector<NodeImage> nodes;  ///< parents before children, children in their order
    std::vector<DomainImage> domains;
    std::vector<std::pair<std::string, std::uint32_t>> quotas;
};

std::string encode(const StateImage& image);

/// EBADMSG for a stream that is damaged; the message names the offset in bytes. Records of unknown types are left out,
/// as the format wants it.
Result<StateImage> decode(std::string_view stream);

}  // namespace xenrig::xenstore
