// A hostile backend of a block device: each act comes from a fuzzer's bytes, and any is possible at any time.
//
// It has what a driver domain has: the rings that the frontend granted it, the pages of requests that it has seen, its
// event channels, and the nodes of its own directory. It also says what the frontend's users ask for. What the usual
// way is, connect() knows; all else breaks rules on purpose.
//
// Threads: one task of the driver domain.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <xen/io/blkif.h>

#include "sim/fuzz/input.h"
#include "sim/fuzz/late_writes.h"
#include "sim/fuzz/request_sense.h"
#include "sim/fuzz/ring_pokes.h"
#include "sim/fuzz/user_operations.h"
#include "xenrig/platform/platform.h"

namespace xenrig::fuzz {

/// What it offers to its frontend.
struct BackendSetting {
    unsigned device = 51712;
    bool features = false;  ///< flush, barrier, discard, indirect segments
    bool persistent = false;
    unsigned page_order = 0;
    unsigned queues = 1;
    bool read_only = false;
    /// And read-only.
    bool drive = false;
    unsigned sector_bytes = 512;
};

class HostileBackend {
public:
    /// What a byte of an input stands for, modulo `count`; what follows is each act's own.
    enum class Act : std::uint8_t {
        user,        ///< a user's read, write, flush, discard or barrier
        serve,       ///< all there is, as a disk would, and the event
        take,        ///< requests, to be answered later or never
        answer,      ///< one that was taken, with its id, operation and status as told
        answer_any,  ///< a response to nothing
        push,        ///< rsp_prod as put, and further by a signed byte
        push_and_notify,
        notify,
        poke_slot,   ///< bytes of a slot
        poke_index,  ///< req_prod, req_event, rsp_prod or rsp_event, by a difference or a number
        late_slot,   ///< as poke_slot, after the frontend has next read them
        keep_page,   ///< maps a page of a request that was taken
        poke_page,   ///< bytes of a page that it keeps
        let_go,      ///< of all pages that it keeps
        leave,       ///< unmaps the rings and closes their ports
        join,
        close_port,
        write_node,
        remove_node,
        state,
        handshake,  ///< any offer, then InitWait
        replug,     ///< a toolstack takes the disk away and gives another of the same name
        connect,    ///< the usual way
        detach,     ///< a toolstack's `xl block-detach`
        select_queue,
        step_aside,
        settle,
        storm,           ///< events, with others running in between
        fail_hypercall,  ///< one that the victim makes soon
        hold,            ///< a user opens the device, as if to mount it, or lets it go
        eject,           ///< a user wants the medium out
        count
    };

    struct World {
        Platform& platform;
        DomId frontend;
        LateWrites& late;
        UserOperations& users;
        std::function<void()> settle;
        std::function<void()> step_aside;
        std::function<void(unsigned device)> detach;
        /// On return the disk is another one of the same name.
        std::function<void(unsigned device)> replug;
        /// Of those that the victim makes from now on, the one after so many.
        std::function<void(unsigned after)> fail_hypercall;
        /// The victim has broken a rule.
        std::function<void(std::string rule, std::string how)> broken;
    };

    HostileBackend(World world, const BackendSetting& setting);

    /// The usual way to Connected, with the setting's offer.
    void connect();
    void act(Input& input);
    unsigned device() const { return setting_.device; }
    /// Of the first read or write whose users were told that it is done more often than this backend has said so;
    /// empty when there is none, or the backend has lied.
    std::string told_too_well() const;
    std::uint64_t hash() const { return hash_.value(); }

private:
    struct Queue {
        Mapping mapping;
        Channel channel;
        std::uint32_t req_cons = 0, rsp_prod = 0;
    };
    /// What users' operations are told apart by.
    struct Extent {
        bool write = false;
        std::uint64_t sector = 0;
        auto operator<=>(const Extent&) const = default;
    };
    static constexpr std::size_t kSlot = 112;

    Queue& queue() { return queues_[queue_ % queues_.size()]; }
    std::optional<std::size_t> slot(std::uint32_t index);
    std::uint32_t slots();
    std::uint32_t word(std::size_t offset);
    void offer();
    void properties();
    void join();
    bool join(Queue& q, const std::string& below, std::size_t pages);
    Result<std::uint32_t> frontend_number(const std::string& node);
    void write(const std::string& node, const std::string& value);
    void take(unsigned most);
    void judge(const blkif_request_t& request);
    void serve();
    void give_data(const blkif_request_t& request);
    void put(std::uint64_t id, std::uint8_t operation, std::int16_t status);
    /// A driver may overlook that the operation is another one.
    void put_right(const blkif_request_t& request, std::uint8_t operation, std::int16_t status);
    /// A response to no request that it could know.
    void put_any(std::uint64_t id, std::uint8_t operation, std::int16_t status);
    void push(int further);
    void answer(Input& input);
    void answer_any(Input& input);
    void poke_slot(Input& input, bool late);
    void leave();
    void act_on_device(Act act, Input& input);
    void act_on_store(Act act, Input& input);
    void keep_page(Input& input);
    void poke_page(Input& input);
    void user(Input& input);

    World world_;
    BackendSetting setting_;
    const std::string path_, frontend_path_;
    std::vector<Queue> queues_;
    std::size_t queue_ = 0;
    std::vector<blkif_request_t> taken_;
    std::vector<Mapping> kept_;
    /// The device is new.
    bool fresh_ = true;
    /// It was connected in the usual way, and no lie has been told since: what it is asked makes sense.
    bool honest_ = false;
    /// It has written where a response may lie: nobody knows what it has said.
    bool garbled_ = false;
    std::map<Extent, unsigned> said_well_;
    Hash hash_;
};

}  // namespace xenrig::fuzz
