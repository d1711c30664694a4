// A PV guest's image, restored on a host that has never seen it: every number of the old machine is a new one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "sim/engine/engine.h"
#include "sim/engine/sources.h"
#include "sim/hypervisor/tools_abi.h"
#include "sim/toolstack/control_calls.h"
#include "sim/toolstack/pv_restore.h"
#include "xenrig/abi/pv_address_space.h"
#include "xenrig/world/run.h"

namespace xenrig::world {
namespace {

using Bytes = std::vector<std::byte>;

Bytes image_of(const std::string& scenario) {
    Bytes image;
    RunOptions options{.seed = 3};
    options.saved = [&](std::span<const std::byte> whole) { image.assign(whole.begin(), whole.end()); };
    const auto read = load_scenario(XENRIG_SOURCE_DIR "/fixtures/scenarios/" + scenario + ".toml");
    EXPECT_TRUE(run(read.value(), options).ok());
    return image;
}

struct Restored {
    explicit Restored(const Bytes& image, std::uint64_t frames = 1024, std::string_view guest = "web") {
        EXPECT_EQ(engine.run(), engine::Stopped::quiet);
        free_before = xen().memory().frames_free();
        on_host([&] {
            const toolstack::DomainSpec spec{
                .name = "web", .type = hypervisor::GuestType::pv, .vcpus = 1, .frames = frames};
            domain = toolstack::Toolstack(host).build(
                spec, [&](DomId d) { return toolstack::restore_pv(host, d, image, guest); });
        });
    }
    void on_host(std::function<void()> job) {
        host.spawn_job("test", std::move(job));
        EXPECT_EQ(engine.run(), engine::Stopped::quiet);
    }
    hypervisor::Hypervisor& xen() { return host.xen(); }
    void expect_refused(Errno code) {
        ASSERT_FALSE(domain);
        EXPECT_EQ(domain.error().code, code) << domain.error().message;
        EXPECT_EQ(xen().memory().frames_free(), free_before);
        EXPECT_EQ(xen().audit(), "");
    }

    engine::SeededSource source{1};
    engine::Engine engine{source, {}};
    toolstack::Host host{engine, {.name = "z", .index = 5}};
    std::uint64_t free_before = 0;
    Result<DomId> domain = fail(Errno::again, "not yet");
};

TEST(PvImage, ARestoredDomainHasItsTablesListAndStartPageInNewFrames) {
    Restored r(image_of("pv-migrate"));
    ASSERT_TRUE(r.domain) << r.domain.error().message;
    const DomId d = *r.domain;
    vcpu_guest_context_t c{};
    std::vector<std::uint32_t> types;
    std::vector<Mfn> frames;
    frames.reserve(1024);
    for (std::uint64_t i = 0; i < 1024; ++i) frames.push_back(r.xen().lookup(d, Gfn{i}).value());
    r.on_host([&] {
        toolstack::ControlCalls calls(r.host, d, 64);
        c = calls.context(VcpuId{0}).value();
        types = calls.page_types(frames).value();
    });
    EXPECT_EQ(std::count(types.begin(), types.end(), XEN_DOMCTL_PFINFO_L4TAB | XEN_DOMCTL_PFINFO_LPINTAB), 1);
    EXPECT_GE(std::count(types.begin(), types.end(), XEN_DOMCTL_PFINFO_L1TAB), 2);
    EXPECT_NE(c.flags & VGCF_online, 0u);
    EXPECT_NE(c.event_callback_eip, 0u) << "upcalls go on as they were";

    // The guest's memory is again one to one where it was, through tables of this host's frames.
    const std::uint64_t base = toolstack::layout_of({.type = hypervisor::GuestType::pv, .frames = 1024}).pv->virt_base;
    PvAddressSpace& space = r.xen().linear_space(d, base);
    for (std::uint64_t i = 0; i < 1024; ++i) {
        EXPECT_EQ(space.page(Gfn{i}), r.xen().memory().page(frames[i])) << i;
        EXPECT_EQ(space.machine_to_phys(frames[i]), Gfn{i});
    }
    start_info_t s{};
    std::memcpy(&s, r.xen().memory().page(Mfn{c.user_regs.rdx}), sizeof s);
    EXPECT_STREQ(s.magic, "xen-3.0-x86_64");
    EXPECT_EQ(s.nr_pages, 1024u);
    EXPECT_EQ(r.xen().memory().page(Mfn{s.shared_info / kPageSize}), r.xen().shared_info(d));
    EXPECT_EQ(r.xen().memory().owner(Mfn{s.store_mfn}), d);
    EXPECT_EQ(r.xen().memory().owner(Mfn{s.console.domU.mfn}), d);
    std::uint64_t listed[512];
    std::memcpy(listed, space.page(Gfn{(s.mfn_list - base) / kPageSize}), sizeof listed);
    for (std::size_t i = 0; i < 512; ++i) EXPECT_EQ(listed[i], frames[i].value);
    const auto& shared = *reinterpret_cast<const shared_info_t*>(r.xen().shared_info(d));
    for (const xen_ulong_t word : shared.evtchn_mask) EXPECT_EQ(word, ~0ull);
    EXPECT_EQ(shared.arch.p2m_cr3, 0u) << "the old host's";
    EXPECT_EQ(r.xen().audit(), "");
}

TEST(PvImage, ADomainThatMayHaveLessMemoryIsNotFilled) {
    Restored(image_of("pv-migrate"), 1000).expect_refused(Errno::badmsg);
}

TEST(PvImage, AnotherGuestsOrATranslatedGuestsImageIsRefused) {
    Restored(image_of("pv-migrate"), 1024, "db").expect_refused(Errno::badmsg);
    Restored(image_of("blk-migrate")).expect_refused(Errno::opnotsupp);
}

TEST(PvImage, ACutOffImageIsRefusedAndGivesAllBack) {
    Bytes image = image_of("pv-migrate");
    image.resize(image.size() - 16);
    Restored r(image);
    EXPECT_FALSE(r.domain);
    EXPECT_EQ(r.xen().memory().frames_free(), r.free_before);
    EXPECT_EQ(r.xen().audit(), "");
}

}  // namespace
}  // namespace xenrig::world
