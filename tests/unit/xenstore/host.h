// A host for the daemon under test: domains that exist, their ring pages in plain memory, and a guest's end of each.
#pragma once

#include <array>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/xenstore/daemon.h"
#include "sim/xenstore/environment.h"
#include "sim/xenstore/ring_door.h"
#include "sim/xenstore/stream_door.h"
#include "sim/xenstore/wire.h"
#include "xenrig/abi/types.h"
#include "xenrig/shared/lease.h"

namespace xenrig::xenstore::test {

struct alignas(kPageSize) RingPage {
    std::array<std::byte, kPageSize> bytes{};
    xenstore_domain_interface& ring() { return *reinterpret_cast<xenstore_domain_interface*>(bytes.data()); }
};

/// A message as a client sees it.
struct Seen {
    std::uint32_t type = 0, req_id = 0, tx_id = 0;
    std::string payload;
};

inline std::string message(std::uint32_t type, std::uint32_t req_id, std::uint32_t tx_id, std::string_view payload) {
    const xsd_sockmsg header{type, req_id, tx_id, static_cast<std::uint32_t>(payload.size())};
    std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
    return bytes.append(payload);
}

/// Takes whole messages off the front of `bytes`.
inline std::vector<Seen> take_messages(std::string& bytes) {
    std::vector<Seen> messages;
    std::size_t at = 0;
    for (xsd_sockmsg header; bytes.size() - at >= sizeof header; at += sizeof header + header.len) {
        std::memcpy(&header, bytes.data() + at, sizeof header);
        if (bytes.size() - at < sizeof header + header.len) break;
        messages.push_back({header.type, header.req_id, header.tx_id, bytes.substr(at + sizeof header, header.len)});
    }
    bytes.erase(0, at);
    return messages;
}

class Host final : public Environment {
public:
    DomainState domain_state(DomId id) override {
        const auto found = states.find(id.value);
        return found != states.end() ? found->second : id.value == 0 ? DomainState::alive : DomainState::missing;
    }
    Result<std::unique_ptr<RingTransport>> map_ring(DomId id, Port) override {
        const auto page = pages.find(id.value);
        if (page == pages.end()) return fail(Errno::inval);
        shared::Window window(page->second->bytes.data(), lease_);
        ++mapped;
        return std::make_unique<RingDoor>(std::move(window), [this] {
            ++notifications;
            if (on_notify) on_notify();
        });
    }
    void rebind_ring(DomId, Port) override { ++rebound; }
    void unmap_ring(DomId) override {
        --mapped;
        ++unmapped;
    }
    Nanoseconds now() override { return time; }

    RingPage& exist(std::uint16_t id) {
        states[id] = DomainState::alive;
        auto& page = pages[id];
        if (!page) page = std::make_unique<RingPage>();
        return *page;
    }

    std::map<std::uint16_t, DomainState> states;
    std::map<std::uint16_t, std::unique_ptr<RingPage>> pages;
    Nanoseconds time;
    int mapped = 0, unmapped = 0, rebound = 0;
    unsigned long notifications = 0;
    std::function<void()> on_notify;  ///< at each event of a ring: in the middle of the daemon's work

private:
    shared::LeasePtr lease_ = std::make_shared<shared::Lease>();
};

/// The guest's end of a ring: what a well-behaved driver does.
class GuestEnd {
public:
    explicit GuestEnd(RingPage& page) : page_(&page) {}

    void send(std::string_view bytes) { waiting_ += bytes; }
    /// Puts what fits onto the ring and takes what is there; true when either was something.
    bool move() {
        auto& ring = page_->ring();
        bool moved = false;
        while (!waiting_.empty() && ring.req_prod - ring.req_cons < XENSTORE_RING_SIZE) {
            ring.req[MASK_XENSTORE_IDX(ring.req_prod)] = waiting_.front();
            waiting_.erase(0, 1);
            ++ring.req_prod;
            moved = true;
        }
        while (ring.rsp_cons != ring.rsp_prod && ring.rsp_prod - ring.rsp_cons <= XENSTORE_RING_SIZE) {
            received_ += ring.rsp[MASK_XENSTORE_IDX(ring.rsp_cons)];
            ++ring.rsp_cons;
            moved = true;
        }
        return moved;
    }
    std::vector<Seen> messages() { return take_messages(received_); }
    /// A request and the payload of its answer; events are dropped.
    std::string ask(Daemon& daemon, std::uint32_t type, std::string_view payload, std::uint32_t tx = 0) {
        send(message(type, 1, tx, payload));
        while (daemon.service() || move()) {
        }
        std::string answer = "no answer";
        for (const Seen& m : messages())
            if (m.type != XS_WATCH_EVENT) answer = m.payload;
        return answer;
    }

private:
    RingPage* page_;
    std::string waiting_, received_;
};

}  // namespace xenrig::xenstore::test
