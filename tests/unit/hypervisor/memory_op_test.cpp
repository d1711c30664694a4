// What guests and toolstacks ask of memory beyond the balloon: frames in a row, exchanges, memory maps, claims, and
// what the hypervisor keeps for a domain.
#include <gtest/gtest.h>

#include <vector>

#include "fake_machine.h"
#include "guest.h"

namespace xenrig::test {
namespace {

struct MemoryOp : testing::Test {
    FakeMachine machine;
    Hypervisor hv{machine, {.frames = 512}};
    Guest dom0{hv, {.name = "dom0", .type = GuestType::pv, .max_frames = 64, .privileged = true}};
    Guest pv{hv, {.name = "pv", .type = GuestType::pv, .max_frames = 40}};
    Guest hvm{hv, {.name = "hvm", .type = GuestType::hvm, .max_frames = 40}};

    void TearDown() override { EXPECT_EQ(hv.audit(), ""); }

    static xen_memory_reservation_t list(std::vector<xen_pfn_t>& frames, unsigned order = 0, unsigned flags = 0) {
        xen_memory_reservation_t r{};
        r.extent_start.p = frames.data();
        r.nr_extents = frames.size();
        r.extent_order = order;
        r.mem_flags = flags;
        r.domid = DOMID_SELF;
        return r;
    }
    Answer reserve(Guest& who, unsigned op, std::vector<xen_pfn_t>& frames, unsigned order = 0, unsigned flags = 0) {
        auto r = list(frames, order, flags);
        return who.call(__HYPERVISOR_memory_op, op, &r);
    }
    Answer exchange(Guest& who, std::vector<xen_pfn_t>& in, unsigned in_order, std::vector<xen_pfn_t>& out,
                    unsigned out_order) {
        xen_memory_exchange_t op{};
        op.in = list(in, in_order);
        op.out = list(out, out_order);
        const Answer rc = who.call(__HYPERVISOR_memory_op, XENMEM_exchange, &op);
        exchanged = op.nr_exchanged;
        return rc;
    }
    template <class Op>
    Answer ask(Guest& who, unsigned number, Op& op) {
        return who.call(__HYPERVISOR_memory_op, number, &op);
    }
    std::uint64_t frames(const Guest& who) { return hv.info(who.id)->frames; }

