// Who is around while a hostile client plays: a host with guests, a client in dom0 and a guest that behave.
//
// The witnesses ask for what nobody else may change, and must get the right answers after every input.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sim/fuzz/input.h"
#include "sim/xenstore/daemon.h"
#include "tests/unit/xenstore/host.h"

namespace xenrig::fuzz {

using xenstore::Personality;
using xenstore::test::message;

inline std::span<const std::byte> bytes_of(std::string_view s) { return std::as_bytes(std::span(s)); }

/// A whole request out of a fuzzer's bytes: operation, transaction, payload; most often of a length that is right.
inline std::string request_from(Input& input) {
    constexpr std::uint32_t kOperations = 30;  // and a few numbers beyond the last
    const std::uint32_t type = input.byte() % kOperations;
    const std::uint32_t transaction = input.byte() & 7U;
    const std::string payload = input.text(xenstore::kPayloadMax + 2);
    return message(type, type, transaction, payload);
}

/// What an input plays on. Its first byte chooses the personality.
struct Stage {
    explicit Stage(std::span<const std::byte> bytes)
        : input(bytes), personality((input.byte() & 1) == 0 ? Personality::c : Personality::o) {}

    Input input;
    Personality personality;
    xenstore::test::Host host;
    xenstore::Daemon daemon{host, {personality}};
};

/// A client in dom0 that behaves.
class Dom0Witness {
public:
    explicit Dom0Witness(xenstore::Daemon& daemon) : daemon_(daemon), door_(daemon) {}

    /// The answer; events are not looked at. Ends the process when there is none.
    std::string ask(std::uint32_t type, std::string_view payload);
    /// The same for a client whose requests others hear of: oxenstored does not listen to it while they do not read.
    std::optional<std::string> try_to_ask(std::uint32_t type, std::string_view payload);
    /// Writes a value and reads it back at once.
    void expect_service();

private:
    xenstore::Daemon& daemon_;
    xenstore::StreamDoor door_;
    std::string received_;
    std::uint32_t asked_ = 0;
};

/// Makes a domain with a home that it may write to, and introduces it.
void introduce_guest(xenstore::test::Host& host, Dom0Witness& dom0, std::uint16_t id);

/// A guest that behaves, introduced before the input began.
class GuestWitness {
public:
    GuestWitness(xenstore::Daemon& daemon, xenstore::test::Host& host, std::uint16_t id)
        : daemon_(daemon), end_(host.exist(id)) {}

    /// What it wrote last time is still there, and what it writes now is taken.
    void expect_service();

private:
    std::string ask(std::uint32_t type, const std::string& payload);

    xenstore::Daemon& daemon_;
    xenstore::test::GuestEnd end_;
    std::uint32_t asked_ = 0;
    std::string kept_;
};

}  // namespace xenrig::fuzz
