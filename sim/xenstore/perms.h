// A node's permissions: the first entry names the owner, and its letter is everybody else's access; each further entry
// is one domain's (docs/misc/xenstore.txt, GET_PERMS).
//
// Lists are shared between nodes, because a new node inherits its parent's.
#pragma once

#include <cstdint>
#include <expected>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/xenstore/ref.h"
#include "xenrig/abi/error.h"

namespace xenrig::xenstore {

inline constexpr std::uint8_t kRead = 1;
inline constexpr std::uint8_t kWrite = 2;
/// What only an owner and privileged domains have: the right to set permissions.
inline constexpr std::uint8_t kOwner = 4;

/// "Any domain", in an entry of a permission list (xen.h of head, DOMID_ANY).
inline constexpr std::uint32_t kDomIdAny = 0x7FF5;

struct Perm {
    std::uint32_t domain = 0;  ///< as wide as on the wire: a list may name numbers that are no domain ids
    std::uint8_t access = 0;   ///< kRead | kWrite
    bool ignored = false;      ///< the domain did not exist when the list was set

    friend bool operator==(const Perm&, const Perm&) = default;
};

class PermList {
public:
    unsigned refs = 1;
    static void destroy(PermList* list) { delete list; }

    explicit PermList(std::vector<Perm> entries) : entries_(std::move(entries)) {}
    std::span<const Perm> entries() const { return entries_; }
    std::uint32_t owner() const { return entries_.front().domain; }

private:
    std::vector<Perm> entries_;
};

using Perms = Ref<PermList>;

Perms make_perms(std::vector<Perm> entries);
/// The same list under another owner; `list` itself when it has that owner already.
Perms with_owner(const Perms& list, std::uint32_t owner);

/// "n0", "r7": the letter is n, r, w or b. EINVAL for anything else; numbers as strtol reads them, base 0.
std::expected<Perm, Errno> parse_perm(std::string_view text);
/// Appends each entry with its nul.
void append_perms(std::string& out, std::span<const Perm> entries);

}  // namespace xenrig::xenstore
