// Domains end while a control domain maps their pages without any grant, as a domain builder, a console daemon or a
// device model does: by page-table entries with a foreign domid (PV), by gmfn_foreign and acquired resources (PVH).
// In every order: who is mapped stays as a zombie until the last mapping goes, and not longer.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <optional>
#include <string>

#include "fake_machine.h"
#include "living.h"
#include "pv_kernel.h"
#include "sim/hypervisor/tools_abi.h"

#include <xen/physdev.h>

namespace xenrig::test {
namespace {

constexpr std::uint64_t kWindow = 0x4'0000;
constexpr std::uint32_t kRef = 8, kGsi = 9;
constexpr std::uint64_t kSharedGfn = 3;

/// A control domain that reaches other domains' pages, of either kind, by slots.
class Holder {
public:
    Holder(Hypervisor& hv, GuestType type) : hv_(hv) {
        if (type == GuestType::pv) {
            kernel_.emplace(hv, "holder", 64, true);
            EXPECT_EQ(kernel_->load(), 0);
        } else {
            pvh_.emplace(hv, DomainConfig{.name = "holder", .type = type, .privileged = true});
        }
    }
    Guest& guest() { return kernel_ ? kernel_->guest : *pvh_; }

    Answer map_ram(unsigned slot, Guest& of, std::uint64_t gfn) {
        if (kernel_)
            return kernel_->update(1, entry(slot), hv_.lookup(of.id, Gfn{gfn})->value, kBoth, MMU_NORMAL_PT_UPDATE,
                                   of.id);
        xen_ulong_t index = of.frame(gfn);
        xen_pfn_t at = kWindow + slot;
        int status = 0;
        xen_add_to_physmap_batch_t op{};
        op.domid = DOMID_SELF;
        op.space = XENMAPSPACE_gmfn_foreign;
        op.size = 1;
        op.u.foreign_domid = of.id.value;
        op.idxs.p = &index;
        op.gpfns.p = &at;
        op.errs.p = &status;
        const Answer rc = pvh_->call(__HYPERVISOR_memory_op, XENMEM_add_to_physmap_batch, &op);
        return rc != 0 ? rc : status;
    }
    Answer map_grant_table(unsigned slot, const Guest& of) {
        xen_pfn_t frame = kWindow + slot;
        xen_mem_acquire_resource_t op{};
        op.domid = of.id.value;
        op.type = XENMEM_resource_grant_table;
        op.nr_frames = 1;
        op.frame_list.p = &frame;
        const Answer rc = guest().call(__HYPERVISOR_memory_op, XENMEM_acquire_resource, &op);
        if (rc != 0 || pvh_) return rc;
        return kernel_->update(1, entry(slot), frame, kBoth, MMU_NORMAL_PT_UPDATE, of.id);
    }
    Answer unmap(unsigned slot) {
        if (kernel_) return kernel_->update(1, entry(slot), 0, 0);
        xen_remove_from_physmap_t op{.domid = DOMID_SELF, .gpfn = kWindow + slot};
        return pvh_->call(__HYPERVISOR_memory_op, XENMEM_remove_from_physmap, &op);
    }
    /// The first word that it sees there.
    std::optional<std::uint64_t> read(unsigned slot) {
        const std::uint64_t page = kernel_ ? entry(slot) : kWindow + slot;
        std::uint64_t word = 0;
        const auto memory = hv_.linear_access(guest().id, VcpuId{0});
        return memory->fetch(word, page * kPageSize) ? std::optional{word} : std::nullopt;
    }

private:
    static std::uint64_t entry(unsigned slot) { return 100 + slot; }

