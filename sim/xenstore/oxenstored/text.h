// How oxenstored takes a request apart: strings between nuls, paths, and numbers as OCaml reads them.
//
// A path is kept as "/a/b". A special path ("@...") is one component below the root whatever its letters are; a '/' in
// it is kept as a nul, which no path on the wire can hold (store.ml, Path; utils.ml; process.ml).
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/xenstore/perms.h"

namespace xenrig::xenstore::oxen {

/// The word of an ERROR: "EINVAL".
using ErrorWord = std::string_view;

template <class T = void>
using Outcome = std::expected<T, ErrorWord>;

inline std::unexpected<ErrorWord> refuse(ErrorWord word) { return std::unexpected(word); }

/// At most `limit` pieces, the last of which holds the rest; one empty piece for an empty payload.
std::vector<std::string_view> split(std::string_view payload, std::size_t limit = 8);

/// An absolute, relative or special path as it is kept; EINVAL for bad letters and for more than 1024 of them below
/// /local/domain/<number>/.
Outcome<std::string> parse_path(std::string_view text, std::string_view home);
/// A path as watchers see it.
std::string shown(std::string_view path);

/// OCaml's int_of_string: a sign, a prefix for the base, digits and underscores; 63 bits.
std::optional<std::int64_t> int_of_string(std::string_view text);
/// The first digits in the text, whatever stands around them; 0 if there are none.
std::uint64_t first_number(std::string_view text);

/// "n0\0r7\0"; EINVAL for anything else. Domain numbers keep their lower 32 bits.
Outcome<Perms> parse_perms(std::string_view text);
/// GET_PERMS's answer; negative numbers come out as 63 bits without a sign.
std::string perms_text(const Perms& perms);

}  // namespace xenrig::xenstore::oxen
