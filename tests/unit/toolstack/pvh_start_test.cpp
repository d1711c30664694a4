// A PVH domain's start page: what its builder writes, and what its kernel makes of it, also of one that is wrong.
#include <gtest/gtest.h>

#include <cstring>

#include "sim/engine/engine.h"
#include "sim/engine/sources.h"
#include "sim/toolstack/bind.h"
#include "xenrig/guest/kernel.h"

extern "C" {
// xen.h first: the others lean on its types.
#include <xen/xen.h>

#include <xen/arch-x86/hvm/start_info.h>
}

namespace xenrig::toolstack {
namespace {

constexpr std::uint64_t kFrames = 300;

struct PvhStart : testing::Test {
    PvhStart() {
        EXPECT_EQ(engine.run(), engine::Stopped::quiet);
        on_host([&] { built = Toolstack(host).build(spec).value(); });
        std::memcpy(&start, at(address), sizeof start);
    }
    ~PvhStart() override {
        cpu.freeze();
        if (kernel) kernel->domain_died();
        cpu.kill();
        kernel.reset();
        host.xen().detach_vcpu(built, VcpuId{0});
        on_host([&] { EXPECT_TRUE(Toolstack(host).destroy(built)); });
        engine.remove_cpu(cpu);
    }

    void on_host(std::function<void()> job) {
        host.spawn_job("test", std::move(job));
        EXPECT_EQ(engine.run(), engine::Stopped::quiet);
    }
    std::byte* at(std::uint64_t paddr) {
        return host.xen().address_space(built).page(Gfn{paddr / kPageSize}) + paddr % kPageSize;
    }
    void put() { std::memcpy(at(address), &start, sizeof start); }
    hvm_memmap_table_entry entry(std::uint32_t i) {
        hvm_memmap_table_entry e;
        std::memcpy(&e, at(start.memmap_paddr + i * sizeof e), sizeof e);
        return e;
    }
    Result<> boot() {
        Result<> booted;
        kernel = std::make_unique<guest::Kernel>("guest", engine, std::vector<Cpu*>{&cpu}, layout_of(spec),
                                                 kernel_options(spec));
        on_host([&] {
            kernel->bind(attach(host, built, spec, {&cpu}));
            EXPECT_TRUE(host.xen().unpause(built));
        });
        kernel->spawn_on(VcpuId{0}, "boot", TaskRole::work, [&] { booted = kernel->start_core(); });
        EXPECT_EQ(engine.run(), engine::Stopped::quiet);
        return booted;
    }
    std::string refusal() {
        const auto booted = boot();
        return booted ? "it boots" : booted.error().message;
    }

    engine::MildSource source;
    engine::Engine engine{source, {}};
    Host host{engine, {}};
    Cpu& cpu = engine.add_cpu("guest.v0");
    DomainSpec spec{.name = "pvh", .type = hypervisor::GuestType::pvh, .frames = kFrames, .cmd_line = "quiet ro"};
    DomId built;
    /// As %ebx has it.
    const std::uint64_t address = memory_plan(spec).start_info().value * kPageSize;
    hvm_start_info start{};
    std::unique_ptr<guest::Kernel> kernel;
};

TEST_F(PvhStart, ThePageNamesWhatTheDomainHas) {
    EXPECT_EQ(start.magic, 0x336ec578u);
    EXPECT_EQ(start.version, 1u);
    EXPECT_EQ(start.flags, 0u) << "neither privileged nor the first domain";
    EXPECT_EQ(start.nr_modules, 0u);
    EXPECT_EQ(start.modlist_paddr, 0u);
    EXPECT_EQ(start.rsdp_paddr, 0u);
    EXPECT_EQ(start.reserved, 0u);
    EXPECT_STREQ(reinterpret_cast<const char*>(at(start.cmdline_paddr)), "quiet ro");
}

TEST_F(PvhStart, TheMapIsOfAllItsMemoryAndTheRingsAreNoRam) {
    ASSERT_EQ(start.memmap_entries, 2u);
    EXPECT_EQ(entry(0).addr, 0u);
    EXPECT_EQ(entry(0).type, unsigned{XEN_HVM_MEMMAP_TYPE_RAM});
    EXPECT_EQ(entry(1).addr, entry(0).size);
    EXPECT_EQ(entry(1).type, unsigned{XEN_HVM_MEMMAP_TYPE_RESERVED});
    EXPECT_EQ(entry(0).size + entry(1).size, kFrames * kPageSize);
    EXPECT_EQ(entry(1).size, 2 * kPageSize) << "the console's and the store's";
    EXPECT_EQ(entry(0).reserved | entry(1).reserved, 0u);
}

TEST_F(PvhStart, TheKernelReadsItWhenItBoots) {
    ASSERT_TRUE(boot());
    EXPECT_EQ(kernel->hvm_start().cmd_line, "quiet ro");
    ASSERT_EQ(kernel->hvm_start().memory.size(), 2u);
    EXPECT_EQ(kernel->hvm_start().memory[1].address, (kFrames - 2) * kPageSize);
}

TEST_F(PvhStart, APageOfVersionZeroHasNoMapAndSoNoRam) {
    start.version = 0;
    put();
    EXPECT_EQ(refusal(), "hvm_start_info: its map does not have the guest's RAM");
}

TEST_F(PvhStart, AnotherPageIsRefusedByItsMagic) {
    start.magic = 0x336ec568;
    put();
    EXPECT_EQ(refusal(), "hvm_start_info: its magic is 0x336ec568");
}

TEST_F(PvhStart, AMapWhereNothingIsIsRefused) {
    start.memmap_paddr = kFrames * kPageSize;
    put();
    EXPECT_NE(refusal().find("nothing is mapped at gfn"), std::string::npos);
}

TEST_F(PvhStart, AMapOfMillionsOfEntriesIsNotRead) {
    start.memmap_entries = 0xffffffff;
    put();
    EXPECT_EQ(refusal(), "hvm_start_info: its map has 4294967295 entries");
}

TEST_F(PvhStart, ACommandLineWithoutAnEndEndsAfterAPage) {
    std::memset(at(8 * kPageSize), 'x', kPageSize);
    std::memset(at(9 * kPageSize), 'y', kPageSize);
    start.cmdline_paddr = 8 * kPageSize + 10;
    put();
    ASSERT_TRUE(boot());
    EXPECT_EQ(kernel->hvm_start().cmd_line, std::string(kPageSize - 10, 'x') + std::string(10, 'y'));
}

}  // namespace
}  // namespace xenrig::toolstack
