// A scripted frontend of a block device: does to its backend whatever the script says, right or wrong.
//
// It stands on a guest's platform and keeps no rule by itself: it publishes any node in any state, writes any byte of
// the ring, pushes any index, and sends an event or does not. What the usual way is, the functions named after ring.h's
// macros know. Threads: one task of the guest.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sim/protocols/blk/raw_request.h"
#include "xenrig/platform/platform.h"

namespace xenrig::blk {

/// How a scripted frontend makes its ring and publishes it.
struct RingShape {
    unsigned pages = 1;
    bool i386 = false;
    /// What says how large the ring is, if it has more than a page: "ring-page-order" or "num-ring-pages".
    const char* size_node = "ring-page-order";
    /// Before the names of a queue's own nodes: "queue-0/".
    std::string below;
};

class RawFrontend {
public:
    RawFrontend(Platform& platform, DomId backend, unsigned device);
    RawFrontend(const RawFrontend&) = delete;
    RawFrontend& operator=(const RawFrontend&) = delete;

    // The store. Nodes of the own directory are written, those of the backend's read.
    void write(const std::string& name, const std::string& value);
    void remove(const std::string& name);
    void state(unsigned state) { write("state", std::to_string(state)); }
    /// Nothing when it can't be read.
    std::optional<std::string> backend_node(const std::string& name);
    std::string backend_state() { return backend_node("state").value_or("none"); }
    std::vector<std::string> backend_nodes();

    /// Of the next ring that is made.
    void shape(RingShape shape) { shape_ = std::move(shape); }
    /// New pages, their grants and a new port, in place of any that there were. The ring is empty and initialised.
    void make_ring();
    /// Ends grant and port of the ring.
    void drop_ring();
    void publish();
    /// The nodes of publish() and the state in one transaction.
    void publish_with_state(unsigned state);
    GrantRef ring_ref(std::size_t page = 0) const { return ring_pages_.at(page).grant.ref(); }
    Port port() const { return channel_.port(); }
    RawRing& ring() { return ring_; }

    /// Writes a request at the next index and publishes nothing.
    std::uint32_t put(const blkif_request_t& request);
    /// RING_PUSH_REQUESTS: what was put becomes visible.
    void push();
    /// RING_PUSH_REQUESTS_AND_CHECK_NOTIFY, and the event if one is due. True when it was.
    bool push_and_notify();
    void notify();
    /// The next response, as far as rsp_prod goes.
    std::optional<blkif_response_t> take();
    std::vector<blkif_response_t> take_all();
    std::uint32_t requests() const { return req_prod_; }
    std::uint32_t taken() const { return rsp_cons_; }
    /// Events that came on the ring's port.
    unsigned events() const { return *events_; }

    /// A page of the guest's, granted to the backend.
    struct Page {
        FramePtr frame;
        Grant grant;
    };
    Page page(Access access, std::uint8_t fill = 0xee);
    void fill(const Page& page, std::span<const std::byte> bytes, std::size_t offset = 0);
    std::vector<std::byte> bytes(const Page& page);
    /// True when the grant could be ended because nobody maps the page.
    bool end(Page& page);

    /// A request and its pages, which lie in the order of its segments.
    struct Transfer {
        blkif_request_t request;
        std::vector<Page> pages;
    };
    /// Whole pages but for the last one; at most 88 sectors. Read pages are writable and hold 0xee.
    Transfer read(std::uint64_t sector, unsigned sectors);
    Transfer write(std::uint64_t sector, std::span<const std::byte> data);
    /// An indirect read or write of whole pages, and the pages that list its segments.
    struct Indirect {
        blkif_request_indirect_t request;
        std::vector<Page> tables, pages;
    };
    Indirect indirect(std::uint8_t operation, std::uint64_t sector, unsigned pages);
    /// The bytes of the request's segments, in their order.
    std::vector<std::byte> data(const Transfer& transfer);

    Platform& platform() { return platform_; }

private:
    Transfer transfer(std::uint8_t operation, std::uint64_t sector, unsigned sectors);
    Result<> write_nodes(StoreTx tx);

    Platform& platform_;
    const DomId backend_;
    const std::string path_;
    std::string backend_path_;
    RingShape shape_;
    std::vector<Page> ring_pages_;
    RawRing ring_;
    std::shared_ptr<unsigned> events_ = std::make_shared<unsigned>(0);
    Channel channel_;
    std::uint32_t req_prod_ = 0, req_pushed_ = 0, rsp_cons_ = 0;
    std::uint64_t next_id_ = 1000;
};

}  // namespace xenrig::blk
