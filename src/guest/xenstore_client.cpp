// The client's engine room: the ring, replies, events, suspend. The requests themselves are in xenstore_requests.cpp.
#include "xenrig/guest/xenstore_client.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <mutex>

#include "text.h"
#include "xenrig/abi/check.h"
#include "xenrig/platform/polite_wait.h"
#include "xenrig/shared/door.h"
#include "xenstore_request.h"

namespace xenrig::guest {

namespace {

ring::ByteRingPlace requests_in(const shared::Window& page) {
    return {page, offsetof(xenstore_domain_interface, req_prod), offsetof(xenstore_domain_interface, req_cons),
            page, offsetof(xenstore_domain_interface, req),      XENSTORE_RING_SIZE};
}

ring::ByteRingPlace replies_in(const shared::Window& page) {
    return {page, offsetof(xenstore_domain_interface, rsp_prod), offsetof(xenstore_domain_interface, rsp_cons),
            page, offsetof(xenstore_domain_interface, rsp),      XENSTORE_RING_SIZE};
}

Error not_answered(const std::string& why) { return Error{Errno::io, why}; }

}  // namespace

XenstoreClient::XenstoreClient(DomainLink& link, GuestMemory& memory, EventChannels& events)
    : link_(link),
      memory_(memory),
      events_(events),
      ring_event_("bytes from xenstore"),
      room_("room on the xenstore ring"),
      gate_("xenstore to be resumed"),
      quiet_("xenstore requests and transactions to end", [this] { return state(); }),
      event_waiting_("a watch event"),
      handler_done_("a watch handler to return") {}

XenstoreClient::~XenstoreClient() = default;

std::string XenstoreClient::state() const {
    return dec(users_) + " requests, " + dec(transactions_.size()) + " transactions";
}

// --- The ring --------------------------------------------------------------------------------------------------------

Result<> XenstoreClient::connect(RingPage ring) {
    const shared::Window page = memory_.window(ring.gfn);
    // The indices need not start at 0, and what an earlier connection left unread is nobody's.
    const auto req_prod = shared::load<ring::Index>(page, offsetof(xenstore_domain_interface, req_prod));
    const auto rsp_prod = shared::load<ring::Index>(page, offsetof(xenstore_domain_interface, rsp_prod));
    shared::store<ring::Index>(page, offsetof(xenstore_domain_interface, rsp_cons), rsp_prod);
    to_store_ = ring::ByteProducer(requests_in(page), req_prod);
    from_store_ = ring::ByteConsumer(replies_in(page), rsp_prod);
    inbox_.clear();

    auto channel = events_.adopt(ring.port, [this] { on_event(); });
    if (!channel) return std::unexpected(channel.error());
    channel_ = std::move(*channel);
    {
        const std::lock_guard held(lock_);
        connected_ = true;
        broken_.clear();
    }
    on_event();
    return {};
}

void XenstoreClient::on_event() {
    const std::lock_guard held(lock_);
    ++rings_;
    ring_event_.wake_all();
    room_.wake_all();
}

bool XenstoreClient::send(std::span<const std::byte> message) {
    while (!message.empty()) {
        std::uint64_t seen;
        {
            const std::lock_guard held(lock_);
            if (!broken_.empty()) return false;
            seen = rings_;
        }
        const auto written = to_store_.write(message);
        if (!written) {
            give_up("xenstored's consumer index makes no sense");
            return false;
        }
        message = message.subspan(*written);
        if (*written != 0) {
            (void)channel_.notify();
            continue;
        }
        const std::lock_guard held(lock_);
        room_.wait(lock_, [&] { return rings_ != seen || !broken_.empty(); });
    }
    return true;
}

void XenstoreClient::serve_ring() {
    for (;;) {
        std::uint64_t seen;
        {
            const std::lock_guard held(lock_);
            seen = rings_;
        }
        {
            const std::lock_guard one_reader(reading_);
            while (receive()) {
            }
        }
        const std::lock_guard held(lock_);
        ring_event_.wait(lock_, [&] { return rings_ != seen; });
    }
}

bool XenstoreClient::receive() {
    {
        const std::lock_guard held(lock_);
        if (!connected_ || !broken_.empty()) return false;
    }
    std::byte chunk[XENSTORE_RING_SIZE];
    const auto n = from_store_.read(chunk);
    if (!n) {
        give_up("xenstored's producer index makes no sense");
        return false;
    }
    if (*n == 0) return false;
    (void)channel_.notify();
    inbox_.insert(inbox_.end(), chunk, chunk + *n);

    std::size_t at = 0;
    while (inbox_.size() - at >= sizeof(xsd_sockmsg)) {
        xsd_sockmsg header;
        std::memcpy(&header, inbox_.data() + at, sizeof header);
        if (header.len > XENSTORE_PAYLOAD_MAX) {
            give_up("xenstored sent a message that is longer than XENSTORE_PAYLOAD_MAX");
            return false;
        }
        if (inbox_.size() - at < sizeof header + header.len) break;
        std::string body(reinterpret_cast<const char*>(inbox_.data()) + at + sizeof header, header.len);
        at += sizeof header + header.len;
        if (!dispatch(header.type, header.req_id, std::move(body))) dropped_.fetch_add(1, std::memory_order_relaxed);
    }
    inbox_.erase(inbox_.begin(), inbox_.begin() + static_cast<std::ptrdiff_t>(at));
    return true;
}

bool XenstoreClient::dispatch(std::uint32_t type, std::uint32_t req_id, std::string body) {
    if (type == XS_WATCH_EVENT) return queue_event(body);
    const std::lock_guard held(lock_);
    const auto found = requests_.find(req_id);
    if (found == requests_.end()) return false;
    Request& request = *found->second;
    request.reply_type = type;
    request.reply = std::move(body);
    request.answered = true;
    request.done.wake_all();
    return true;
}

void XenstoreClient::give_up(const char* why) {
    const std::lock_guard held(lock_);
    broken_ = why;
    for (const auto& [id, request] : requests_) request->done.wake_all();
    room_.wake_all();
}

// --- Requests --------------------------------------------------------------------------------------------------------

Result<std::string> XenstoreClient::talk(std::uint32_t type, StoreTx tx, std::string_view payload) {
    if (payload.size() > XENSTORE_PAYLOAD_MAX)
        return fail(Errno::toobig, "a xenstore request has at most " + dec(XENSTORE_PAYLOAD_MAX) + " bytes");
    Request request(type, payload);
    struct Listed {
        XenstoreClient& store;
        std::uint32_t id = 0;
        ~Listed() {
            const std::lock_guard held(store.lock_);
            store.requests_.erase(id);
        }
    } listed{*this};
    {
        const std::lock_guard held(lock_);
        if (!connected_) return fail(Errno::notconn, "the guest has no xenstore");
        if (!broken_.empty()) return std::unexpected(not_answered(broken_));
        do listed.id = next_request_++;
        while (listed.id == 0 || requests_.contains(listed.id));
        requests_[listed.id] = &request;
    }
    {
        const xsd_sockmsg header{type, listed.id, static_cast<std::uint32_t>(tx),
                                 static_cast<std::uint32_t>(payload.size())};
        std::vector<std::byte> message(sizeof header + payload.size());
        std::memcpy(message.data(), &header, sizeof header);
        if (!payload.empty()) std::memcpy(message.data() + sizeof header, payload.data(), payload.size());
        const std::lock_guard one_writer(writing_);
        (void)send(message);
    }
    {
        const std::lock_guard held(lock_);
        request.done.wait(lock_, [&] { return request.answered || !broken_.empty(); });
        if (!request.answered) return std::unexpected(not_answered(broken_));
    }
    if (request.reply_type == XS_ERROR) return std::unexpected(request.error());
    if (request.reply_type != type)
        return fail(Errno::io, "xenstored answered a request of type " + dec(type) + " with one of type " +
                                   dec(request.reply_type));
    return std::move(request.reply);
}

Result<> XenstoreClient::talk_ok(std::uint32_t type, StoreTx tx, std::string_view payload) {
    const Use use(*this);
    const auto reply = talk(type, tx, payload);
    if (!reply) return std::unexpected(reply.error());
    return {};
}

}  // namespace xenrig::guest
