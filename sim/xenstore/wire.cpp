#include "sim/xenstore/wire.h"

#include <cstdlib>

namespace xenrig::xenstore {

std::string_view wire_name(Errno error) {
    switch (error) {
        case Errno::inval:
        case Errno::access:
        case Errno::exist:
        case Errno::isdir:
        case Errno::noent:
        case Errno::nomem:
        case Errno::nospc:
        case Errno::io:
        case Errno::notempty:
        case Errno::nosys:
        case Errno::rofs:
        case Errno::busy:
        case Errno::again:
        case Errno::isconn:
        case Errno::toobig:
        case Errno::perm:
            return name(error);
        default:
            return name(Errno::inval);
    }
}

std::vector<std::string_view> strings_of(std::string_view payload) {
    std::vector<std::string_view> strings;
    for (std::size_t nul; (nul = payload.find('\0')) != std::string_view::npos; payload.remove_prefix(nul + 1))
        strings.push_back(payload.substr(0, nul));
    return strings;
}

bool one_string(std::string_view payload, std::string_view& out) {
    const std::size_t nul = payload.find('\0');
    if (nul == std::string_view::npos || nul + 1 != payload.size()) return false;
    out = payload.substr(0, nul);
    return true;
}

long leading_number(std::string_view text) { return std::strtol(std::string(text).c_str(), nullptr, 10); }

}  // namespace xenrig::xenstore
