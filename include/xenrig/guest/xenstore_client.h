// A guest's client of xenstore: messages over the ring page and its event channel (xs_wire.h, misc/xenstore-ring.txt).
//
// Requests of several tasks are on the ring at once and are told apart by req_id; a reply is complete before its
// requester is woken. One service task reads the ring, another runs the watches' handlers, so a handler may use the
// store. After unwatch() an event of that watch that waits is dropped.
//
// A suspend waits until no request is on the ring and no transaction is open, and holds new ones back until resume().
// In a new domain the ring is taken up where it stands, and every watch is registered again, which fires it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "xenrig/guest/discovery.h"
#include "xenrig/guest/event_channels.h"
#include "xenrig/guest/memory.h"
#include "xenrig/platform/lock.h"
#include "xenrig/platform/store.h"
#include "xenrig/platform/wait_queue.h"
#include "xenrig/ring/byte_ring.h"

namespace xenrig::guest {

class XenstoreClient final : public Store {
public:
    XenstoreClient(DomainLink& link, GuestMemory& memory, EventChannels& events);
    ~XenstoreClient() override;

    /// Takes up the ring of this domain; the two services must run, or be started, for requests to be answered.
    Result<> connect(RingPage ring);
    /// Bodies of service tasks; never return.
    void serve_ring();
    void serve_watches();

    /// EIO from every call once the ring's indices or a message made no sense; a new domain begins afresh.
    Result<std::string> read(StoreTx tx, const std::string& path) override;
    Result<> write(StoreTx tx, const std::string& path, std::string_view value) override;
    Result<> mkdir(StoreTx tx, const std::string& path) override;
    Result<> rm(StoreTx tx, const std::string& path) override;
    Result<std::vector<std::string>> directory(StoreTx tx, const std::string& path) override;
    Result<std::vector<StorePerm>> get_perms(StoreTx tx, const std::string& path) override;
    Result<> set_perms(StoreTx tx, const std::string& path, const std::vector<StorePerm>& perms) override;
    Result<StoreTx> start() override;
    Result<> end(StoreTx tx, bool commit) override;
    Result<Watch> watch(const std::string& path, WatchHandler handler) override;

    /// Returns when all is quiet, and keeps it so; from a task.
    void suspend();
    /// `ring`: where the new domain has it; null when the suspend was cancelled. An error leaves the store broken.
    Result<> resume(const RingPage* ring);

    std::size_t watches_in_use() const;
    std::size_t transactions_open() const;
    /// Replies to nobody and malformed events, which were dropped.
    std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

private:
    struct Request;
    struct Registration;
    struct Event {
        std::uint64_t token;
        std::string path;
    };
    class Use;

    void unwatch(std::uint64_t token) override;

    Result<std::string> talk(std::uint32_t type, StoreTx tx, std::string_view payload);
    Result<> talk_ok(std::uint32_t type, StoreTx tx, std::string_view payload);
    Result<std::vector<std::string>> directory_in_parts(StoreTx tx, const std::string& path);
    bool send(std::span<const std::byte> message);
    bool receive();
    bool dispatch(std::uint32_t type, std::uint32_t req_id, std::string body);
    bool queue_event(std::string_view body);
    void give_up(const char* why);
    void on_event();
    std::string state() const;

    DomainLink& link_;
    GuestMemory& memory_;
    EventChannels& events_;

    /// Who writes requests, who reads replies: one task each, also over a wait for the other end. A suspend holds both.
    Lock writing_{"xenstore requests"};
    Lock reading_{"xenstore replies"};
    ring::ByteProducer to_store_;
    ring::ByteConsumer from_store_;
    Channel channel_;
    /// Under reading_: what of the next message has come.
    std::vector<std::byte> inbox_;

    /// All below is under lock_.
    mutable IrqLock lock_{"xenstore"};
    std::uint64_t rings_ = 0;
    WaitQueue ring_event_;
    WaitQueue room_;
    bool connected_ = false;
    std::string broken_;
    std::uint32_t next_request_ = 1;
    std::map<std::uint32_t, Request*> requests_;

    WaitQueue gate_;
    WaitQueue quiet_;
    bool suspending_ = false;
    std::size_t users_ = 0;
    std::set<StoreTx> transactions_;

    std::uint64_t next_token_ = 1;
    std::map<std::uint64_t, std::shared_ptr<Registration>> watches_;
    std::deque<Event> events_waiting_;
    WaitQueue event_waiting_;
    WaitQueue handler_done_;
    Task* watch_task_ = nullptr;
    std::uint64_t running_ = 0;

    std::atomic<std::uint64_t> dropped_{0};
};

}  // namespace xenrig::guest
