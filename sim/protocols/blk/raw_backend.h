// A scripted backend of a block device: does to its frontend whatever the script says, right or wrong.
//
// It stands on the control domain's platform and keeps no rule by itself: it writes any node in any state, maps the
// ring when told, and answers anything. What the usual way is, the functions named after ring.h's macros know.
// Threads: one task of the control domain.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sim/protocols/blk/raw_request.h"
#include "xenrig/platform/platform.h"

namespace xenrig::blk {

class RawBackend {
public:
    RawBackend(Platform& platform, DomId frontend, unsigned device);
    RawBackend(const RawBackend&) = delete;
    RawBackend& operator=(const RawBackend&) = delete;

    // The store. Nodes of the own directory are written, those of the frontend's read.
    void write(const std::string& name, const std::string& value);
    void remove(const std::string& name);
    void state(unsigned state) { write("state", std::to_string(state)); }
    std::optional<std::string> frontend_node(const std::string& name);
    std::string frontend_state() { return frontend_node("state").value_or("none"); }

    /// `sectors`, `sector-size`, `physical-sector-size` and `info`, for a disk of sectors of 512 bytes.
    void write_properties(std::uint64_t sectors = 2048, unsigned info = 0);

    /// Maps the ring, of one page or more, and binds the port that the frontend has published; the first error.
    /// `below` is "queue-0/" and so on where there are several.
    Result<> join(const std::string& below = "");
    /// Unmaps and closes.
    void leave();
    RawRing& ring() { return ring_; }

    /// The next request, as far as req_prod goes.
    std::optional<blkif_request_t> take();
    std::vector<blkif_request_t> take_all();
    std::uint32_t taken() const { return req_cons_; }
    std::uint32_t answered() const { return rsp_prod_; }
    /// Writes a response at the next index and publishes nothing.
    void put(const blkif_response_t& response);
    void answer(const blkif_request_t& request, std::int16_t status);
    /// RING_PUSH_RESPONSES.
    void push();
    /// RING_PUSH_RESPONSES_AND_CHECK_NOTIFY, and the event if one is due. True when it was.
    bool push_and_notify();
    void notify();
    /// RING_FINAL_CHECK_FOR_REQUESTS' first half: asks for an event `ahead` requests from here, then mb.
    void ask_for_event(std::uint32_t ahead = 1);
    /// Events that came on the ring's port.
    unsigned events() const { return *events_; }

    /// Of an indirect request those that its pages list.
    Result<std::vector<blkif_request_segment>> segments(const blkif_request_t& request);
    /// Copies to or from the pages of a request's segments.
    Result<> to_pages(const blkif_request_t& request, std::span<const std::byte> data);
    Result<std::vector<std::byte>> from_pages(const blkif_request_t& request);
    /// Does it, as a disk of sector_pattern() would, and answers it.
    void serve(const blkif_request_t& request);
    /// Takes and serves all there is, pushes, notifies when asked, and asks for the next event.
    unsigned serve_all();

    DomId frontend() const { return frontend_; }
    Platform& platform() { return platform_; }

    /// What serve() does of a read before it answers.
    Result<> read_into(const blkif_request_t& request);

private:
    Result<> write_from(const blkif_request_t& request);

    Platform& platform_;
    const DomId frontend_;
    const std::string path_;
    std::string frontend_path_;
    Mapping mapping_;
    RawRing ring_;
    std::shared_ptr<unsigned> events_ = std::make_shared<unsigned>(0);
    Channel channel_;
    std::uint32_t req_cons_ = 0, rsp_prod_ = 0, rsp_pushed_ = 0;
    std::map<std::uint64_t, std::vector<std::byte>> written_;
};

/// Sectors that a request's own segments cover.
unsigned sectors_of(const blkif_request_t& request);

}  // namespace xenrig::blk
