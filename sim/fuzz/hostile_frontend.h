// A hostile frontend of a block device: each act comes from a fuzzer's bytes, and any is possible at any time.
//
// It has what a guest has: rings and their grants, pages of data with rights of several kinds, event channels, and the
// nodes of its own directory. What the usual way is, connect() knows; all else breaks rules on purpose. Nothing of what
// it reads is trusted either: it only goes into the hash of the run.
//
// Threads: one task of the guest.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sim/fuzz/input.h"
#include "sim/fuzz/late_writes.h"
#include "xenrig/platform/platform.h"

namespace xenrig::fuzz {

/// How it introduces itself.
struct FrontendSetting {
    unsigned device = 51712;
    bool persistent = false;
    bool x86_32 = false;
    unsigned page_order = 0;
    unsigned queues = 1;
};

class HostileFrontend {
public:
    /// What a byte of an input stands for, modulo `count`; what follows is each act's own.
    enum class Act : std::uint8_t {
        request,          ///< a request at the next index, published by none
        push,             ///< req_prod as put, and further by a signed byte
        push_and_notify,  ///< RING_PUSH_REQUESTS_AND_CHECK_NOTIFY, and the event in any case
        notify,
        poke_slot,     ///< bytes of a request that was put
        poke_index,    ///< req_prod, req_event, rsp_prod or rsp_event, by a difference or a number
        poke_page,     ///< bytes of a data page, which may be an indirect page
        late_slot,     ///< as poke_slot, after the backend has next read them
        late_page,     ///< as poke_page, after the backend has next read them
        take_answers,  ///< moves rsp_event, as one who wants to hear of the next
        write_node,
        remove_node,
        state,
        end_grant,
        regrant,  ///< a data page anew, with other rights
        close_port,
        new_port,
        new_ring,
        publish,
        reconnect,  ///< Closed, Initialising, and the usual way
        map,        ///< a grant that is not its own
        select_queue,
        step_aside,
        settle,
        storm,      ///< events, with others running in between
        many,       ///< the same request some times over, and all published
        detach,     ///< a toolstack's `xl block-detach`
        handshake,  ///< Closed, Initialising, new rings with any geometry, Initialised
        count
    };
    static constexpr std::size_t kPages = 6;

    struct World {
        Platform& platform;
        DomId backend;
        /// Somebody who has nothing to do with the device.
        DomId stranger;
        LateWrites& late;
        std::function<void()> settle;
        std::function<void()> step_aside;
        /// A toolstack detaches this device.
        std::function<void(unsigned device)> detach;
    };

    HostileFrontend(World world, const FrontendSetting& setting);

    /// The usual way to Connected, with the setting's features.
    void connect();
    void act(Input& input);
    /// The most pages of rings that a node of this device ever named.
    std::size_t ring_pages_max() const { return nodes_garbled_ ? ~0ull : pages_max_ * queues_max_; }
    unsigned device() const { return setting_.device; }
    /// It once said that it reuses grants; nodes stay from connection to connection.
    bool persistent() const { return persistent_once_; }
    /// Of the answers seen.
    std::uint64_t hash() const { return hash_.value(); }
    void count_answers();

private:
    struct Page {
        FramePtr frame;
        Grant grant;
        shared::Window window;
    };
    struct Ring {
        std::vector<Page> pages;
        shared::Window window;
        Channel channel;
        std::uint32_t req_prod = 0, rsp_cons = 0;
    };
    static constexpr std::size_t kHeader = 64;

    Ring& ring() { return rings_[queue_ % rings_.size()]; }
    std::size_t slot_bytes() const { return setting_.x86_32 ? 108 : 112; }
    std::uint32_t slots(const Ring& r) const;
    std::optional<std::size_t> slot(std::uint32_t index);

    std::optional<Page> make_page(DomId peer, Access access);
    Ring make_ring(unsigned order);
    void make_rings();
    void publish();
    void reconnect();
    void write(const std::string& node, const std::string& value);
    std::uint32_t gref(Input& input);
    std::vector<std::byte> request(Input& input);
    void put(const std::vector<std::byte>& bytes);
    void push(int further);
    void poke_index(Input& input);
    void poke_slot(Input& input, bool late);
    void poke_page(Input& input, bool late);
    void write_node(Input& input);
    void regrant(Input& input);
    std::string node_name(Input& input);

    World world_;
    FrontendSetting setting_;
    const std::string path_;
    std::vector<Ring> rings_;
    std::size_t queue_ = 0;
    std::array<std::optional<Page>, kPages> pages_;
    std::vector<Mapping> stolen_;
    std::size_t pages_max_ = 1, queues_max_ = 1;
    bool nodes_garbled_ = false, persistent_once_ = false;
    std::uint64_t next_id_ = 1;
    Hash hash_;
};

}  // namespace xenrig::fuzz
