// Hunts the bug of a mutant of the rings alone: one page, two vCPUs, four requests and their responses, both ends
// asleep whenever they may be; nothing else of the world is there, so a run takes microseconds.
//
//   mutant_NAME ring MODEL RULES    as hunt.cpp
//
// Exit 0: one of the rules caught it, and the picks of that run catch it again. Exit 1: another rule did, or none.
#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>

#include "sim/engine/engine.h"
#include "sim/engine/sources.h"
#include "xenrig/platform/lock.h"
#include "xenrig/platform/wait_queue.h"
#include "xenrig/ring/back_ring.h"
#include "xenrig/ring/front_ring.h"

namespace {

using namespace xenrig;
using namespace xenrig::engine;

struct Message {
    std::uint64_t id;
    std::uint64_t payload[12];
};

constexpr std::uint32_t kRequests = 4;
constexpr std::uint64_t kSeedsMax = 20'000;

Message message(std::uint64_t id) {
    Message m{id, {}};
    for (std::uint64_t& word : m.payload) word = id * 0x0101010101010101;
    return m;
}

/// An event channel with nothing but its pending bit.
struct Bell {
    IrqLock lock{"bell"};
    WaitQueue queue{"an event"};
    bool pending = false;

    void ring() {
        const std::lock_guard held(lock);
        pending = true;
        queue.wake_all();
    }
    void wait() {
        const std::lock_guard held(lock);
        queue.wait(lock, [this] { return pending; });
        pending = false;
    }
};

struct World {
    alignas(64) std::array<std::byte, kPageSize> page{};
    shared::Window window{page.data(), [] {
                              auto lease = std::make_shared<shared::Lease>();
                              lease->name = "the ring";
                              return lease;
                          }()};
    Bell to_back, to_front;
};

using Front = ring::FrontRing<Message, Message>;
using Back = ring::BackRing<Message, Message>;

void check_whole(Engine& engine, const Message& got, const char* what) {
    const Message want = message(got.id);
    if (got.id == 0 || std::memcmp(&got, &want, sizeof got) != 0)
        engine.report("data", std::string(what) + " " + std::to_string(got.id) + " is not what was sent");
}

void frontend(World& w, Engine& engine, Front ring) {
    std::uint32_t sent = 0, done = 0;
    while (done < kRequests) {
        if (sent < kRequests) {
            ring.put(message(++sent));
            if (ring.push()) w.to_back.ring();
        }
        while (const auto response = ring.take().value()) {
            check_whole(engine, *response, "response");
            ++done;
        }
        if (sent == kRequests && done < kRequests && ring.sleep_unless_work()) w.to_front.wait();
    }
}

void backend(World& w, Engine& engine) {
    Back ring = Back::attach(w.window).value();
    for (std::uint32_t done = 0; done < kRequests;) {
        while (const auto request = ring.take().value()) {
            check_whole(engine, *request, "request");
            ring.put(message(request->id));
            if (ring.push()) w.to_front.ring();
            ++done;
        }
        if (done < kRequests && ring.sleep_unless_work()) w.to_back.wait();
    }
}

std::vector<Problem> run(Source& source, Model model, std::vector<Pick>* picks = nullptr) {
    World w;
    Engine engine{source, {.model = model, .steps_max = 100'000}};
    Front front = Front::create(w.window);
    engine.add_cpu("back").spawn("backend", TaskRole::work, [&] { backend(w, engine); });
    engine.add_cpu("front").spawn("frontend", TaskRole::work, [&, front] { frontend(w, engine, front); });
    engine.run();
    if (picks) *picks = engine.choices().picks();
    return engine.problems();
}

int hunt(const std::string& model_name, const std::string& rules) {
    for (std::uint64_t seed = 0; seed < kSeedsMax; ++seed) {
        const Model any[] = {Model::sc, Model::tso, Model::relaxed};
        const Model model = model_name == "tso" ? Model::tso : model_name == "relaxed" ? Model::relaxed : any[seed % 3];
        SeededSource source{seed};
        std::vector<Pick> picks;
        const auto found = run(source, model, &picks);
        if (found.empty()) continue;
        std::printf("seed %llu, model %s: %s: %s\n", static_cast<unsigned long long>(seed), name(model),
                    found.front().oracle.c_str(), found.front().text.c_str());
        ReplaySource replay{picks};
        const auto again = run(replay, model);
        const bool listed = ("|" + rules + "|").find("|" + found.front().oracle + "|") != std::string::npos;
        if (!listed || again.empty() || again.front().text != found.front().text) {
            std::printf("%s\n", listed ? "the picks do not replay the run" : "caught, but not by the right rule");
            return 1;
        }
        std::printf("caught after %llu runs, and replayed\n", static_cast<unsigned long long>(seed + 1));
        return 0;
    }
    std::printf("not caught by %llu seeds\n", static_cast<unsigned long long>(kSeedsMax));
    return rules == "none" ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: %s ring MODEL RULE|RULE...\n", argv[0]);
        return 2;
    }
    return hunt(argv[2], argv[3]);
}