    Hypervisor& hv_;
    std::optional<Kernel> kernel_;
    std::optional<Guest> pvh_;
};

enum Mapping : unsigned { kRamOfA, kGrantTableOfA, kRamOfB, kMappings };

/// a and b are mapped by the holder; b maps a frame that a granted it, and a has an interrupt line of the machine.
class World {
public:
    World(GuestType holder_type, GuestType guests) {
        hv.set_observer(&living);
        dom0.emplace(hv, DomainConfig{.name = "dom0", .privileged = true}, 4);
        exceptions = dom0->bind_virq(VIRQ_DOM_EXC).number;
        before = living;
        holder.emplace(hv, holder_type);
        a.emplace(hv, DomainConfig{.name = "a", .type = guests}, 12);
        b.emplace(hv, DomainConfig{.name = "b"}, 12);
        a->write(kSharedGfn, "A of ram");
        b->write(kSharedGfn, "B of ram");
        EXPECT_EQ(holder->map_ram(kRamOfA, *a, kSharedGfn), 0);
        EXPECT_EQ(holder->map_grant_table(kGrantTableOfA, *a), 0);
        EXPECT_EQ(holder->map_ram(kRamOfB, *b, kSharedGfn), 0);
        a->grant(kRef, b->id, kSharedGfn);
        granted = b->map(a->id, kRef, kWindow);
        EXPECT_EQ(granted.rc, GNTST_okay);
        // A PVH domain has no physdev_op, for itself or for others.
        if (holder_type == GuestType::pv) give_line();
    }

    void end(Guest& g, bool& ended, bool killed_first) {
        if (killed_first) {
            EXPECT_TRUE(hv.kill_domain(g.id));
        }
        EXPECT_TRUE(hv.destroy_domain(g.id));
        ended = true;
    }
    void unmap(Mapping which) {
        if (!holder_ended) {
            EXPECT_EQ(holder->unmap(which), 0);
        }
        mapped[which] = false;
    }
    void unmap_grant() {
        if (!b_ended) {
            EXPECT_EQ(b->unmap(granted.number, kWindow), GNTST_okay);
        }
        grant_mapped = false;
    }
    bool holds(Mapping which) const { return mapped[which] && !holder_ended; }
    bool a_is_used() const { return holds(kRamOfA) || holds(kGrantTableOfA) || (grant_mapped && !b_ended); }
    bool listed(const Guest& g) { return hv.info(g.id).has_value(); }

