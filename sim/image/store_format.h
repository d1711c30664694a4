// The numbers of the store's stream (docs/designs/xenstore-migration), for its two halves.
#pragma once

#include <cstdint>

namespace xenrig::image::store_format {

inline constexpr std::uint64_t kIdent = 0x7865'6e73'746f'7265;  // "xenstore"
inline constexpr std::uint32_t kVersionMax = 2;
inline constexpr std::uint32_t kBigEndian = 1;

enum class Record : std::uint32_t {
    end = 0,
    global_data = 1,
    connection = 2,
    watch = 3,
    transaction = 4,
    node = 5,
    global_quota = 6,
    domain = 7,
    watch_extended = 8,  ///< from version 2 on
};

/// Big endian.
struct StreamHeader {
    std::uint64_t ident;
    std::uint32_t version, flags;
};

inline constexpr std::uint16_t kSharedRing = 0;

struct Connection {
    std::uint32_t id;
    std::uint16_t type, reserved;
    std::uint16_t domid, tdomid;
    std::uint32_t evtchn;
    std::uint16_t in_length, out_response_length;
    std::uint32_t out_length;
};

struct Watch {
    std::uint32_t connection;
    std::uint16_t path_length, token_length;
};

/// Follows Watch in WATCH_DATA_EXTENDED.
struct WatchDepth {
    std::uint16_t depth, reserved;
};

struct Transaction {
    std::uint32_t connection, id;
};

struct Node {
    std::uint32_t connection, transaction;
    std::uint16_t path_length, value_length, access, perm_count;
};

struct Perm {
    std::uint8_t access, flags;
    std::uint16_t domid;
};

inline constexpr std::uint8_t kStale = 1;

}  // namespace xenrig::image::store_format