    std::uint64_t exchanged = 0;
};

TEST_F(MemoryOp, APvGuestIsToldTheFramesThatItGetsAndGivesThemBackByNumber) {
    std::vector<xen_pfn_t> got(3);
    EXPECT_EQ(reserve(pv, XENMEM_increase_reservation, got), 3);
    EXPECT_EQ(frames(pv), 19u);
    for (const xen_pfn_t mfn : got) EXPECT_EQ(hv.memory().owner(Mfn{mfn}), pv.id);
    EXPECT_EQ(reserve(pv, XENMEM_decrease_reservation, got), 3);
    EXPECT_EQ(frames(pv), 16u);
    EXPECT_EQ(reserve(pv, XENMEM_decrease_reservation, got), 0) << "they are nobody's now";
}

TEST_F(MemoryOp, AnExtentIsFramesInARowOnAMultipleOfItsSize) {
    std::vector<xen_pfn_t> got{300, 400};
    EXPECT_EQ(reserve(pv, XENMEM_populate_physmap, got, 3), 2);
    for (const xen_pfn_t mfn : got) EXPECT_EQ(mfn % 8, 0u);
    EXPECT_EQ(hv.lookup(pv.id, Gfn{407})->value, got[1] + 7);
    EXPECT_EQ(reserve(pv, XENMEM_populate_physmap, got, 10), 0) << "beyond the order of an ordinary domain";
}

TEST_F(MemoryOp, AReservationStopsAtTheLimitAndKeepsWhatItGot) {
    std::vector<xen_pfn_t> got(30);
    EXPECT_EQ(reserve(pv, XENMEM_increase_reservation, got), 24);
    EXPECT_EQ(frames(pv), 40u);
    EXPECT_EQ(reserve(hvm, XENMEM_increase_reservation, got), 24) << "a translated guest is told no numbers";
}

TEST_F(MemoryOp, AddressBitsLimitWhereFramesLie) {
    std::vector<xen_pfn_t> got(1);
    EXPECT_EQ(reserve(pv, XENMEM_increase_reservation, got, 0, XENMEMF_address_bits(12)), 0) << "no frame is that low";
    EXPECT_EQ(reserve(pv, XENMEM_increase_reservation, got, 0, XENMEMF_address_bits(20)), 0)
        << "frames begin at 16 MiB";
    EXPECT_EQ(reserve(pv, XENMEM_increase_reservation, got, 0, XENMEMF_address_bits(25)), 1);
    EXPECT_LT(got[0], 1u << (25 - 12));
    EXPECT_EQ(reserve(pv, XENMEM_increase_reservation, got, 0, XENMEMF_exact_node(0)), 0) << "that is not its to say";
}

TEST_F(MemoryOp, AnExchangeGivesFramesInARowForScatteredOnes) {
    std::vector<xen_pfn_t> in, out{100};
    for (const std::uint64_t gfn : {3u, 5u, 7u, 9u}) in.push_back(hv.lookup(pv.id, Gfn{gfn})->value);
    EXPECT_EQ(exchange(pv, in, 0, out, 2), 0);
    EXPECT_EQ(exchanged, 4u);
    EXPECT_EQ(out[0] % 4, 0u);
    EXPECT_EQ(hv.lookup(pv.id, Gfn{103})->value, out[0] + 3);
    EXPECT_FALSE(hv.lookup(pv.id, Gfn{5}).has_value());
    EXPECT_EQ(frames(pv), 16u);
    EXPECT_EQ(exchange(pv, in, 0, out, 1), error(Errno::inval)) << "four for two";
    EXPECT_EQ(exchange(pv, out, 10, in, 10), error(Errno::perm));
}

TEST_F(MemoryOp, AnExchangeStopsAtAFrameThatSomebodyElseUses) {
    pv.grant(8, dom0.id, 5);
    const auto mapping = dom0.map(pv.id, 8, 0x1000);
    std::vector<xen_pfn_t> in{hv.lookup(pv.id, Gfn{3})->value, hv.lookup(pv.id, Gfn{5})->value}, out{3, 5};
    EXPECT_EQ(exchange(pv, in, 0, out, 0), error(Errno::inval));
    EXPECT_EQ(exchanged, 1u);
    EXPECT_EQ(hv.lookup(pv.id, Gfn{3})->value, out[0]) << "the first was exchanged";
    EXPECT_EQ(hv.lookup(pv.id, Gfn{5})->value, in[1]);
    dom0.unmap(mapping.number, 0x1000);
}

TEST_F(MemoryOp, ATranslatedGuestCantExchangeAndAMadeUpFrameIsNone) {
    std::vector<xen_pfn_t> in{3}, out{3};
    EXPECT_EQ(exchange(hvm, in, 0, out, 0), error(Errno::opnotsupp));
    in = {0x7777777};
    EXPECT_EQ(exchange(pv, in, 0, out, 0), error(Errno::inval));
}

TEST_F(MemoryOp, AMemoryMapIsWhatTheBuilderSaid) {
    struct [[gnu::packed]] Entry {
        std::uint64_t start, bytes;
        std::uint32_t type;
    } entries[2] = {{0, 0xa0000, 1}, {0xfc000000, 0x1000, 2}}, read[4] = {};
    xen_memory_map_t map{.nr_entries = 4, .buffer = {}};
    map.buffer.p = read;
    EXPECT_EQ(ask(hvm, XENMEM_memory_map, map), error(Errno::nosys)) << "it was told nothing";
    xen_foreign_memory_map_t set{};
    set.domid = hvm.id.value;
    set.map.nr_entries = 2;
    set.map.buffer.p = entries;
    EXPECT_EQ(ask(pv, XENMEM_set_memory_map, set), error(Errno::perm));
    EXPECT_EQ(ask(dom0, XENMEM_set_memory_map, set), 0);
    EXPECT_EQ(ask(hvm, XENMEM_memory_map, map), 0);
    EXPECT_EQ(map.nr_entries, 2u);
    const std::uint64_t start = read[1].start;
    EXPECT_EQ(start, 0xfc000000u);
    map.nr_entries = 1;
    EXPECT_EQ(ask(hvm, XENMEM_memory_map, map), 0) << "as many as it has room for";
    EXPECT_EQ(map.nr_entries, 1u);
    set.map.nr_entries = 1025;
    EXPECT_EQ(ask(dom0, XENMEM_set_memory_map, set), error(Errno::inval));
}

TEST_F(MemoryOp, TheMachinesMapIsForTheControlDomain) {
    xen_memory_map_t map{.nr_entries = 0, .buffer = {}};
    EXPECT_EQ(ask(pv, XENMEM_machine_memory_map, map), error(Errno::perm));
    EXPECT_EQ(ask(dom0, XENMEM_machine_memory_map, map), 0);
    EXPECT_NE(map.nr_entries, 0u) << "without a buffer it counts";
    char byte = 0;
    map.buffer.p = &byte;
    map.nr_entries = 0;
    EXPECT_EQ(ask(dom0, XENMEM_machine_memory_map, map), error(Errno::inval));
}

TEST_F(MemoryOp, AClaimKeepsFramesFromOthersUntilItsDomainTakesThem) {
    xen_memory_reservation_t claim{};
    claim.domid = hvm.id.value;
    claim.nr_extents = 30;
    const unsigned kClaim = 24;
    EXPECT_EQ(ask(pv, kClaim, claim), error(Errno::perm));
    EXPECT_EQ(ask(dom0, kClaim, claim), 0);
    EXPECT_EQ(ask(dom0, kClaim, claim), error(Errno::inval)) << "one at a time";
    // All but 14 frames are taken by another domain.
    const std::uint64_t rest = hv.memory().frames_free() - 14;
    Guest greedy(hv, {.name = "greedy", .max_frames = 512}, 0);
    EXPECT_FALSE(hv.populate(greedy.id, Gfn{0}, rest).has_value()) << "but shared_info and a grant frame came first";
    std::vector<xen_pfn_t> one{500};
    EXPECT_EQ(reserve(pv, XENMEM_populate_physmap, one), 0);
    std::vector<xen_pfn_t> all(14);
    for (std::uint64_t i = 0; i < all.size(); ++i) all[i] = 100 + i;
    EXPECT_EQ(reserve(hvm, XENMEM_populate_physmap, all), 14);
    claim.nr_extents = 0;
    EXPECT_EQ(ask(dom0, kClaim, claim), 0) << "to claim nothing ends a claim";
}

TEST_F(MemoryOp, AToolstackFindsTheGrantFramesOfAnother) {
    xen_pfn_t frames[2] = {};
    xen_mem_acquire_resource_t op{};
    op.domid = hvm.id.value;
    op.type = XENMEM_resource_grant_table;
    EXPECT_EQ(ask(dom0, XENMEM_acquire_resource, op), 0);
    EXPECT_EQ(op.nr_frames, 64u) << "so many may it have";
    op.nr_frames = 2;
    op.frame_list.p = frames;
    EXPECT_EQ(ask(dom0, XENMEM_acquire_resource, op), 0);
    EXPECT_EQ(hv.memory().page(Mfn{frames[0]}), reinterpret_cast<std::byte*>(hvm.grants()));
    EXPECT_EQ(ask(pv, XENMEM_acquire_resource, op), error(Errno::perm));
    EXPECT_EQ(ask(hvm, XENMEM_acquire_resource, op), error(Errno::access));
    op.frame = 63;
    EXPECT_EQ(ask(dom0, XENMEM_acquire_resource, op), error(Errno::inval));
    op.id = XENMEM_resource_grant_table_id_status;
    op.frame = 0;
    EXPECT_EQ(ask(dom0, XENMEM_acquire_resource, op), error(Errno::inval)) << "version 1 has no status frames";
    op.type = XENMEM_resource_ioreq_server;
    EXPECT_EQ(ask(dom0, XENMEM_acquire_resource, op), error(Errno::noent));
    op.domid = dom0.id.value;
    EXPECT_EQ(ask(dom0, XENMEM_acquire_resource, op), error(Errno::perm)) << "its own it has already";
}

TEST_F(MemoryOp, ABatchAnswersForEachFrameAndATranslatedControlDomainMapsForeignOnes) {
    Hypervisor host{machine, {.frames = 256}};
    Guest control{host, {.name = "dom0", .privileged = true}};
    Guest peer{host, {.name = "peer"}};
    peer.write(4, "theirs");
    xen_ulong_t indices[3] = {4, 4000, 5};
    xen_pfn_t gfns[3] = {900, 901, 3};
    int errs[3] = {7, 7, 7};
    xen_add_to_physmap_batch_t op{};
    op.domid = DOMID_SELF;
    op.space = XENMAPSPACE_gmfn_foreign;
    op.size = 3;
    op.u.foreign_domid = peer.id.value;
    op.idxs.p = indices;
    op.gpfns.p = gfns;
    op.errs.p = errs;
    EXPECT_EQ(control.call(__HYPERVISOR_memory_op, XENMEM_add_to_physmap_batch, &op), 0);
    EXPECT_EQ(std::vector(errs, errs + 3), (std::vector{0, -22, 0}));
    EXPECT_STREQ(control.text(900), "theirs");
    EXPECT_EQ(host.info(control.id)->frames, 15u) << "what stood at gfn 3 was freed";
    EXPECT_EQ(peer.call(__HYPERVISOR_memory_op, XENMEM_add_to_physmap_batch, &op), 0);
    EXPECT_EQ(errs[0], static_cast<int>(error(Errno::perm))) << "not for everybody";

    ASSERT_TRUE(host.destroy_domain(peer.id).has_value());
    EXPECT_STREQ(control.text(900), "theirs") << "the frame stays as long as it is mapped";
    EXPECT_TRUE(host.info(peer.id).has_value());
    for (const xen_pfn_t gfn : {900, 3}) {
        xen_remove_from_physmap_t remove{.domid = DOMID_SELF, .gpfn = gfn};
        EXPECT_EQ(control.call(__HYPERVISOR_memory_op, XENMEM_remove_from_physmap, &remove), 0);
    }
    EXPECT_FALSE(host.info(peer.id).has_value());
    EXPECT_EQ(host.audit(), "");
}

TEST_F(MemoryOp, ARangeThatWrapsIsRefused) {
    xen_add_to_physmap_t op{};
    op.domid = DOMID_SELF;
    op.space = XENMAPSPACE_gmfn_range;
    op.size = 2;
    op.idx = 4;
    op.gpfn = ~1ull;
    EXPECT_EQ(ask(hvm, XENMEM_add_to_physmap, op), error(Errno::overflow));
    op.gpfn = ~0ull;
    EXPECT_EQ(ask(hvm, XENMEM_add_to_physmap, op), error(Errno::inval));
    op.gpfn = 50;
    EXPECT_EQ(ask(hvm, XENMEM_add_to_physmap | 3 << 6, op), error(Errno::ilseq)) << "it can't have come further";
    EXPECT_EQ(ask(hvm, XENMEM_add_to_physmap, op), 0);
    EXPECT_NE(hvm.page(51), nullptr);
}

}  // namespace
}  // namespace xenrig::test
