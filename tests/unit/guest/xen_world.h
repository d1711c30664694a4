// Guests on the simulated hypervisor and the deterministic engine: no store, no toolstack; the test plays both.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sim/engine/engine.h"
#include "sim/engine/sources.h"
#include "sim/hypervisor/hypervisor.h"
#include "xenrig/guest/kernel.h"
#include "xenrig/shared/raw.h"

extern "C" {
#include <xen/grant_table.h>
#include <xen/sched.h>
#include <xen/xen.h>
}

namespace xenrig::guest::test {

inline constexpr std::uint64_t kFrames = 32;
inline constexpr Layout kXenLayout{.ram = {Gfn{0}, kFrames}, .unpopulated = {Gfn{0x1000}, 64}};

class XenWorld {
public:
    explicit XenWorld(std::uint64_t seed, engine::Config config = {})
        : source(seed), engine(source, config), toolstack(engine.add_cpu("toolstack")) {}
    ~XenWorld();

    struct Guest {
        std::string name;
        std::vector<Cpu*> cpus;
        hypervisor::Hypervisor* host = nullptr;
        DomId domain;
        std::unique_ptr<Kernel> kernel;
        bool dead = false;
    };

    hypervisor::Hypervisor& add_host(unsigned index = 0) {
        hosts.push_back(std::make_unique<hypervisor::Hypervisor>(
            engine, hypervisor::HostConfig{.name = "host" + std::to_string(index),
                                           .frames = 512,
                                           .first_mfn = Mfn{0x1000 + 0x100000ull * index},
                                           .first_domid = DomId{static_cast<std::uint16_t>(1 + 10 * index)},
                                           .first_handle = GrantHandle{16 * index}}));
        hosts.back()->on_state_change([this](DomId) { toolstack.kick(); });
        return *hosts.back();
    }

    Guest& add_guest(hypervisor::Hypervisor& host, const std::string& name, unsigned vcpus = 1,
                     const KernelOptions& options = {}) {
        auto guest = std::make_unique<Guest>();
        guest->name = name;
        for (unsigned i = 0; i < vcpus; ++i) guest->cpus.push_back(&engine.add_cpu(name + "v" + std::to_string(i)));
        guest->kernel = std::make_unique<Kernel>(name, engine, guest->cpus, kXenLayout, options);
        bind(*guest, host);
        EXPECT_TRUE(host.unpause(guest->domain));
        return *guests.emplace_back(std::move(guest));
    }

    /// A new domain on `host`, with memory, still paused; the guest is tied to it.
    void bind(Guest& guest, hypervisor::Hypervisor& host) {
        std::uint32_t index = 0;
        while (hosts[index].get() != &host) ++index;
        const auto domain = host.create_domain({.name = guest.name,
                                                .bits = guest.kernel->bits(),
                                                .vcpus = static_cast<unsigned>(guest.cpus.size()),
                                                .max_frames = kFrames,
                                                .first_port = Port{4 + 16 * index},
                                                .max_grant_frames = 2});
        ASSERT_TRUE(domain) << domain.error().to_string();
        ASSERT_TRUE(host.populate(*domain, Gfn{0}, kFrames));
        guest.host = &host;
        guest.domain = *domain;
        Binding binding{{}, &host.address_space(*domain), *domain};
        for (std::uint32_t i = 0; i < guest.cpus.size(); ++i) {
            host.attach_vcpu(*domain, VcpuId{i}, *guest.cpus[i]);
            binding.vcpus.push_back(guest.kernel->bits() == 32 ? &host.linear_hypercalls(*domain, VcpuId{i})
                                                               : &host.hypercalls(*domain, VcpuId{i}));
        }
        guest.kernel->bind(binding);
    }

    /// What a toolstack does with a suspended guest: a new domain elsewhere, its memory copied, the old one destroyed.
    void move(Guest& guest, hypervisor::Hypervisor& to) {
        hypervisor::Hypervisor& from = *guest.host;
        const DomId old = guest.domain;
        std::vector<std::pair<Gfn, std::array<std::byte, kPageSize>>> pages;
        for (const Gfn gfn : from.ram(old)) {
            pages.emplace_back().first = gfn;
            shared::raw::copy_from_page(from.memory().page(*from.lookup(old, gfn)), pages.back().second.data(),
                                        kPageSize);
        }
        bind(guest, to);
        for (const auto& [gfn, page] : pages)
            if (const auto mfn = to.lookup(guest.domain, gfn))
                shared::raw::copy_to_page(to.memory().page(*mfn), page.data(), kPageSize);
        ASSERT_TRUE(from.resume_elsewhere(old));
        ASSERT_TRUE(from.destroy_domain(old));
        ASSERT_TRUE(to.unpause(guest.domain));
    }

    /// As a toolstack kills: the epoch first, then the hypervisor's part, then the guest's tasks.
    void kill(Guest& guest) {
        if (std::exchange(guest.dead, true)) return;
        guest.kernel->domain_died();
        (void)guest.host->kill_domain(guest.domain);
        for (Cpu* cpu : guest.cpus) cpu->kill();
    }

    bool suspended(const Guest& guest) const {
        const auto info = guest.host->info(guest.domain);
        return info && info->shut_down && info->shutdown_reason == SHUTDOWN_suspend;
    }

    void expect_well() const {
        EXPECT_TRUE(engine.problems().empty())
            << engine.problems().front().oracle << ": " << engine.problems().front().text;
        for (const auto& host : hosts) EXPECT_EQ(host->audit(), "");
    }
    /// Each time the guest is suspended, the toolstack does the next of these.
    void when_suspended(Guest& guest, std::vector<std::function<void()>> then) {
        toolstack.spawn("toolstack", TaskRole::work, [this, &guest, then = std::move(then)] {
            for (const auto& step : then) {
                toolstack.halt("a guest to be suspended", [&] { return suspended(guest); });
                step();
            }
        });
    }
    void run() {
        engine.run();
        expect_well();
    }

    engine::SeededSource source;
    engine::Engine engine;
    Cpu& toolstack;
    std::vector<std::unique_ptr<hypervisor::Hypervisor>> hosts;
    std::vector<std::unique_ptr<Guest>> guests;
};

inline XenWorld::~XenWorld() {
    for (auto& guest : guests) {
        kill(*guest);
        (void)guest->host->destroy_domain(guest->domain);
    }
    guests.clear();
}

}  // namespace xenrig::guest::test
