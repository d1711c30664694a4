#include "sim/world/locking_world.h"

#include "xenrig/abi/check.h"
#include "xenrig/platform/scheduler.h"

extern "C" {
// xen.h first: the others lean on its types.
#include <xen/xen.h>

#include <xen/vcpu.h>
}

namespace xenrig::world {

namespace {

constexpr std::uint64_t kFrames = 64;
constexpr guest::Layout kLayout{.ram = {Gfn{0}, kFrames}, .unpopulated = {Gfn{0x1000}, 64}};
/// A neighbour begins within a slice and another one: else all processors would change hands at the same time.
constexpr std::uint32_t kStarts = 60;
/// A neighbour looks so often whether the experiment is over.
constexpr Nanoseconds kNeighboursStretch = 1_ms;

unsigned neighbours_vcpus(const LockingRun& run) { return run.processors * run.overcommit / 100 - run.vcpus; }

}  // namespace

LockingWorld::LockingWorld(const LockingRun& run)
    : run_(run),
      source_(run.seed),
      engine_(source_, {.steps_max = 2'000'000'000, .spin_time = Nanoseconds{run.costs.spin_round_ns}}),
      xen_(engine_, {.name = "host", .frames = 1024, .cpus = run.processors}),
      guest_(make_domain({.name = "guest", .vcpus = run.vcpus, .weight = run.weight, .cap = run.cap})),
      neighbour_(make_domain({.name = "neighbour", .vcpus = neighbours_vcpus(run)})),
      lock_(run.kind, run.vcpus, [this](unsigned vcpu) { static_cast<void>(kicks_[vcpu].notify()); }),
      kicks_(run.vcpus),
      kicked_(run.vcpus),
      outside_stream_(engine_.add_stream("outside")) {}

LockingWorld::~LockingWorld() {
    end(guest_);
    end(neighbour_);
}

LockingWorld::Domain LockingWorld::make_domain(hypervisor::DomainConfig config) {
    Domain made{.name = config.name};
    if (config.vcpus == 0) return made;
    config.max_frames = kFrames;
    const auto id = xen_.create_domain(config);
    check(id.has_value() && xen_.populate(*id, Gfn{0}, kFrames), "an empty host has room for two domains");
    made.id = *id;
    guest::Binding binding{{}, &xen_.address_space(*id), *id};
    for (unsigned v = 0; v < config.vcpus; ++v) {
        made.cpus.push_back(&engine_.add_cpu(config.name + ".v" + std::to_string(v)));
        xen_.attach_vcpu(*id, VcpuId{v}, *made.cpus.back());
        binding.vcpus.push_back(&xen_.hypercalls(*id, VcpuId{v}));
    }
    made.kernel = std::make_unique<guest::Kernel>(config.name, engine_, made.cpus, kLayout);
    made.kernel->bind(binding);
    check(xen_.unpause(*id).has_value(), "a new domain is paused once");
    return made;
}

void LockingWorld::end(Domain& domain) {
    if (domain.cpus.empty()) return;
    for (Cpu* cpu : domain.cpus) cpu->freeze();
    domain.kernel->domain_died();
    for (Cpu* cpu : domain.cpus) cpu->kill();
    kicks_.clear();
    kicked_.clear();
    domain.kernel.reset();
    for (unsigned v = 0; v < domain.cpus.size(); ++v) xen_.detach_vcpu(domain.id, VcpuId{v});
    for (Cpu* cpu : domain.cpus) engine_.remove_cpu(*cpu);
}

void LockingWorld::boot() {
    guest::Kernel& kernel = *guest_.kernel;
    check(kernel.start_core().has_value(), "a guest maps its shared pages");
    guest::EventChannels& events = kernel.events();
    for (unsigned v = 0; v < run_.vcpus; ++v) {
        kicked_[v] = events.alloc_unbound(guest_.id, [this, v] { lock_.woken(v); }).value();
        kicks_[v] = events.bind_interdomain(guest_.id, kicked_[v].port(), [] {}).value();
        check(events.bind_vcpu(kicked_[v], VcpuId{v}).has_value(), "a port can be bound to each vCPU");
    }
}

void LockingWorld::work(unsigned vcpu) {
    constexpr std::uint32_t kSteps = 64;
    while (!over_) {
        // Between half of it and three halves: else the tasks fall into step.
        const std::uint32_t drawn = engine_.pick(outside_stream_, kSteps);
        scheduler->work(Nanoseconds{run_.outside.value / 2 + run_.outside.value * drawn / kSteps});
        lock_.lock(vcpu);
        scheduler->work(run_.hold);
        lock_.unlock(vcpu);
        ++sections_;
    }
}

std::string LockingWorld::run() {
    guest_.kernel->spawn_on(VcpuId{0}, "boot", TaskRole::work, [this] { boot(); });
    if (engine_.run() != engine::Stopped::quiet) return engine_.problems().front().text;
    const Nanoseconds all_compute = engine_.now() + Nanoseconds{kStarts * (1_ms).value};
    engine_.at(all_compute, [this] { before_ = count(); });
    engine_.at(all_compute + run_.duration, [this] {
        over_ = true;
        at_end_ = count();
    });
    for (unsigned v = 0; v < run_.vcpus; ++v)
        guest_.kernel->spawn_on(VcpuId{v}, "works", TaskRole::work, [this, v] { work(v); });
    for (Cpu* cpu : neighbour_.cpus) {
        const std::uint32_t drawn = engine_.pick(outside_stream_, kStarts);
        engine_.at(engine_.now() + Nanoseconds{drawn * (1_ms).value}, [this, cpu] {
            cpu->spawn("computes", TaskRole::work, [this] {
                while (!over_) scheduler->work(kNeighboursStretch);
            });
        });
    }
    if (engine_.run() != engine::Stopped::quiet) return engine_.problems().front().text;
    return {};
}

LockCounts LockingWorld::counts() const {
    LockCounts counts = at_end_;
    const auto since = [](std::uint64_t& n, std::uint64_t then) { n -= then; };
    since(counts.sections, before_.sections);
    since(counts.contended, before_.contended);
    since(counts.spins, before_.spins);
    since(counts.sleeps, before_.sleeps);
    since(counts.hypercalls, before_.hypercalls);
    since(counts.upcalls, before_.upcalls);
    since(counts.placed, before_.placed);
    since(counts.descheduled, before_.descheduled);
    since(counts.holder_descheduled, before_.holder_descheduled);
    since(counts.running_ns, before_.running_ns);
    since(counts.stolen_ns, before_.stolen_ns);
    return counts;
}

LockCounts LockingWorld::count() const {
    const engine::ProcessorCounts& all = engine_.processor_counts();
    LockCounts now{.sections = sections_,
                   .contended = lock_.contended(),
                   .spins = all.spins,
                   .sleeps = lock_.sleeps(),
                   .hypercalls = xen_.counts(guest_.id).total(),
                   .upcalls = engine_.upcalls(),
                   .holder_descheduled = all.holder_descheduled};
    for (unsigned v = 0; v < run_.vcpus; ++v) {
        const hypervisor::VcpuTimes times = xen_.vcpu_times(guest_.id, VcpuId{v});
        now.running_ns += times.spent[RUNSTATE_running];
        now.stolen_ns += times.spent[RUNSTATE_runnable];
        now.hypercalls += times.entered[RUNSTATE_blocked];
        now.placed += times.entered[RUNSTATE_running];
        now.descheduled += times.preempted;
    }
    return now;
}

}  // namespace xenrig::world
