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

#include "sim/fuzz/answer_book.h"
#include "sim/fuzz/input.h"
#include "sim/fuzz/late_writes.h"
#include "sim/fuzz/ring_pokes.h"
#include "xenrig/platform/platform.h"

namespace xenrig::fuzz {

/// How it introduces itself, as far as the backend offers it.
struct FrontendSetting {
    unsigned device = 51712;
    bool persistent = false;
    bool x86_32 = false;
    unsigned page_order = 0;
    unsigned queues = 1;
    bool large_sectors = false;
    /// What its disk can be asked for, as far as that is known.
    std::optional<DiskRules> disk;
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
        storm,           ///< events, with others running in between
        many,            ///< the same request some times over, and all published
        detach,          ///< a toolstack's `xl block-detach`
        handshake,       ///< Closed, Initialising, new rings with any geometry, Initialised
        toolstack_node,  ///< a node of the backend's directory is garbled or removed
        medium,          ///< another medium in the drive, one that is not there, or none
        resize,          ///< the disk becomes longer or shorter
        fail_hypercall,  ///< one that the victim makes soon
        count
    };
    static constexpr std::size_t kPages = 6;

    struct World {
        Platform& platform;
        DomId domain, backend;
        /// Somebody who has nothing to do with the device.
        DomId stranger;
        LateWrites& late;
        std::function<void()> settle;
        std::function<void()> step_aside;
        /// A toolstack detaches this device.
        std::function<void(unsigned device)> detach;
        std::function<void(unsigned device, std::string node, std::optional<std::string> value)> toolstack_node;
        std::function<void(unsigned device, std::string params)> medium;
        std::function<void(unsigned device, std::uint64_t sectors)> resize;
        /// Of those that the victim makes from now on, the one after so many.
        std::function<void(unsigned after)> fail_hypercall;
        /// What a node holds; nobody notices.
        std::function<std::string(const std::string& path)> peek;
        /// The victim has broken a rule.
        std::function<void(std::string rule, std::string how)> broken;
    };

    HostileFrontend(World world, const FrontendSetting& setting);

    /// The usual way to Connected, with the setting's features.
    void connect();
    void act(Input& input);
    /// What was put is published, and as long as it has told no lie, each request has had its answer.
    void finish();
    /// The most pages of rings that a node of this device ever named.
    std::size_t ring_pages_max() const { return nodes_garbled_ ? ~0ull : pages_max_ * queues_max_; }
    unsigned device() const { return setting_.device; }
    /// It once said that it reuses grants; nodes stay from connection to connection.
    bool persistent() const { return persistent_once_; }
    /// Of the answers seen.
    std::uint64_t hash() const { return hash_.value(); }

private:
    struct Page {
        FramePtr frame;
        Grant grant;
        shared::Window window;
        bool strangers = false, read_only = false;
    };
    struct Ring {
        std::vector<Page> pages;
        shared::Window window;
        Channel channel;
        std::uint32_t req_prod = 0, rsp_cons = 0;
        AnswerBook book;
    };

    Ring& ring() { return rings_[queue_ % rings_.size()]; }
    std::size_t slot_bytes() const { return setting_.x86_32 ? 108 : 112; }
    std::uint32_t slots(const Ring& r) const;
    std::optional<std::size_t> slot(std::uint32_t index);

    std::optional<Page> make_page(bool strangers, bool read_only);
    Ring make_ring(unsigned order);
    void make_rings();
    void publish();
    void publish_queue(std::size_t queue);
    void reconnect();
    void connect_ring();
    void stay_within_offer();
    void lie();
    void count_answers();
    void take_answer(Ring& r, std::size_t at);
    std::string backend_node(const std::string& name);
    std::uint32_t backend_number(const std::string& name);
    void write(const std::string& node, const std::string& value);
    std::uint32_t gref(Input& input);
    std::vector<std::byte> request(Input& input);
    std::string nonsense_of(const RequestView& request) const;
    const Page* page_of(std::uint32_t gref) const;
    /// What is read from the disk may end up in a ring.
    bool may_reach_ring(const RequestView& request) const;
    void put(const std::vector<std::byte>& bytes);
    void push(int further);
    void poke_slot(Input& input, bool late);
    void poke_page(Input& input, bool late);
    void write_node(Input& input);
    void end_grant(Input& input);
    void regrant(Input& input);
    void many(Input& input);
    void handshake(Input& input);
    void act_on_ring(Act act, Input& input);
    void act_on_world(Act act, Input& input);

    World world_;
    FrontendSetting setting_;
    const std::string path_, backend_path_;
    std::vector<Ring> rings_;
    std::size_t queue_ = 0;
    std::array<std::optional<Page>, kPages> pages_;
    std::vector<Mapping> stolen_;
    std::size_t pages_max_ = 1, queues_max_ = 1;
    bool nodes_garbled_ = false, persistent_once_ = false;
    /// A read whose pages are not all its own may have gone into its xenstore ring (gref 1): nobody may hear it any
    /// more.
    bool store_ring_read_over_ = false;
    std::uint64_t next_id_ = 1;
    Hash hash_;
};

}  // namespace xenrig::fuzz
