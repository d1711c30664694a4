// The state of an HVM or PVH domain's virtual hardware as a toolstack saves and restores it: records with a type, an
// instance and a length, from a header to an end (public/hvm/save.h; arch/x86/hvm/save.c).
//
// There is no virtual hardware here. What a record said when it was loaded is what it says when it is saved, and before
// that what a fresh device says; each is checked as the device would check it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace xenrig::hypervisor {

class Domain;

class HvmContext {
public:
    explicit HvmContext(Domain& domain) : domain_(domain) {}

    /// Room that a save may take (hvm_save_size).
    std::uint32_t size_max() const;
    /// EINVAL for a dying domain.
    std::int64_t save(std::vector<std::byte>& to) const;
    /// One record without its descriptor. EINVAL: no such type; ENOENT, ENODATA: none of that instance.
    std::int64_t save_one(std::uint32_t type, std::uint32_t instance, std::vector<std::byte>& to) const;
    /// vCPUs of which it has registers are up afterwards, the others down. What was loaded before an error stays.
    std::int64_t load(std::span<const std::byte> from);

private:
    struct Kind;
    struct Entry;
    static std::span<const Kind> kinds();
    bool has(const Kind& kind) const;
    /// A record as it is now, with its descriptor; nothing when the device or the vCPU says nothing.
    void append(const Kind& kind, std::uint32_t instance, std::vector<std::byte>& to) const;
    std::vector<std::byte> fresh(const Kind& kind, std::uint32_t instance) const;
    std::int64_t load_entry(const Kind& kind, const Entry& entry);
    std::int64_t check(const Kind& kind, std::span<const std::byte> data) const;

    Domain& domain_;
    /// By type and instance.
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::vector<std::byte>> loaded_;
};

}  // namespace xenrig::hypervisor
