// A PV domain that nobody runs, read as its kernel would: from the first vCPU's registers through its page tables, with
// nothing known of the builder's plan.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "sim/engine/engine.h"
#include "sim/engine/sources.h"
#include "sim/hypervisor/tools_abi.h"
#include "sim/toolstack/control_calls.h"
#include "sim/toolstack/toolstack.h"

namespace xenrig::toolstack {

inline constexpr std::uint64_t kPresent = 1, kWritable = 2;

inline Mfn frame_in(std::uint64_t entry) { return Mfn{entry >> 12 & 0xff'ffff'ffff}; }

/// A host with one PV domain that nobody runs.
struct Built {
    explicit Built(unsigned word_bits = 64, std::uint64_t memory = 1500) : bits(word_bits), frames(memory) {
        EXPECT_EQ(engine.run(), engine::Stopped::quiet);
        free_before = xen().memory().frames_free();
        on_host([&] {
            spec = {.name = "pv", .type = hypervisor::GuestType::pv, .bits = bits, .vcpus = 2, .frames = frames};
            spec.cmd_line = "root=/dev/xvda quiet";
            built = tools().build(spec);
            if (built) context = calls().context(VcpuId{0}).value();
        });
    }

    void on_host(std::function<void()> job) {
        host.spawn_job("test", std::move(job));
        EXPECT_EQ(engine.run(), engine::Stopped::quiet);
    }
    hypervisor::Hypervisor& xen() { return host.xen(); }
    Toolstack tools() { return Toolstack(host); }
    ControlCalls calls() { return {host, *built, bits}; }
    unsigned levels() const { return bits == 64 ? 4 : 3; }
    Mfn top() const {
        const std::uint64_t base = context.ctrlreg[3];
        return bits == 64 ? Mfn{base >> 12} : Mfn{static_cast<std::uint32_t>(base >> 12 | base << 20)};
    }

    std::uint64_t entry(Mfn table, std::uint64_t index) {
        std::uint64_t e = 0;
        std::memcpy(&e, xen().memory().page(table) + index * sizeof e, sizeof e);
        return e;
    }
    /// What the processor makes of an address: the entry that maps it, or 0.
    std::uint64_t mapping(std::uint64_t address) {
        Mfn table = top();
        for (unsigned level = levels();; --level) {
            const std::uint64_t bits_here = level == 3 && bits == 32 ? 3 : 511;
            const std::uint64_t e = entry(table, address >> (12 + 9 * (level - 1)) & bits_here);
            if ((e & kPresent) == 0 || level == 1) return e;
            table = frame_in(e);
        }
    }
    const std::byte* at(std::uint64_t address) {
        const std::uint64_t e = mapping(address);
        return (e & kPresent) != 0 ? xen().memory().page(frame_in(e)) + address % kPageSize : nullptr;
    }
    template <class T>
    T read(std::uint64_t address) {
        T value{};
        if (const std::byte* here = at(address)) std::memcpy(&value, here, sizeof value);
        return value;
    }
    start_info_t start() { return read<start_info_t>(context.user_regs.rsi); }
    Mfn listed(std::uint64_t pfn) { return Mfn{read<std::uint64_t>(start().mfn_list + pfn * 8)}; }

    /// `visit(level, table)` of every page table from the top, once each.
    std::map<Mfn, unsigned> tables() {
        std::map<Mfn, unsigned> found{{top(), levels()}};
        for (unsigned level = levels(); level > 1; --level)
            for (const auto& [table, l] : std::map(found)) {
                if (l != level) continue;
                for (std::uint64_t i = 0; i < (level == 3 && bits == 32 ? 4u : 512u); ++i)
                    if (const std::uint64_t e = entry(table, i); (e & kPresent) != 0) found[frame_in(e)] = level - 1;
            }
        return found;
    }

    engine::SeededSource source{1};
    engine::Engine engine{source, {}};
    Host host{engine, HostOptions{}};
    const unsigned bits;
    const std::uint64_t frames;
    std::uint64_t free_before = 0;
    DomainSpec spec;
    Result<DomId> built = fail(Errno::again, "not yet");
    vcpu_guest_context_t context{};
};

}  // namespace xenrig::toolstack
