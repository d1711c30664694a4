// Messages of the xenstore wire protocol (io/xs_wire.h, docs/misc/xenstore.txt): a header of four words and a payload.
//
// Numbers are the machine's own, as on a unix socket and a ring page.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Takes its number types from whoever includes it.
#include <xen/io/xs_wire.h>

#include "xenrig/abi/error.h"

namespace xenrig::xenstore {

// Numbers that head has added to libxen-dev's header.
inline constexpr std::uint32_t kGetFeature = 23;
inline constexpr std::uint32_t kSetFeature = 24;
inline constexpr std::uint32_t kGetQuota = 25;
inline constexpr std::uint32_t kSetQuota = 26;

inline constexpr std::size_t kHeaderSize = sizeof(xsd_sockmsg);
inline constexpr std::size_t kPayloadMax = XENSTORE_PAYLOAD_MAX;

/// "ENOENT", as an ERROR carries it; EINVAL for errors that the protocol has no word for.
std::string_view wire_name(Errno error);

/// The strings of a payload that end in a nul; what follows the last nul is left out.
std::vector<std::string_view> strings_of(std::string_view payload);
/// The payload without its nul, when it is exactly one string.
bool one_string(std::string_view payload, std::string_view& out);
/// As C's atoi reads it: blanks, a sign, digits, and nothing else matters.
long leading_number(std::string_view text);

}  // namespace xenrig::xenstore
