// Errors as values, with Xen's own numbers.
//
// Whatever a peer, a guest or a file can cause comes back as a Result; the number is the one Xen would have given
// (xen/errno.h), the message says what to do about it. Our own mistakes are XENRIG_ASSERT's (check.h).
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace xenrig {

/// The error numbers of Xen's ABI, positive (xen/errno.h); hypercalls return them negated.
enum class Errno : std::uint16_t {
    perm = 1,
    noent = 2,
    srch = 3,
    intr = 4,
    io = 5,
    nxio = 6,
    toobig = 7,
    noexec = 8,
    badf = 9,
    child = 10,
    again = 11,
    nomem = 12,
    access = 13,
    fault = 14,
    busy = 16,
    exist = 17,
    xdev = 18,
    nodev = 19,
    notdir = 20,
    isdir = 21,
    inval = 22,
    nfile = 23,
    mfile = 24,
    nospc = 28,
    rofs = 30,
    mlink = 31,
    dom = 33,
    range = 34,
    deadlk = 35,
    nosys = 38,
    notempty = 39,
    nodata = 61,
    time = 62,
    badmsg = 74,
    overflow = 75,
    ilseq = 84,
    restart = 85,
    notsock = 88,
    msgsize = 90,
    opnotsupp = 95,
    addrinuse = 98,
    addrnotavail = 99,
    nobufs = 105,
    isconn = 106,
    notconn = 107,
    timedout = 110,
    connrefused = 111,
};

/// "ENOENT" for Errno::noent: the spelling of the headers and of the xenstore wire.
std::string_view name(Errno e);

struct Error {
    Errno code{};
    /// A sentence for a person: what failed and what to do. May be empty.
    std::string message;

    /// "ENOENT: fixtures/x.toml: no such file".
    std::string to_string() const;
};

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Errno code, std::string message = {}) {
    return std::unexpected(Error{code, std::move(message)});
}

}  // namespace xenrig
