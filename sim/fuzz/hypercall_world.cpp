#include "sim/fuzz/hypercall_world.h"

#include <algorithm>
#include <cstring>

#include "sim/hypervisor/guest_access.h"
#include "sim/hypervisor/xen_abi.h"
#include "xenrig/abi/check.h"

namespace xenrig::fuzz {

using hypervisor::GuestType;

namespace {

constexpr std::uint64_t kBystanderFrames = 12;
/// The upper half of every word of a secret page.
constexpr std::uint64_t kSecret = 0x5ec2'e7ed;

constexpr std::uint64_t secret_word(std::uint64_t gfn, std::uint64_t i) { return kSecret << 32 | gfn << 16 | i; }

hypervisor::HostConfig host_for(std::uint8_t options) {
    return {.name = "fuzz",
            .frames = (options & kSmallHost) != 0 ? 128u : 512u,
            .first_handle = GrantHandle{0},
            .cpus = (options & kSmallHost) != 0 ? 2u : 0u,
            .verbose_debug = (options & kTalkative) != 0};
}

hypervisor::DomainConfig domain_for(std::string name, const DomainKind& kind) {
    return {.name = std::move(name),
            .type = kind.type,
            .bits = kind.bits,
            .vcpus = 2,
            .max_frames = kFrames + 8,
            .privileged = kind.privileged,
            .max_grant_frames = 4,
            .max_maptrack_frames = 2};
}

}  // namespace

DomainKind::DomainKind(std::uint8_t byte)
    : bits((byte & k32Bit) != 0 ? 32 : 64), privileged((byte & kPrivileged) != 0) {
    constexpr std::array kTypes = {GuestType::pvh, GuestType::hvm, GuestType::pv, GuestType::pv};
    type = kTypes[byte & kType];
}

HypercallWorld::HypercallWorld(std::uint8_t hostile, std::uint8_t helper)
    : privileged_((hostile & kPrivileged) != 0), xen_(machine_, host_for(hostile)) {
    DomainKind plain(helper);
    plain.privileged = false;
    add(kHostile, domain_for("hostile", DomainKind(hostile)));
    if (!privileged_)
        add(kControl, {.name = "control", .max_frames = 4, .privileged = true, .max_grant_frames = 1});
    else
        members_[kControl].id = members_[kHostile].id;
    add(kHelper, domain_for("helper", plain));
    add(kBystander, {.name = "bystander", .max_frames = kBystanderFrames, .max_grant_frames = 2});
    Member &a = members_[kHostile], &b = members_[kHelper], &c = members_[kBystander];
    tell_secrets();
    for (Member* m : {&a, &b}) {
        check(xen_.populate(m->id, Gfn{0}, kHole).has_value(), "a fresh host has room");
        check(xen_.populate(m->id, Gfn{kHole + 1}, kFrames - kHole - 1).has_value(), "a fresh host has room");
    }
    // By everybody for everybody else: a page to write, one to read.
    grant(a, 8, c.id, frame_name(a, kGranted), GTF_permit_access);
    grant(a, 9, b.id, frame_name(a, kGranted + 1), GTF_permit_access);
    grant(b, 8, a.id, frame_name(b, kGranted), GTF_permit_access);
    grant(b, 9, a.id, frame_name(b, kGranted + 1), GTF_permit_access | GTF_readonly);
    grant(c, 8, a.id, 8, GTF_permit_access);
    grant(c, 9, a.id, 9, GTF_permit_access | GTF_readonly);
    grant(c, 10, b.id, 10, GTF_permit_access);
    for (const Member* m : {&a, &b}) check(xen_.alloc_unbound(c.id, m->id).has_value(), "a fresh domain has ports");
    check(xen_.alloc_unbound(a.id, b.id).has_value(), "a fresh domain has ports");
}

HypercallWorld::~HypercallWorld() = default;

void HypercallWorld::add(std::size_t which, const hypervisor::DomainConfig& config) {
    const auto dom = xen_.create_domain(config);
    check(dom.has_value(), "a fresh host has room");
    Member& m = members_[which];
    m.id = *dom;
    m.type = config.type;
    for (std::uint32_t v = 0; v < config.vcpus; ++v) {
        m.cpus.push_back(&machine_.add_cpu(config.name));
        xen_.attach_vcpu(m.id, VcpuId{v}, *m.cpus.back());
    }
    m.memory = xen_.linear_access(m.id, VcpuId{0});
    hear_events(m);
    check(xen_.unpause(m.id).has_value(), "a domain is built paused");

    // Where it sees its shared_info and grant table, and so where we see its entries.
    Hypercalls& calls = xen_.hypercalls(m.id, VcpuId{0});
    const bool translated = config.type != GuestType::pv;
    constexpr std::uint64_t kSharedInfo = 64, kGrantTable = 65;
    if (translated) {
        xen_add_to_physmap_t at{
            .domid = DOMID_SELF, .size = 0, .space = XENMAPSPACE_shared_info, .idx = 0, .gpfn = kSharedInfo};
        calls.call(__HYPERVISOR_memory_op, {XENMEM_add_to_physmap, reinterpret_cast<std::uint64_t>(&at)});
        at.space = XENMAPSPACE_grant_table;
        at.gpfn = kGrantTable;
        calls.call(__HYPERVISOR_memory_op, {XENMEM_add_to_physmap, reinterpret_cast<std::uint64_t>(&at)});
        m.entries = xen_.address_space(m.id).page(Gfn{kGrantTable});
    } else {
        xen_pfn_t frame = 0;
        gnttab_setup_table_t table{.dom = DOMID_SELF, .nr_frames = 1, .status = 0, .frame_list = {&frame}};
        calls.call(__HYPERVISOR_grant_table_op, {GNTTABOP_setup_table, reinterpret_cast<std::uint64_t>(&table), 1});
        m.entries = xen_.memory().page(Mfn{frame});
    }
}

void HypercallWorld::hear_events(const Member& m) {
    if (m.type != GuestType::pv) {
        constexpr std::uint64_t kVector = std::uint64_t{HVM_PARAM_CALLBACK_TYPE_VECTOR} << 56 | 0xf3;
        check(xen_.set_param(m.id, HVM_PARAM_CALLBACK_IRQ, kVector).has_value(), "a vector is always had");
        return;
    }
    for (std::uint32_t v = 0; v < m.cpus.size(); ++v)
        for (const std::uint16_t type : {std::uint16_t{CALLBACKTYPE_event}, std::uint16_t{CALLBACKTYPE_failsafe}}) {
            callback_register_t handler{.type = type, .flags = 0, .address = 0x1000};
            xen_.hypercalls(m.id, VcpuId{v})
                .call(__HYPERVISOR_callback_op, {CALLBACKOP_register, reinterpret_cast<std::uint64_t>(&handler)});
        }
}

void HypercallWorld::tell_secrets() {
    Member& c = members_[kBystander];
    check(xen_.populate(c.id, Gfn{0}, kBystanderFrames).has_value(), "a fresh host has room");
    expose(8);
    expose(10);
    for (std::uint64_t gfn = 0; gfn < kBystanderFrames; ++gfn) {
        std::byte* page = xen_.address_space(c.id).page(Gfn{gfn});
        for (std::uint64_t i = 0; i < kPageSize / 8; ++i) {
            // The page that may be read is no secret, and still must not change.
            const std::uint64_t word = gfn == 9 || exposed_.contains(gfn) ? i : secret_word(gfn, i);
            std::memcpy(page + i * 8, &word, sizeof word);
        }
        secret_frames_.push_back(*xen_.lookup(c.id, Gfn{gfn}));
    }
}

bool HypercallWorld::alive(const Member& member) const { return !member.cpus.empty() && xen_.alive(member.id); }

bool HypercallWorld::may_call(const Member& member, VcpuId vcpu) {
    return vcpu.value < member.cpus.size() && alive(member) && member.cpus[vcpu.value]->runs();
}

void HypercallWorld::grant(Member& by, std::uint32_t ref, DomId to, std::uint64_t frame, unsigned flags) {
    grant_entry_v1_t entry{};
    entry.flags = static_cast<std::uint16_t>(flags);
    entry.domid = to.value;
    entry.frame = static_cast<std::uint32_t>(frame);
    std::memcpy(by.entries + ref % (kPageSize / sizeof entry) * sizeof entry, &entry, sizeof entry);
}

std::uint64_t HypercallWorld::frame_name(const Member& member, std::uint64_t gfn) const {
    if (member.type != GuestType::pv) return gfn;
    const auto mfn = xen_.lookup(member.id, Gfn{gfn});
    return mfn ? mfn->value : ~0ull;
}

std::optional<std::string> HypercallWorld::bystander_wrong() {
    const Member& c = members_[kBystander];
    const auto info = xen_.info(c.id);
    if (!info || info->dying || info->shut_down || info->pauses != 0) return "the bystander does not run any more";
    if (info->frames != kBystanderFrames) return "the bystander has another number of frames";
    for (std::uint64_t gfn = 0; gfn < kBystanderFrames; ++gfn) {
        const auto mfn = xen_.lookup(c.id, Gfn{gfn});
        if (!mfn || *mfn != secret_frames_[gfn])
            return "another frame stands at the bystander's gfn " + std::to_string(gfn);
        if (exposed_.contains(gfn)) continue;
        const std::byte* page = xen_.memory().page(*mfn);
        for (std::uint64_t i = 0; i < kPageSize / 8; ++i) {
            std::uint64_t word = 0;
            std::memcpy(&word, page + i * 8, sizeof word);
            if (word != (gfn == 9 ? i : secret_word(gfn, i)))
                return "word " + std::to_string(i) + " of the bystander's gfn " + std::to_string(gfn) +
                       ", which nobody may write, has changed";
        }
    }
    return std::nullopt;
}

std::optional<std::string> HypercallWorld::secrets_seen_by(const Member& member) {
    for (const Gfn gfn : xen_.ram(member.id)) {
        const Mfn mfn = *xen_.lookup(member.id, gfn);
        if (!xen_.memory().touched(mfn)) continue;
        const std::byte* page = xen_.memory().page(mfn);
        for (std::size_t at = 4; at < kPageSize; at += 8) {
            std::uint32_t half = 0;
            std::memcpy(&half, page + at, sizeof half);
            if (half == kSecret) return "the bystander's secret stands in domain " + std::to_string(member.id.value);
        }
    }
    return std::nullopt;
}

std::optional<std::string> HypercallWorld::wrong() {
    if (std::string books = xen_.audit(); !books.empty()) return books;
    // The control domain may do anything to anybody.
    if (privileged_) return std::nullopt;
    if (auto w = bystander_wrong()) return w;
    for (const std::size_t which : {kHostile, kHelper})
        if (alive(members_[which]))
            if (auto w = secrets_seen_by(members_[which])) return w;
    return std::nullopt;
}

std::vector<DomId> HypercallWorld::keep_each_other() const {
    std::vector<DomId> kept;
    const std::vector<DomId> all = xen_.domains();
    for (const DomId first : all) {
        std::optional<DomId> next = first;
        for (std::size_t i = 0; next && i <= all.size(); ++i) {
            const auto info = xen_.info(*next);
            next = info ? info->target : std::nullopt;
        }
        // Who has gone round and round is on a circle, or leads to one; what a circle holds stays with it.
        for (std::size_t i = 0; next && i <= all.size(); ++i) {
            kept.push_back(*next);
            next = xen_.info(*next)->target;
        }
    }
    return kept;
}

std::optional<std::string> HypercallWorld::end(bool backwards) {
    std::vector<DomId> all = xen_.domains();
    const std::vector<DomId> kept = keep_each_other();
    if (backwards) std::ranges::reverse(all);
    for (const DomId dom : all) {
        // One that others still map is listed until they go.
        static_cast<void>(xen_.destroy_domain(dom));
        if (std::string books = xen_.audit_counts(); !books.empty()) return "after a domain's end: " + books;
    }
    if (std::string books = xen_.audit(); !books.empty()) return "after every domain's end: " + books;
    const std::vector<DomId> left_over = xen_.domains();
    for (const DomId dom : left_over)
        if (std::ranges::find(kept, dom) == kept.end())
            return "domain " + std::to_string(dom.value) + " is still there after every domain's end";
    if (const std::uint64_t left = xen_.memory().frames_allocated(); left != 0 && left_over.empty())
        return std::to_string(left) + " frames are allocated after every domain's end";
    if (machine_.timers() != 0) return std::to_string(machine_.timers()) + " timers are set after every domain's end";
    return std::nullopt;
}

}  // namespace xenrig::fuzz
