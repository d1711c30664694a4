// Domains by number. Looking one up takes no lock: others may come and go meanwhile.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>

#include "xenrig/abi/types.h"

namespace xenrig::hypervisor {

class Domain;

class DomainTable {
public:
    DomainTable() = default;
    DomainTable(const DomainTable&) = delete;
    DomainTable& operator=(const DomainTable&) = delete;
    ~DomainTable() {
        for (auto& chunk : chunks_) delete chunk.load();
    }

    Domain* find(DomId dom) const {
        if (dom.value >= kDomains) return nullptr;
        const Chunk* chunk = chunks_[dom.value / kChunk].load(std::memory_order_acquire);
        return chunk ? (*chunk)[dom.value % kChunk].load(std::memory_order_acquire) : nullptr;
    }
    /// Null takes it out.
    void set(DomId dom, Domain* d) {
        auto& slot = chunks_[dom.value / kChunk];
        Chunk* chunk = slot.load();
        if (!chunk) slot.store(chunk = new Chunk{});
        (*chunk)[dom.value % kChunk].store(d, std::memory_order_release);
        if (dom.value >= end_) end_ = dom.value + std::size_t{1};
    }
    /// Ascending.
    template <class F>
    void for_each(F visit) const {
        for (std::size_t first = 0; first < end_; first += kChunk) {
            const Chunk* chunk = chunks_[first / kChunk].load();
            for (std::size_t i = 0; chunk && i < kChunk && first + i < end_; ++i)
                if (Domain* d = (*chunk)[i].load()) visit(*d);
        }
    }

private:
    /// Numbers from 0x7ff0 are not domains (xen.h: DOMID_FIRST_RESERVED).
    static constexpr std::size_t kDomains = 0x7ff0, kChunk = 256;
    using Chunk = std::array<std::atomic<Domain*>, kChunk>;
    std::array<std::atomic<Chunk*>, kDomains / kChunk + 1> chunks_{};
    /// Behind the highest number that was ever set: for the hypervisor's own eyes, one at a time.
    std::size_t end_ = 0;
};

}  // namespace xenrig::hypervisor
