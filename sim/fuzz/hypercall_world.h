// Where the target `hypercall` plays: a host with a hostile domain, one that helps it, and a bystander that must not
// notice them beyond what it granted.
//
// A domain's first pages hold arguments, with a hole in them; some are granted to the others from the beginning. The
// bystander's other pages hold secrets, that nobody may change or see.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sim/fuzz/hand_machine.h"
#include "sim/hypervisor/hypervisor.h"

namespace xenrig::fuzz {

/// One of an input's first two bytes: what the hostile domain and its helper are.
struct DomainKind {
    hypervisor::GuestType type = hypervisor::GuestType::pvh;
    unsigned bits = 64;
    bool privileged = false;

    explicit DomainKind(std::uint8_t byte);
};
/// Of the byte: its lowest two bits are the type (PVH, HVM, PV, PV), these the rest. A small host has little memory and
/// two processors, which its vCPUs share.
inline constexpr std::uint8_t kType = 3, kPv = 2, kHvm = 1, k32Bit = 4, kPrivileged = 8, kSmallHost = 16,
                              kTalkative = 32;
/// Of the second one: domains end from the last to the first.
inline constexpr std::uint8_t kBackwardsOrder = 0x80;
/// What of a byte tells worlds apart: the highest type is the one below it.
constexpr std::uint8_t world_bits(std::uint8_t byte, std::uint8_t of) {
    return static_cast<std::uint8_t>(byte & ((byte & kType) == kType ? of & ~1u : of));
}
inline constexpr std::uint8_t kOfHostile = kType | k32Bit | kPrivileged | kSmallHost | kTalkative,
                              kOfHelper = kType | k32Bit;

/// Gfns of a domain: arguments below the hole, pages that are granted, and where mappings are put.
inline constexpr std::uint64_t kArgumentPages = 4, kHole = 4, kGranted = 8, kFrames = 32, kWindows = 32;

class HypercallWorld {
public:
    struct Member {
        DomId id{};
        hypervisor::GuestType type{};
        std::vector<HandCpu*> cpus;
        std::unique_ptr<hypervisor::GuestAccess> memory;
        /// The first frame of its grant table.
        std::byte* entries = nullptr;
    };
    enum : std::size_t { kHostile, kHelper, kBystander, kControl };

    HypercallWorld(std::uint8_t hostile, std::uint8_t helper);
    ~HypercallWorld();

    hypervisor::Hypervisor& xen() { return xen_; }
    HandMachine& machine() { return machine_; }
    bool control_is_hostile() const { return privileged_; }

    /// One of the four that were there at first; gone or not.
    Member& member(std::size_t which) { return members_[which]; }
    bool alive(const Member& member) const;
    bool may_call(const Member& member, VcpuId vcpu);

    /// Xen's own grant entry of version 1, as the member would write it.
    void grant(Member& by, std::uint32_t ref, DomId to, std::uint64_t frame, unsigned flags);
    /// From now on the page is no secret, and may be written.
    void expose(std::uint64_t gfn) { exposed_.insert(gfn); }
    /// How a domain names one of its frames in arguments.
    std::uint64_t frame_name(const Member& member, std::uint64_t gfn) const;

    /// What must hold at any time; the first violation as a sentence.
    std::optional<std::string> wrong();
    /// Every domain ends, from the first to the last or the other way round; then nothing may be left.
    std::optional<std::string> end(bool backwards);

private:
    /// Domains that are each other's targets in a circle: they outlive their ends, as on Xen (a control domain's
    /// doing).
    std::vector<DomId> keep_each_other() const;
    void add(std::size_t which, const hypervisor::DomainConfig& config);
    /// Has upcalls as a kernel that has booted: without a callback they are lost, or end the domain.
    void hear_events(const Member& m);
    void tell_secrets();
    std::optional<std::string> bystander_wrong();
    std::optional<std::string> secrets_seen_by(const Member& member);

    HandMachine machine_;
    bool privileged_;
    hypervisor::Hypervisor xen_;
    std::array<Member, 4> members_;
    std::set<std::uint64_t> exposed_;
    std::vector<Mfn> secret_frames_;
};

}  // namespace xenrig::fuzz
