#include "tests/fuzz/xenstore_peers.h"

#include "xenrig/abi/check.h"

namespace xenrig::fuzz {
namespace {

using namespace std::string_literals;
using xenstore::test::Seen;

std::optional<std::string> answer_to(std::uint32_t req_id, const std::vector<Seen>& messages) {
    for (const Seen& m : messages)
        if (m.type != XS_WATCH_EVENT && m.req_id == req_id) return m.payload;
    return std::nullopt;
}

}  // namespace

std::optional<std::string> Dom0Witness::try_to_ask(std::uint32_t type, std::string_view payload) {
    const std::string request = message(type, ++asked_, 0, payload);
    if (door_.room() < request.size()) return std::nullopt;
    door_.feed(bytes_of(request));
    daemon_.service();
    received_.append(reinterpret_cast<const char*>(door_.output().data()), door_.output().size());
    door_.discard_output(door_.output().size());
    return answer_to(asked_, xenstore::test::take_messages(received_));
}

std::string Dom0Witness::ask(std::uint32_t type, std::string_view payload) {
    const auto answer = try_to_ask(type, payload);
    check(answer.has_value(), "a client in dom0 that behaves gets an answer");
    return *answer;
}

void Dom0Witness::expect_service() {
    const std::string value = "dom0 " + std::to_string(asked_);
    check(ask(XS_WRITE, "/witness\0"s + value) == "OK\0"s, "a client in dom0 that behaves may write");
    check(ask(XS_READ, "/witness\0"s) == value, "a client in dom0 that behaves reads what it wrote");
}

void introduce_guest(xenstore::test::Host& host, Dom0Witness& dom0, std::uint16_t id) {
    host.exist(id);
    const std::string number = std::to_string(id);
    const std::string home = "/local/domain/" + number;
    (void)dom0.try_to_ask(XS_MKDIR, home + '\0');
    (void)dom0.try_to_ask(XS_SET_PERMS, home + "\0n"s + number + '\0');
    (void)dom0.try_to_ask(XS_INTRODUCE, number + "\0001000\0007\0"s);
}

std::string GuestWitness::ask(std::uint32_t type, const std::string& payload) {
    end_.send(message(type, ++asked_, 0, payload));
    std::optional<std::string> answer;
    for (bool moved = true; moved && !answer;) {
        moved = end_.move();
        moved |= daemon_.service();
        moved |= end_.move();
        answer = answer_to(asked_, end_.messages());
    }
    check(answer.has_value(), "a guest that behaves gets an answer");
    return *answer;
}

void GuestWitness::expect_service() {
    if (!kept_.empty()) check(ask(XS_READ, "data\0"s) == kept_, "a guest that behaves reads what it wrote");
    kept_ = "guest " + std::to_string(asked_);
    check(ask(XS_WRITE, "data\0"s + kept_) == "OK\0"s, "a guest that behaves may write");
}

}  // namespace xenrig::fuzz
