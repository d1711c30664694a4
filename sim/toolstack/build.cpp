// How a domain comes to be: memory and ring pages, its home in the store, its devices.

#include "sim/toolstack/pv_build.h"
#include "sim/toolstack/pvh_start_info.h"
#include "sim/toolstack/toolstack.h"
#include "xenrig/abi/check.h"
#include "xenrig/shared/raw.h"

extern "C" {
// xen.h first: the others lean on its types.
#include <xen/xen.h>

#include <xen/event_channel.h>
#include <xen/hvm/params.h>
}

namespace xenrig::toolstack {

namespace {

constexpr DomId kControl{0};

std::string text(std::uint64_t n) { return std::to_string(n); }

std::string home(DomId domain) { return "/local/domain/" + text(domain.value); }

/// Where libxl writes down which devices a domain has.
std::string ledger_of(DomId domain) { return "/libxl/" + text(domain.value) + "/device/vbd"; }

/// The owner may do all; everybody else nothing.
std::vector<StorePerm> owned_by(DomId owner) { return {{owner}}; }

/// As above, and `reader` may read.
std::vector<StorePerm> owned_by(DomId owner, DomId reader) { return {{owner}, {.domain = reader, .read = true}}; }

}  // namespace

Toolstack::Toolstack(Host& host) : host_(host), store_(host.control().store()) {}

Result<> Toolstack::make(StoreTx tx, const std::string& path, const std::string& value,
                         const std::vector<StorePerm>& perms) {
    if (auto written = store_.write(tx, path, value); !written) return written;
    return store_.set_perms(tx, path, perms);
}

MemoryPlan memory_plan(const DomainSpec& spec) {
    return MemoryPlan{spec.frames, spec.type == hypervisor::GuestType::pvh};
}

guest::Layout layout_of(const DomainSpec& spec) {
    if (spec.type != hypervisor::GuestType::pv) return memory_plan(spec).layout();
    const auto plan = PvPlan::make(spec.frames, spec.bits);
    check(plan.has_value(), "a PV guest has memory for what is mapped when it starts");
    return plan->layout();
}

guest::KernelOptions kernel_options(const DomainSpec& spec) { return {.bits = spec.bits, .callback = spec.callback}; }

Result<Port> Toolstack::fill(DomId domain, const DomainSpec& spec) {
    if (spec.type != hypervisor::GuestType::pv) return fill_translated(domain, spec);
    const auto plan = PvPlan::make(spec.frames, spec.bits);
    if (!plan) return std::unexpected(plan.error());
    return build_pv(host_, domain, *plan, spec);
}

Result<Port> Toolstack::fill_translated(DomId domain, const DomainSpec& spec) {
    hypervisor::Hypervisor& xen = host_.xen();
    const MemoryPlan plan = memory_plan(spec);
    if (auto done = xen.populate(domain, Gfn{0}, spec.frames); !done) return std::unexpected(done.error());
    const auto store_port = xen.alloc_unbound(domain, kControl);
    if (!store_port) return store_port;
    const auto console_port = xen.alloc_unbound(domain, kControl);
    if (!console_port) return console_port;
    const std::pair<unsigned, std::uint64_t> params[] = {{HVM_PARAM_STORE_PFN, plan.store().value},
                                                         {HVM_PARAM_STORE_EVTCHN, store_port->value},
                                                         {HVM_PARAM_CONSOLE_PFN, plan.console().value},
                                                         {HVM_PARAM_CONSOLE_EVTCHN, console_port->value}};
    for (const auto& [index, value] : params)
        if (auto done = xen.set_param(domain, index, value); !done) return std::unexpected(done.error());
    if (auto done = grant_rings(host_, domain, plan.store(), plan.console()); !done)
        return std::unexpected(done.error());
    if (plan.pvh) {
        const auto frame = xen.lookup(domain, plan.start_info());
        if (!frame) return std::unexpected(frame.error());
        const auto bytes = hvm_start_info_bytes(plan, spec.cmd_line);
        shared::raw::copy_to_page(xen.memory().page(*frame), bytes.data(), bytes.size());
    }
    return store_port;
}

Result<DomId> Toolstack::build(const DomainSpec& spec, const FillDomain& fill_it) {
    hypervisor::Hypervisor& xen = host_.xen();
    const bool pv = spec.type == hypervisor::GuestType::pv;
    const auto created = xen.create_domain({.name = spec.name,
                                            .type = spec.type,
                                            .bits = spec.bits,
                                            .vcpus = spec.vcpus,
                                            .max_frames = spec.frames,
                                            .first_port = host_.first_port(),
                                            .weight = static_cast<std::uint16_t>(spec.weight),
                                            .cap = static_cast<std::uint16_t>(spec.cap),
                                            // A PV kernel starts the others itself.
                                            .vcpus_up = pv ? 1u : 0u});
    if (!created) return created;
    const DomId domain = *created;
    const auto furnish = [&]() -> Result<> {
        const auto store_port = fill_it ? fill_it(domain) : fill(domain, spec);
        if (!store_port) return std::unexpected(store_port.error());
        if (auto done = write_home(domain, spec); !done) return done;
        for (const DiskNodes& disk : spec.disks)
            if (auto done = add_disk(domain, disk); !done) return done;
        return host_.store().introduce(domain, *store_port);
    };
    if (auto done = furnish(); !done) {
        (void)xen.destroy_domain(domain);
        (void)store_.rm(StoreTx::none, home(domain));
        return fail(done.error().code, "domain '" + spec.name + "' can't be built: " + done.error().message);
    }
    return domain;
}

Result<> Toolstack::write_home(DomId domain, const DomainSpec& spec) {
    return store_.transaction([&](StoreTx tx) -> Result<> {
        const std::string root = home(domain);
        // What an earlier domain of this number left is not this one's.
        (void)store_.rm(tx, root);
        const struct {
            std::string path, value;
            std::vector<StorePerm> perms;
        } nodes[] = {
            {root, "", owned_by(kControl, domain)},
            {root + "/name", spec.name, owned_by(kControl, domain)},
            {root + "/domid", text(domain.value), owned_by(kControl, domain)},
            {root + "/device", "", owned_by(kControl, domain)},
            {root + "/device/vbd", "", owned_by(kControl, domain)},
            {root + "/control", "", owned_by(kControl, domain)},
            {root + "/control/shutdown", "", owned_by(domain)},
            {root + "/control/feature-poweroff", "", owned_by(domain)},
            {root + "/control/feature-reboot", "", owned_by(domain)},
            {root + "/control/feature-suspend", "", owned_by(domain)},
            {root + "/data", "", owned_by(domain)},
            {root + "/error", "", owned_by(domain)},
        };
        for (const auto& node : nodes)
            if (auto done = make(tx, node.path, node.value, node.perms); !done) return done;
        return {};
    });
}

Result<> Toolstack::add_disk(DomId domain, const DiskNodes& disk) {
    const std::string number = text(disk.number);
    const std::string front = home(domain) + "/device/vbd/" + number;
    const std::string back = home(disk.backend) + "/backend/vbd/" + text(domain.value) + "/" + number;
    const std::pair<std::string, std::string> front_nodes[] = {
        {"backend", back},          {"backend-id", text(disk.backend.value)},       {"state", "1"},
        {"virtual-device", number}, {"device-type", disk.cdrom ? "cdrom" : "disk"},
    };
    const std::pair<std::string, std::string> back_nodes[] = {
        {"frontend", front},
        {"frontend-id", text(domain.value)},
        {"params", disk.params},
        {"type", "phy"},
        {"online", "1"},
        {"removable", disk.cdrom ? "1" : "0"},
        {"bootable", "1"},
        {"state", "1"},
        {"device-type", disk.cdrom ? "cdrom" : "disk"},
        {"mode", disk.read_only || disk.cdrom ? "r" : "w"},
    };
    return store_.transaction([&](StoreTx tx) -> Result<> {
        // Its parents inherit the root's permissions: the control domain's alone.
        if (auto done = store_.write(tx, ledger_of(domain) + "/" + number + "/backend", back); !done) return done;
        if (auto done = make(tx, front, "", owned_by(domain, disk.backend)); !done) return done;
        if (auto done = make(tx, back, "", owned_by(disk.backend, domain)); !done) return done;
        for (const auto& [name, value] : front_nodes)
            if (auto done = make(tx, front + "/" + name, value, owned_by(domain, disk.backend)); !done) return done;
        for (const auto& [name, value] : back_nodes)
            if (auto done = make(tx, back + "/" + name, value, owned_by(disk.backend, domain)); !done) return done;
        return {};
    });
}

}  // namespace xenrig::toolstack
