// Random conversations with the store in process and with a daemon behind a socket:
//
//   store_beside SOCKET c|o [--seeds N] [--first-seed S]
//
// Prints each kind of difference once, made small, with how often it was met. Exit 0: none; 1: some.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "tests/model/compare.h"
#include "tests/model/generate.h"

namespace {

using namespace xenrig::model;

/// A kind of difference: the last request's operation and what both said first.
std::string kind_of(const Conversation& conversation, const Difference& difference) {
    const Step& last = conversation[difference.step];
    const auto first = [](const Heard& heard) {
        std::string all;
        for (const auto& [connection, messages] : heard)
            for (const Message& m : messages)
                all += " " + name_of(m.type) + (m.type == 16 ? ":" + printable(m.payload) : "");
        return all;
    };
    const std::string op = last.requests.empty() ? show(last) : name_of(last.requests.front().type);
    return op + ":" + first(difference.expected) + " /" + first(difference.heard);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: %s SOCKET c|o [--seeds N] [--first-seed S]\n", argv[0]);
        return 2;
    }
    std::uint64_t seeds = 100, first_seed = 0;
    for (int i = 3; i + 1 < argc; i += 2) {
        const std::uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
        (std::string(argv[i]) == "--seeds" ? seeds : first_seed) = value;
    }
    const Daemon daemon = std::string(argv[2]) == "o" ? Daemon::o : Daemon::c;
    std::uint64_t requests = 0;
    std::string why;
    Conversation last;  // after which the daemon may be gone
    const auto play = [&](const Conversation& conversation) -> std::optional<Difference> {
        const auto real = daemon_behind(argv[1], why);
        if (!real) {
            std::fprintf(stderr, "%s\nthe last conversation was\n%s", why.c_str(), show(last).c_str());
            std::exit(2);
        }
        last = conversation;
        const auto ours = store_in_process(daemon);
        return differ(conversation, *real, *ours);
    };
    std::map<std::string, int> met;
    // C xenstored 4.17 answers what is malformed with the last error of another request, or ends.
    const Kinds kinds{.guests = false, .pipelines = false, .malformed = daemon == Daemon::o, .only_4_17 = true};
    for (std::uint64_t seed = first_seed; seed < first_seed + seeds; ++seed) {
        Conversation conversation = generate(seed, kinds);
        const auto found = play(conversation);
        requests += found ? found->step + 1 : conversation.size();
        if (!found) continue;
        conversation.resize(found->step + 1);
        const std::string kind = kind_of(conversation, *found);
        if (++met[kind] != 1) continue;
        const Conversation small = shrink(conversation, [&](const Conversation& c) {
            const auto again = play(c);
            return again && again->step + 1 == c.size() && kind_of(c, *again) == kind;
        });
        if (const auto again = play(small))
            std::printf("seed %llu (expected: the daemon; heard: ours)\n%s", static_cast<unsigned long long>(seed),
                        report(small, *again).c_str());
    }
    std::printf("%llu conversations, %llu requests\n", static_cast<unsigned long long>(seeds),
                static_cast<unsigned long long>(requests));
    for (const auto& [kind, times] : met) std::printf("%5d times %s\n", times, kind.c_str());
    return met.empty() ? 0 : 1;
}
