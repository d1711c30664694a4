// The tour of fixtures/xen-answers, taken by a bare 64-bit PV kernel on Xen 4.17, once as dom0 and once as an
// unprivileged domain: the simulated hypervisor must give the same lines.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

#include "fake_machine.h"
#include "guest.h"

namespace xenrig::test {
namespace {

class Tour {
public:
    Tour(Guest& guest, bool privileged) : g_(guest), privileged_(privileged), me_(guest.id) {}

    std::string take() {
        line("@@START xen xen-3.0-x86_64 privileged=%d domid=%d", privileged_, me_.value);
        set_up_table();
        g_.info().evtchn_upcall_mask = 1;
        g_.mask_all();
        events();
        ports();
        ipi();
        g_.write(kData, "grant me, please, dear hyper!");
        g_.grant(10, me_, kData);
        maps();
        refused_maps();
        copies();
        rights();
        line("hypercall 63: %d", g_.call(63));
        line("@@DONE");
        return text_;
    }

private:
    static constexpr std::uint64_t kData = 3, kTarget = 4, kWindow = 0x1000;
    static constexpr std::uint32_t kMap = GNTMAP_host_map | GNTMAP_application_map;

    /// A number for %d and %x, a string for %s.
    struct Arg {
        template <class T>
            requires std::is_integral_v<T>
        Arg(T v) : number(static_cast<long>(v)) {}
        Arg(const char* s) : text(s) {}
        long number = 0;
        std::string text;
    };
    void line(std::string_view format, std::initializer_list<Arg> args) {
        auto arg = args.begin();
        for (std::size_t i = 0; i < format.size(); ++i) {
            if (format[i] != '%') {
                text_ += format[i];
                continue;
            }
            char digits[24];
            std::snprintf(digits, sizeof digits, format[++i] == 'x' ? "%lx" : "%ld", arg->number);
            text_ += format[i] == 's' ? arg->text : digits;
            ++arg;
        }
        text_ += '\n';
    }
    template <class... A>
    void line(std::string_view format, const A&... args) {
        line(format, std::initializer_list<Arg>{Arg(args)...});
    }
    void bits(const char* what, std::uint32_t port) {
        const Bits b = g_.bits(port);
        line("    [%s] pend=%d mask=%d sel=%x upcall=%d", what, b.pending, b.masked, b.selector, b.upcall);
    }
    void set_pending(std::uint32_t port) { g_.shared().evtchn_pending[0] |= 1ul << port; }
    std::uint32_t flags() { return g_.flags(10); }

    void set_up_table() {
        xen_pfn_t frame = 0;
        gnttab_setup_table_t op{};
        op.dom = DOMID_SELF;
        op.nr_frames = 1;
        op.frame_list.p = &frame;
        const Answer rc = g_.call(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &op, 1);
        line("setup_table rc=%d status=%d", rc, op.status);
    }

    void events() {
        const auto [rc, u] = g_.alloc_unbound(DomId{DOMID_SELF});
        line("alloc_unbound rc=%d port=%d", rc, u);
        bits("after alloc", u);
        line("send unbound rc=%d", g_.send(u));
        bits("u", u);
        const auto [bound, l] = g_.bind_interdomain(DomId{DOMID_SELF}, u);
        line("bind_interdomain rc=%d port=%d", bound, l);
        bits("u", u);
        bits("l", l);
        g_.clear_events();
        line("send l (peer masked) rc=%d", g_.send(l));
        bits("u", u);
        bits("l", l);
        line("unmask u (pending) rc=%d", g_.unmask(u));
        bits("u", u);
        g_.clear_events();
        line("send l (peer unmasked) rc=%d", g_.send(l));
        bits("u", u);
        g_.clear_events();
        set_pending(u);
        line("send l (already pending, sel clear) rc=%d", g_.send(l));
        bits("u", u);
        g_.clear_events();
        set_pending(u);
        const Answer closed = g_.close(u);
        const auto left = g_.status(l);
        const auto gone = g_.status(u);
        line("close u (pending) rc=%d, status l=%d u=%d", closed, left.number, gone.number);
        bits("u", u);
        bits("l", l);
        line("close l rc=%d", g_.close(l));
        g_.clear_events();
    }

