#include "sim/xenstore/perms.h"

#include <charconv>
#include <cstdlib>

namespace xenrig::xenstore {
namespace {

constexpr char kLetters[] = {'n', 'r', 'w', 'b'};

}  // namespace

Perms make_perms(std::vector<Perm> entries) { return Perms::adopt(new PermList(std::move(entries))); }

Perms with_owner(const Perms& list, std::uint32_t owner) {
    if (list->owner() == owner) return list;
    std::vector<Perm> entries(list->entries().begin(), list->entries().end());
    entries.front().domain = owner;
    return make_perms(std::move(entries));
}

std::expected<Perm, Errno> parse_perm(std::string_view text) {
    Perm perm;
    switch (text.empty() ? '\0' : text.front()) {
        case 'n':
            break;
        case 'r':
            perm.access = kRead;
            break;
        case 'w':
            perm.access = kWrite;
            break;
        case 'b':
            perm.access = kRead | kWrite;
            break;
        default:
            return std::unexpected(Errno::inval);
    }
    const std::string number(text.substr(1));
    char* end = nullptr;
    const long value = std::strtol(number.c_str(), &end, 0);
    if (end == number.c_str() || *end != '\0') return std::unexpected(Errno::inval);
    perm.domain = static_cast<std::uint32_t>(value);
    return perm;
}

void append_perms(std::string& out, std::span<const Perm> entries) {
    for (const Perm& perm : entries) {
        char digits[16];
        // The daemon prints the number signed.
        const auto end = std::to_chars(digits, digits + sizeof digits, static_cast<std::int32_t>(perm.domain));
        out.push_back(kLetters[perm.access & (kRead | kWrite)]);
        out.append(digits, end.ptr);
        out.push_back('\0');
    }
}

}  // namespace xenrig::xenstore
