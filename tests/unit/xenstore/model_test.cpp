// Random requests of several clients get the answers and events of a plain model; what differs is made small first.
#include <gtest/gtest.h>

#include "tests/unit/xenstore/host.h"
#include "tests/unit/xenstore/model.h"
#include "tests/unit/xenstore/random.h"

namespace xenrig::xenstore::test {
namespace {

constexpr unsigned kClients = 3;

std::string random_path(Random& random) {
    // A directory that outgrows an array, and a small tree where everybody meets.
    if (random.below(3) == 0) return "/big/n" + std::to_string(random.below(60));
    static const char* const kNames[] = {"/a", "/b", "/c"};
    std::string path;
    const unsigned depth = 1 + random.below(3);
    for (unsigned i = 0; i < depth; ++i) path += kNames[random.below(3)];
    return random.below(20) == 0 ? "/" : path;
}

Request random_request(Random& random) {
    Request r;
    r.client = random.below(kClients);
    static constexpr Op kOften[] = {Op::write,   Op::write,     Op::write, Op::mkdir,     Op::rm,        Op::read,
                                    Op::read,    Op::directory, Op::start, Op::end,       Op::set_perms, Op::watch,
                                    Op::unwatch, Op::get_perms, Op::write, Op::directory, Op::end};
    r.op = kOften[random.below(std::size(kOften))];
    r.path = random_path(random);
    r.value = std::to_string(random.below(1000));
    if (r.op == Op::set_perms) r.value = random.below(2) == 0 ? "r0" : "b0";
    if (r.op == Op::watch || r.op == Op::unwatch) r.value = random.below(2) == 0 ? "t" : "u";
    r.inside = r.op == Op::end || (r.op != Op::start && random.below(2) == 0);
    r.commit = random.below(4) != 0;
    return r;
}

std::uint32_t wire_type(Op op) {
    switch (op) {
        case Op::write:
            return XS_WRITE;
        case Op::mkdir:
            return XS_MKDIR;
        case Op::rm:
            return XS_RM;
        case Op::read:
            return XS_READ;
        case Op::directory:
            return XS_DIRECTORY;
        case Op::set_perms:
            return XS_SET_PERMS;
        case Op::get_perms:
            return XS_GET_PERMS;
        case Op::watch:
            return XS_WATCH;
        case Op::unwatch:
            return XS_UNWATCH;
        case Op::start:
            return XS_TRANSACTION_START;
        case Op::end:
            return XS_TRANSACTION_END;
    }
    return XS_INVALID;
}

std::string wire_payload(const Request& r) {
    switch (r.op) {
        case Op::write:
            return r.path + '\0' + r.value;
        case Op::set_perms:
        case Op::watch:
        case Op::unwatch:
            return r.path + '\0' + r.value + '\0';
        case Op::start:
            return std::string(1, '\0');
        case Op::end:
            return std::string(r.commit ? "T" : "F") + '\0';
        default:
            return r.path + '\0';
    }
}

/// The store behind three streams.
class Subject {
public:
    Heard run(const Request& r, std::uint32_t transaction) {
        const std::string bytes = message(wire_type(r.op), 1, transaction, wire_payload(r));
        doors_[r.client].feed(std::as_bytes(std::span(bytes)));
        Heard heard;
        daemon_.service();
        for (unsigned i = 0; i < kClients; ++i) {
            std::string out(doors_[i].output().size(), '\0');
            doors_[i].take_output(std::as_writable_bytes(std::span(out)));
            for (const Seen& m : take_messages(out)) heard[i].push_back(text(r, m));
        }
        return heard;
    }

private:
    static std::string text(const Request& r, const Seen& m) {
        std::string payload = m.payload;
        if (m.type == XS_WATCH_EVENT) {
            const auto nul = payload.find('\0');
            return "event " + payload.substr(0, nul) + " " + payload.substr(nul + 1, payload.size() - nul - 2);
        }
        if (m.type == XS_READ) return payload;
        if (m.type == XS_DIRECTORY) {
            std::replace(payload.begin(), payload.end(), '\0', '|');
            return payload;
        }
        (void)r;
        payload.pop_back();
        return payload;
    }

    Host host_;
    Daemon daemon_{host_};
    std::array<StreamDoor, kClients> doors_{StreamDoor(daemon_), StreamDoor(daemon_), StreamDoor(daemon_)};
};

std::string show(const Request& r) {
    static const char* const kOps[] = {"write",     "mkdir", "rm",      "read",  "directory", "set_perms",
                                       "get_perms", "watch", "unwatch", "start", "end"};
    return "client " + std::to_string(r.client) + " " + kOps[static_cast<int>(r.op)] + " " + r.path + " " + r.value +
           (r.inside ? " inside" : "") + (r.op == Op::end ? (r.commit ? " T" : " F") : "");
}

/// What the last request that differs heard, from both; empty when none differs.
std::string difference(const std::vector<Request>& requests) {
    Model model;
    Subject subject;
    for (const Request& r : requests) {
        const std::uint32_t transaction = r.inside ? model.oldest_transaction(r.client) : 0;
        if (r.inside && transaction == 0 && r.op == Op::end) continue;
        const Heard expected = model.run(r);
        const Heard got = subject.run(r, transaction);
        if (expected == got) continue;
        std::string text = show(r) + "\n";
        for (const auto& [which, heard] : {std::pair("model", &expected), std::pair("store", &got)})
            for (const auto& [client, lines] : *heard)
                for (const std::string& line : lines)
                    text += std::string("    ") + which + " " + std::to_string(client) + ": " + line + "\n";
        return text;
    }
    return {};
}

/// The requests that are left when leaving out any one of them makes the difference go away.
std::vector<Request> shrink(std::vector<Request> requests) {
    for (std::size_t piece = requests.size() / 2; piece != 0; piece /= 2) {
        for (std::size_t at = 0; at < requests.size();) {
            std::vector<Request> fewer = requests;
            fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(at),
                        fewer.begin() + static_cast<std::ptrdiff_t>(std::min(at + piece, fewer.size())));
            if (difference(fewer).empty())
                at += piece;
            else
                requests = std::move(fewer);
        }
    }
    return requests;
}

class XenstoreModel : public testing::TestWithParam<int> {};

TEST_P(XenstoreModel, AnswersRandomRequestsAsThePlainModelDoes) {
    for (int seed = GetParam() * 25; seed < (GetParam() + 1) * 25; ++seed) {
        Random random(static_cast<std::uint64_t>(seed));
        std::vector<Request> requests;
        for (int i = 0; i < 400; ++i) requests.push_back(random_request(random));
        if (difference(requests).empty()) continue;
        const auto fewest = shrink(requests);
        std::string text = "seed " + std::to_string(seed) + "\n";
        for (const Request& r : fewest) text += show(r) + "\n";
        FAIL() << text << "differs:\n" << difference(fewest);
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, XenstoreModel, testing::Range(0, 4));

}  // namespace
}  // namespace xenrig::xenstore::test