    void ports() {
        std::uint32_t p[4];
        for (auto& port : p) port = g_.alloc_unbound(DomId{DOMID_SELF}).number;
        line("ports %d %d %d %d", p[0], p[1], p[2], p[3]);
        g_.close(p[2]);
        g_.close(p[1]);
        line("after closing 3rd then 2nd, next port %d", g_.alloc_unbound(DomId{DOMID_SELF}).number);
        if (!privileged_) {
            for (const auto port : p) g_.close(port);
            return;
        }
        const Answer reset = g_.reset();
        line("reset SELF rc=%d status=%d", reset, g_.status(p[0]).number);
        Numbered last{}, next{};
        long made = 0;
        for (next = g_.alloc_unbound(DomId{DOMID_SELF}); next.rc == 0; next = g_.alloc_unbound(DomId{DOMID_SELF}))
            last = next, ++made;
        line("port exhaustion: %d ports then rc=%d (last port %d)", made, next.rc, last.number);
        g_.reset();
    }

    void ipi() {
        const auto [rc, port] = g_.bind_ipi(0);
        bits("ipi after bind", port);
        line("ipi rc=%d send rc=%d", rc, g_.send(port));
        bits("ipi", port);
        g_.shared().evtchn_mask[0] &= ~(1ul << port);
        g_.clear_events();
        g_.send(port);
        bits("ipi unmasked", port);
        g_.close(port);
        g_.clear_events();
    }

    void maps() {
        const auto ro = g_.map(me_, 10, kWindow, kMap | GNTMAP_readonly);
        line("map RO st=%d handle=%d flags=%x text='%s'", ro.rc, ro.number, flags(), g_.text(kWindow));
        const auto rw = g_.map(me_, 10, kWindow + 1, kMap);
        line("map RW st=%d handle=%d flags=%x", rw.rc, rw.number, flags());
        const auto again = g_.map(me_, 10, kWindow + 2, kMap);
        line("map RW again st=%d handle=%d flags=%x", again.rc, again.number, flags());
        g_.grants()[10].flags &= static_cast<std::uint16_t>(~GTF_type_mask);
        line("revoke type while mapped flags=%x", flags());
        const auto more = g_.map(me_, 10, kWindow + 3, kMap);
        line("map more after revoke st=%d flags=%x", more.rc, flags());
        g_.unmap(more.number, kWindow + 3);
        const auto unmap = [&](const char* what, Numbered mapping, std::uint64_t at) {
            const Answer status = g_.unmap(mapping.number, at);
            line("unmap %s st=%d flags=%x", what, status, flags());
        };
        unmap("RW", rw, kWindow + 1);
        unmap("RW2", again, kWindow + 2);
        unmap("RO", ro, kWindow);
        line("unmap again st=%d", g_.unmap(ro.number, kWindow));
        line("map revoked st=%d flags=%x", g_.map(me_, 10, kWindow, kMap).rc, flags());
    }

    void refused_maps() {
        const auto refused = [&](const char* what, Numbered answer) {
            line("map %s st=%d flags=%x", what, answer.rc, flags());
        };
        g_.grant(10, me_, kData, GTF_permit_access | GTF_readonly);
        refused("RW of RO", g_.map(me_, 10, kWindow, kMap));
        g_.grant(10, DomId{static_cast<std::uint16_t>(me_.value + 5)}, kData);
        refused("for dom 5", g_.map(me_, 10, kWindow, kMap));
        g_.grant(10, me_, kData);
        g_.grants()[10].frame = 0xfffffff;
        refused("bad frame", g_.map(me_, 10, kWindow, kMap));
        g_.grant(10, me_, kData, GTF_accept_transfer);
        refused("accept_transfer", g_.map(me_, 10, kWindow, kMap));
        g_.grant(10, me_, kData);
        line("map ref 511 (last, unused) st=%d", g_.map(me_, 511, kWindow, kMap).rc);
        line("map ref 512 (beyond 1 frame) st=%d", g_.map(me_, 512, kWindow, kMap).rc);
        line("map DOMID_SELF st=%d", g_.map(DomId{DOMID_SELF}, 10, kWindow, kMap).rc);
        line("map flags 0 st=%d", g_.map(me_, 10, kWindow, 0).rc);
        refused("no pagetable", g_.map(me_, 10, 0x7f0000000000 / kPageSize, kMap));
        refused("in Xen area", g_.map(me_, 10, 0xffff800000000000 / kPageSize, kMap));
    }

