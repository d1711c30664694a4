// What the litmus tests have in common: a program of a few loads and stores on vCPUs of their own, and all outcomes
// that an exhaustive search finds. An outcome is what the loads returned, or what memory holds at the end.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <initializer_list>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "sim/engine/engine.h"
#include "sim/engine/sources.h"
#include "xenrig/shared/door.h"

namespace xenrig::engine::litmus {

using Outcomes = std::set<std::string>;

/// Two words, x and y, far enough apart to lie in different cache lines, and what each vCPU read.
struct Program {
    alignas(64) std::array<std::byte, kPageSize> page{};
    shared::Window memory{page.data(), [] {
                              auto lease = std::make_shared<shared::Lease>();
                              lease->peer_writable = false;
                              return lease;
                          }()};
    std::array<unsigned, 4> r{};

    static constexpr std::size_t x = 0, y = 128;

    void store(std::size_t place, unsigned v) { shared::store<std::uint32_t>(memory, place, v); }
    unsigned load(std::size_t place) { return shared::load<std::uint32_t>(memory, place); }
};

using Thread = std::function<void(Program&)>;

/// All outcomes, written as the digits that `show` gives.
inline Outcomes explore(Model model, const std::vector<Thread>& threads,
                        const std::function<std::string(Program&)>& show) {
    Outcomes found;
    ExhaustiveSource source;
    do {
        Program program;
        {
            Engine engine{source, {.model = model}};
            int n = 0;
            for (const Thread& thread : threads)
                engine.add_cpu("v" + std::to_string(n++)).spawn("litmus", TaskRole::work, [&] { thread(program); });
            EXPECT_EQ(engine.run(), Stopped::quiet);
        }
        found.insert(show(program));
    } while (source.advance());
    return found;
}

inline std::string digits(std::initializer_list<unsigned> values) {
    std::string s;
    for (const unsigned v : values) s += static_cast<char>('0' + v);
    return s;
}

inline Outcomes reads(Model model, const std::vector<Thread>& threads, int count) {
    return explore(model, threads, [count](Program& p) {
        std::string s;
        for (int i = 0; i < count; ++i) s += static_cast<char>('0' + p.r[static_cast<std::size_t>(i)]);
        return s;
    });
}

inline constexpr auto x = Program::x, y = Program::y;

}  // namespace xenrig::engine::litmus
