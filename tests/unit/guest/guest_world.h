// A guest on the deterministic engine, and whatever else a test puts beside it.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <vector>

#include "fake_domain.h"
#include "sim/engine/engine.h"
#include "sim/engine/sources.h"
#include "xenrig/guest/kernel.h"

namespace xenrig::guest::test {

inline constexpr Layout kLayout{.ram = {Gfn{0x10}, 16}, .unpopulated = {Gfn{0x1000}, 64}};
inline constexpr Gfn kStoreGfn{0x80};
inline constexpr std::uint32_t kStorePort = 3;

class GuestWorld {
public:
    explicit GuestWorld(std::uint64_t seed, unsigned vcpus = 1, engine::Config config = {})
        : source(seed), engine(source, config) {
        for (unsigned i = 0; i < vcpus; ++i) cpus.push_back(&engine.add_cpu("d1v" + std::to_string(i)));
        domain = std::make_unique<FakeDomain>(DomId{1}, cpus);
        domain->populate(kLayout.ram.first, kLayout.ram.count);
        kernel = std::make_unique<Kernel>("d1", engine, cpus, kLayout);
        kernel->bind(domain->binding());
    }
    ~GuestWorld() {
        kernel->domain_died();
        for (Cpu* cpu : cpus) cpu->kill();
        kernel.reset();
    }

    /// Boots, and then runs `body` in a task on vCPU 0.
    void boot(std::function<void()> body) {
        kernel->spawn_on(VcpuId{0}, "boot", TaskRole::work, [this, body = std::move(body)] {
            const auto booted = kernel->boot();
            ASSERT_TRUE(booted) << booted.error().to_string();
            body();
        });
    }
    /// Until all is quiet, and nothing may be wrong then.
    void run() {
        engine.run();
        EXPECT_TRUE(engine.problems().empty())
            << engine.problems().front().oracle << ": " << engine.problems().front().text;
    }

    engine::SeededSource source;
    engine::Engine engine;
    std::vector<Cpu*> cpus;
    std::unique_ptr<FakeDomain> domain;
    std::unique_ptr<Kernel> kernel;
};

}  // namespace xenrig::guest::test