    void copies() {
        g_.grant(11, me_, kTarget);
        const auto copy = [&](std::uint32_t from, unsigned of, unsigned offset = 0) {
            auto op = g_.copy_op(from, DomId{static_cast<std::uint16_t>(me_.value + of)}, 11, me_);
            op.source.offset = static_cast<std::uint16_t>(offset);
            op.len = 30;
            return g_.copy(op);
        };
        const Answer ok = copy(10, 0);
        line("copy ok st=%d flags=%x,%x text='%s'", ok, g_.flags(10), g_.flags(11), g_.text(kTarget));
        g_.grants()[11].flags = GTF_permit_access | GTF_readonly;
        line("copy to RO st=%d", copy(10, 0));
        line("copy cross st=%d", copy(10, 0, 4090));
        line("copy bad dom st=%d", copy(10, 9));
        line("copy bad ref st=%d", copy(600, 0));
        g_.grants()[11].flags = 0;
        line("copy unused st=%d", copy(10, 0));
    }

    void rights() {
        line("alloc_unbound(0,0) rc=%d", g_.alloc_unbound(DomId{0}, DomId{0}).rc);
        line("status dom0 port 1 rc=%d", g_.status(1, DomId{0}).rc);
        line("bind_virq CON_RING rc=%d", g_.bind_virq(VIRQ_CON_RING).rc);
        line("reset dom 0 from here rc=%d", privileged_ ? 0 : g_.reset(DomId{0}));
        gnttab_query_size_t size{};
        g_.call(__HYPERVISOR_grant_table_op, GNTTABOP_query_size, &size, 1);
        line("query_size dom 0 st=%d", size.status);
        gnttab_setup_table_t table{};
        g_.call(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &table, 1);
        line("setup_table dom 0 nr 0 st=%d", table.status);
        gnttab_set_version_t version{.version = 2};
        const Answer set = g_.call(__HYPERVISOR_grant_table_op, GNTTABOP_set_version, &version, 1);
        line("set_version 2 rc=%d out=%d", set, version.version);
        size.dom = DOMID_SELF;
        g_.call(__HYPERVISOR_grant_table_op, GNTTABOP_query_size, &size, 1);
        line("query_size nr=%d max=%d st=%d", size.nr_frames, size.max_nr_frames, size.status);
        version.version = 1;
        line("set_version 1 rc=%d", g_.call(__HYPERVISOR_grant_table_op, GNTTABOP_set_version, &version, 1));
    }

    Guest& g_;
    const bool privileged_;
    const DomId me_;
    std::string text_;
};

/// Not taken here: page-table updates of a PV kernel.
bool beyond_this_tour(const std::string& line) {
    return line.starts_with("map shared_info") || line.starts_with("map grant frame");
}

std::string recorded(const char* name) {
    std::ifstream file(std::string(XENRIG_SOURCE_DIR "/fixtures/xen-answers/") + name);
    std::string all;
    for (std::string line; std::getline(file, line);)
        if (!beyond_this_tour(line)) all += line + '\n';
    EXPECT_FALSE(all.empty()) << name << " is missing or empty";
    return all;
}

TEST(RecordedAnswers, TheControlDomainIsAnsweredAsByXen) {
    FakeMachine machine;
    Hypervisor hv(machine, HostConfig{});
    Guest dom0(hv, {.name = "dom0", .type = GuestType::pv, .privileged = true});
    EXPECT_EQ(Tour(dom0, true).take(), recorded("pv0-dom0.txt"));
    EXPECT_EQ(hv.audit(), "");
}

TEST(RecordedAnswers, AnUnprivilegedDomainIsAnsweredAsByXen) {
    FakeMachine machine;
    Hypervisor hv(machine, HostConfig{});
    Guest dom0(hv, {.name = "dom0", .type = GuestType::pv, .privileged = true});
    // Its toolstack gave it two ports, for store and console.
    Guest domu(hv, {.name = "domu", .type = GuestType::pv, .first_port = Port{3}});
    EXPECT_EQ(Tour(domu, false).take(), recorded("pv0-domu.txt"));
    EXPECT_EQ(hv.audit(), "");
}

}  // namespace
}  // namespace xenrig::test