    FakeMachine machine;
    Living living, before;
    Hypervisor hv{machine, {.frames = 96}};
    std::optional<Guest> dom0, a, b;
    std::optional<Holder> holder;
    std::uint32_t exceptions = 0;
    Numbered granted;
    std::array<bool, kMappings> mapped{true, true, true};
    bool grant_mapped = true, holder_ended = false, a_ended = false, b_ended = false;

private:
    void give_line() {
        physdev_map_pirq_t op{};
        op.domid = a->id.value;
        op.type = MAP_PIRQ_TYPE_GSI;
        op.index = op.pirq = kGsi;
        EXPECT_EQ(holder->guest().call(__HYPERVISOR_physdev_op, PHYSDEVOP_map_pirq, &op), 0);
        evtchn_bind_pirq_t bind{.pirq = kGsi, .flags = 0, .port = 0};
        EXPECT_EQ(a->event(EVTCHNOP_bind_pirq, bind), 0);
    }
};

constexpr std::size_t kMoves = 7;

void make(World& w, std::size_t move, bool killed_first) {
    switch (move) {
        case 0:
            return w.end(*w.a, w.a_ended, killed_first);
        case 1:
            return w.end(*w.b, w.b_ended, killed_first);
        case 2:
            return w.end(w.holder->guest(), w.holder_ended, killed_first);
        case 6:
            return w.unmap_grant();
        default:
            return w.unmap(static_cast<Mapping>(move - 3));
    }
}

std::uint64_t word_of(const char* text) {
    std::uint64_t word = 0;
    std::memcpy(&word, text, sizeof word);
    return word;
}

void check_step(World& w, std::size_t listed_before, std::size_t move) {
    ASSERT_EQ(w.hv.audit(), "");
    ASSERT_EQ(w.listed(*w.a), !w.a_ended || w.a_is_used());
    ASSERT_EQ(w.listed(*w.b), !w.b_ended || w.holds(kRamOfB));
    ASSERT_EQ(w.listed(w.holder->guest()), !w.holder_ended);
    // Who maps the page of a domain that has ended still sees what that wrote.
    if (w.holds(kRamOfA)) {
        ASSERT_EQ(w.holder->read(kRamOfA), word_of("A of ram"));
    }
    if (w.holds(kRamOfB)) {
        ASSERT_EQ(w.holder->read(kRamOfB), word_of("B of ram"));
    }
    // A toolstack hears of an end, and once more when the zombie goes; of nothing else.
    const bool ended = move < 3 || w.hv.domains().size() != listed_before;
    ASSERT_EQ(w.dom0->bits(w.exceptions).pending, ended) << "VIRQ_DOM_EXC";
    ASSERT_TRUE(w.hv.raise_interrupt(kGsi));
}

void every_order(GuestType holder, GuestType guests) {
    std::array<std::size_t, kMoves> order;
    std::iota(order.begin(), order.end(), 0);
    unsigned orders = 0;
    do {
        World w(holder, guests);
        for (const std::size_t move : order) {
            w.dom0->clear_events();
            const std::size_t listed = w.hv.domains().size();
            make(w, move, orders % 2 == 1);
            check_step(w, listed, move);
            if (testing::Test::HasFatalFailure())
                FAIL() << "order " << testing::PrintToString(order) << " at move " << move;
        }
        ASSERT_EQ(w.living.frames, w.before.frames);
        ASSERT_EQ(w.living.ports, w.before.ports);
        ASSERT_EQ(w.living.domains, 1);
        ++orders;
    } while (std::next_permutation(order.begin(), order.end()));
    EXPECT_EQ(orders, 5'040u);
}

TEST(ForeignTeardown, EveryOrderWithAPvControlDomainsPageTables) { every_order(GuestType::pv, GuestType::pvh); }
TEST(ForeignTeardown, EveryOrderWithAPvhControlDomainsPhysmap) { every_order(GuestType::pvh, GuestType::pv); }

TEST(ForeignTeardown, AZombiesNumberIsTakenUntilTheMappingGoes) {
    World w(GuestType::pv, GuestType::pvh);
    const auto create = [&] {
        xen_domctl_t op{};
        op.cmd = XEN_DOMCTL_createdomain;
        op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
        op.domain = w.a->id.value;
        op.u.createdomain.max_vcpus = 1;
        op.u.createdomain.max_grant_frames = op.u.createdomain.max_maptrack_frames = 4;
        op.u.createdomain.grant_opts = XEN_DOMCTL_GRANT_version(2);
        return w.dom0->call(__HYPERVISOR_domctl, &op);
    };
    w.unmap(kRamOfA);
    w.unmap_grant();
    ASSERT_TRUE(w.hv.destroy_domain(w.a->id));
    EXPECT_EQ(create(), error(Errno::exist));
    EXPECT_TRUE(w.hv.info(w.a->id)->dying);
    w.unmap(kGrantTableOfA);
    EXPECT_EQ(create(), 0);
    EXPECT_FALSE(w.hv.info(w.a->id)->dying) << "another one";
    EXPECT_EQ(w.hv.audit(), "");
}

TEST(ForeignTeardown, WhatIsStillMappedOfAZombieCanBeMappedAgainAndNothingElse) {
    World w(GuestType::pv, GuestType::pvh);
    const std::uint64_t other = w.hv.lookup(w.a->id, Gfn{5})->value;
    const std::uint64_t held = w.hv.lookup(w.a->id, Gfn{kSharedGfn})->value;
    ASSERT_TRUE(w.hv.destroy_domain(w.a->id));
    mmu_update_t one{w.hv.lookup(w.holder->guest().id, Gfn{1})->value << 12 | 200 * 8, other << 12 | kRead};
    const auto update = [&] { return w.holder->guest().call(__HYPERVISOR_mmu_update, &one, 1, 0, w.a->id.value); };
    EXPECT_EQ(update(), error(Errno::busy)) << "it is free, or somebody else's";
    one.val = held << 12 | kRead;
    EXPECT_EQ(update(), 0);
    w.unmap(kRamOfA);
    w.unmap(kGrantTableOfA);
    w.unmap_grant();
    EXPECT_TRUE(w.listed(*w.a));
    one.val = 0;
    EXPECT_EQ(update(), 0);
    EXPECT_FALSE(w.listed(*w.a));
    EXPECT_EQ(w.hv.audit(), "");
}

}  // namespace
}  // namespace xenrig::test
