// Where a domain's ports are pending and masked, as the guest sees it in shared memory: the 2-level bitmaps of
// shared_info, or the FIFO's event words.
//
// Each bit is changed by an atomic, in the order in which the guest's own code takes them back (event_channel.h).
#pragma once

#include <cstdint>
#include <vector>

#include "xenrig/abi/types.h"

namespace xenrig::hypervisor {

class Domain;
class Vcpu;

/// What the hypervisor notes of a port for the FIFO layout; it outlives a return to the two-level one (struct evtchn).
struct FifoPort {
    std::uint8_t priority = 7;  ///< EVTCHN_FIFO_PRIORITY_DEFAULT
    /// The queue that it was linked to last.
    std::uint8_t last_priority = 0;
    std::uint32_t last_vcpu = 0;
    /// While there was no word for it, or in the two-level layout.
    bool raised_early = false;
};

class EventWords {
public:
    virtual ~EventWords() = default;
    /// How many ports the layout has; port 0 counts and is never used.
    virtual std::uint32_t ports_max() const = 0;
    /// False when it was pending already.
    virtual bool set_pending(Vcpu& notified, Port port) = 0;
    virtual void clear_pending(Port port) = 0;
    virtual void unmask(Vcpu& notified, Port port) = 0;
    virtual bool pending(Port port) const = 0;
    virtual bool masked(Port port) const = 0;

    /// A port comes into use.
    virtual void begin(Port) {}
    /// The guest still has it in a queue, so it can't be given out again.
    virtual bool busy(Port) const { return false; }
    /// 0 is the highest of 16; -ENOSYS where there are none.
    virtual std::int64_t set_priority(Port port, std::uint32_t priority);
    /// Frames of the guest's own memory in which words lie: used as long as this object lives.
    virtual std::vector<Mfn> frames() const { return {}; }
};

/// 32 or 64 words of pending bits and of mask bits in shared_info, and a word a vCPU that says which of them to look
/// at.
class TwoLevelWords final : public EventWords {
public:
    explicit TwoLevelWords(Domain& domain) : domain_(domain) {}
    std::uint32_t ports_max() const override;
    bool set_pending(Vcpu& notified, Port port) override;
    void clear_pending(Port port) override;
    void unmask(Vcpu& notified, Port port) override;
    bool pending(Port port) const override;
    bool masked(Port port) const override;

private:
    Domain& domain_;
};

}  // namespace xenrig::hypervisor
