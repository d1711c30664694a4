// A virtual CPU as the hypervisor knows it: who runs it, what it waits for, and its vcpu_info.
//
// Outlives its domain: a guest that is being unwound still stands in a hypercall of it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "sim/hypervisor/credit.h"
#include "sim/hypervisor/runstate.h"
#include "sim/hypervisor/xen_abi.h"
#include "xenrig/abi/hypercall.h"
#include "xenrig/abi/types.h"
#include "xenrig/platform/machine.h"

namespace xenrig::hypervisor {

class Domain;
class Host;
class LinearCalls;

/// A timer that is set anew before it fires: what the machine already has under way for an earlier setting is ignored.
struct OneShot {
    std::optional<TimerId> pending;
    std::uint64_t setting = 0;
};

/// NR_VIRQS of xen.h.
inline constexpr std::size_t kVirqs = 24;

class Vcpu;

struct SchedulingUnit : CreditScheduler::Unit {
    SchedulingUnit(CreditScheduler::Share& domains, Vcpu& of) : Unit(domains), vcpu(of) {}
    Vcpu& vcpu;
};

class Vcpu final : public Hypercalls, public RunListener {
public:
    Vcpu(Host& owner, Domain& of, VcpuId number);
    ~Vcpu() override;
    Vcpu(const Vcpu&) = delete;
    Vcpu& operator=(const Vcpu&) = delete;

    std::int64_t call(unsigned number, const HypercallArgs& args) override;
    void has_work(bool any) override;
    void runner_ends() override;

    /// The same for a guest whose arguments lie in its own frames.
    LinearCalls& linear_calls();

    /// What a trace calls it.
    std::uint64_t number() const;

    /// Would an upcall be delivered now?
    bool upcall_pending() const;
    /// evtchn_upcall_pending is set; who sees it first wakes the vCPU (vcpu_mark_events_pending).
    void mark_events_pending();
    /// Its number is beyond shared_info's 32, and VCPUOP_register_vcpu_info has not been made (dummy_vcpu_info).
    bool has_no_info() const { return info == own_info.data(); }
    /// Ends a block or a poll.
    void unblock();
    /// Sets bit `bit` of evtchn_pending_sel; true when it was clear.
    bool set_selector(unsigned bit);
    void clear_upcall_mask();
    /// Runs `fire` inside the hypervisor at the deadline, unless the timer is set again or the domain dies before.
    void set_timer(OneShot& timer, Nanoseconds deadline, std::function<void()> fire);
    void cancel(OneShot& timer);
    /// VIRQ_TIMER at the deadline; one that is past comes before the vCPU goes on.
    void set_singleshot_timer(Nanoseconds deadline);

    Host& host;
    Domain& domain;
    const VcpuId id;
    /// Null: nobody runs it, and a hypercall that waits returns at once.
    Cpu* cpu = nullptr;
    /// How often the runner is paused because of this vCPU.
    unsigned holds = 0;
    /// VCPUOP_is_up, and whether VCPUOP_initialise was made or is not needed.
    bool up = true, initialised = true;
    bool in_multicall = false;
    /// What is left of a hypercall that was preempted: the guest makes it anew.
    std::optional<HypercallArgs> continuation;

    SchedulingUnit unit;
    /// The runner's word; a vCPU without one always has work.
    bool has_runner_work = true;
    bool hears_runner = false;
    RunStates runstates;
    GuestArea runstate_area, time_area;
    std::uint32_t time_version = 0;
    /// vcpu_info's time was written.
    bool has_time = false;
    /// HVMOP_set_evtchn_upcall_vector's; 0: the domain's way (HVM_PARAM_CALLBACK_IRQ).
    std::uint8_t upcall_vector = 0;

    /// The vcpu_info of a vCPU that has none in shared_info and registered none.
    std::array<std::byte, 64> own_info{};
    /// In shared_info, where the guest registered it, or own_info.
    std::byte* info = nullptr;
    /// The gfn's frame, used while VCPUOP_register_vcpu_info holds it.
    std::optional<Mfn> info_frame;
    std::array<std::uint32_t, kVirqs> virq_ports{};

    /// Of a PV guest: the top tables of its kernel and of its programs, and the frames of its GDT. Each is held.
    std::optional<Mfn> page_tables, user_page_tables;
    std::vector<Mfn> descriptor_frames;
    /// DR0 to DR7, of which 4 and 5 are never used.
    std::array<std::uint64_t, 8> debug_registers{0, 0, 0, 0, 0, 0, 0xffff'0ff0, 0x400};
    /// What XEN_DOMCTL_setvcpucontext said last.
    std::unique_ptr<vcpu_guest_context_t> context;

    /// In SCHEDOP_block or SCHEDOP_poll.
    std::atomic<bool> blocked{false};
    enum class Poll : std::uint8_t { none, any, one };
    Poll polls = Poll::none;
    Port polled_port{};

    /// In SCHEDOP_shutdown; over when `shutdown_over`, with `shutdown_answer` for the guest.
    std::atomic<bool> shutdown_over{true};
    std::atomic<std::int64_t> shutdown_answer{0};

    /// set_timer_op's and VCPUOP_set_singleshot_timer's is one; SCHEDOP_poll's timeout; VCPUOP_set_periodic_timer's.
    OneShot singleshot_timer, poll_timer, periodic_timer;

private:
    /// Made when it is first asked for.
    std::unique_ptr<LinearCalls> linear_calls_;
};

}  // namespace xenrig::hypervisor
