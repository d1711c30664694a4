// Random conversations with the store in process and with a daemon behind a socket:
//
//   store_beside SOCKET c|o [--seeds N] [--first-seed S]
//
// Prints each kind of difference once, made small, with how often it was met. Exit 0: none; 1: some.
#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
// Takes its number types from whoever includes it.
#include <xen/io/xs_wire.h>

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
                all += " " + name_of(m.type) + (m.type == XS_ERROR ? ":" + printable(m.payload) : "");
        return all;
    };
    const std::string op = last.requests.empty() ? show(last) : name_of(last.requests.front().type);
    return op + ":" + first(difference.expected) + " /" + first(difference.heard);
}

}  // namespace

int main(int argc, char** argv) {
    std::uint64_t seeds = 100, first_seed = 0;
    std::string socket, personality;
    CLI::App app{"Random conversations with the store in process and with a daemon behind a socket."};
    app.add_option("SOCKET", socket, "the daemon's")->required();
    app.add_option("PERSONALITY", personality, "c or o: whose rules it follows")
        ->required()
        ->check(CLI::IsMember({"c", "o"}));
    app.add_option("--seeds", seeds, "how many");
    app.add_option("--first-seed", first_seed, "the first one's seed");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? 0 : 2;
    }
    const Daemon daemon = personality == "o" ? Daemon::o : Daemon::c;
    std::uint64_t requests = 0;
    std::string why;
    Conversation last;  // after which the daemon may be gone
    const auto play = [&](const Conversation& conversation) -> std::optional<Difference> {
        const auto real = daemon_behind(socket, why);
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
