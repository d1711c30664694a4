#include "sim/xenstore/connection.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "sim/xenstore/active.h"
#include "sim/xenstore/domains.h"
#include "sim/xenstore/path.h"
#include "sim/xenstore/transaction.h"

namespace xenrig::xenstore {

Connection::Connection(std::uint64_t id, Transport& transport, Domains& domains, ActiveSet& active)
    : transport_(transport), domains_(domains), active_(active), id_(id) {}

Connection::~Connection() { clear(); }

void Connection::belong_to(Domain& domain, std::unique_ptr<RingTransport> transport) {
    ring_ = std::move(transport);
    domain_ = &domain;
    domain_id_ = domain.id;
    home_ = home_of(domain.id.value);
}

std::expected<Progress, RingFault> Connection::receive() {
    const std::size_t before = received_;
    if (received_ < kHeaderSize) {
        auto* at = reinterpret_cast<std::byte*>(&header_in_) + received_;
        const auto n = transport_.read({at, kHeaderSize - received_});
        if (!n) return std::unexpected(n.error());
        received_ += *n;
        if (received_ < kHeaderSize) return *n != 0 ? Progress::some : Progress::none;
        if (header_in_.len > kPayloadMax) {
            if (!reads_as_oxenstored) return std::unexpected(RingFault::protocol);
            header_in_.len = kPayloadMax;
        }
        if (header_in_.len == 0 && reads_as_oxenstored && ring_ == nullptr) return Progress::some;
        if (payload_in_.size() < header_in_.len) payload_in_.resize(header_in_.len);
    }
    const std::size_t have = received_ - kHeaderSize;
    if (have < header_in_.len) {
        auto* at = reinterpret_cast<std::byte*>(payload_in_.data()) + have;
        const auto n = transport_.read({at, header_in_.len - have});
        if (!n) return std::unexpected(n.error());
        received_ += *n;
    }
    if (received_ == kHeaderSize + header_in_.len) return Progress::whole;
    return received_ != before ? Progress::some : Progress::none;
}

void Connection::queue(std::uint32_t type, std::uint32_t req_id, std::uint32_t tx_id, std::string_view payload,
                       bool event, std::shared_ptr<Request> request, Nanoseconds deadline) {
    const xsd_sockmsg header{
        .type = type, .req_id = req_id, .tx_id = tx_id, .len = static_cast<std::uint32_t>(payload.size())};
    Message& message = out_.emplace_back();
    std::memcpy(message.header.data(), &header, sizeof header);
    message.payload = payload;
    message.event = event;
    message.request = std::move(request);
    message.deadline = deadline;
    active_.insert(*this);
    waiting_bytes_ += sizeof message + payload.size();
    if (may_be_merged(message)) waiting_events_.insert(message.payload);
    if (domain_ != nullptr) domain_->usage.add(Quota::memory, static_cast<std::int64_t>(payload.size() + kHeaderSize));
}

void Connection::reply(std::uint32_t type, std::string_view payload) {
    if (payload.size() > kPayloadMax) {
        type = XS_ERROR;
        payload = std::string_view("E2BIG", 6);
    }
    if (domain_ != nullptr) domain_->usage.add(Quota::outstanding, 1);
    queue(type, header_in_.req_id, header_in_.tx_id, payload, false, std::move(current), {});
    current = nullptr;
}

void Connection::event(std::string_view path, std::string_view token, const std::shared_ptr<Request>& cause,
                       Nanoseconds deadline) {
    std::string payload;
    payload.reserve(path.size() + token.size() + 2);
    payload.append(path).push_back('\0');
    payload.append(token).push_back('\0');
    if (payload.size() > kPayloadMax) return;
    if (waiting_events_.contains(payload)) return;
    if (domain_ != nullptr &&
        domain_->exceeds(Quota::memory, domain_->usage[Quota::memory] + payload.size() + kHeaderSize))
        return;
    if (cause) ++cause->events;
    queue(XS_WATCH_EVENT, 0, 0, payload, true, cause, privileged() ? Nanoseconds{} : deadline);
}

void Connection::packet(std::uint32_t type, std::uint32_t req_id, std::uint32_t tx_id, std::string_view payload) {
    if (payload.size() > kPayloadMax && ring_ != nullptr) {
        type = XS_ERROR;
        payload = std::string_view("E2BIG", 6);
    }
    queue(type, req_id, tx_id, payload, false, nullptr, {});
}

/// Special events tell how often something happened.
bool Connection::may_be_merged(const Message& message) { return message.event && message.payload.front() != '@'; }

void Connection::settle(const Message& message) {
    if (may_be_merged(message)) waiting_events_.erase(message.payload);
    waiting_bytes_ -= sizeof message + message.payload.size();
    if (domain_ != nullptr)
        domain_->usage.add(Quota::memory, -static_cast<std::int64_t>(message.payload.size() + kHeaderSize));
    Domain* charged = message.event ? nullptr : domain_;
    if (Request* request = message.request.get()) {
        if (message.event)
            --request->events;
        else
            request->answered = true;
        const bool over = request->events == 0 && request->answered;
        charged = over ? domains_.find(request->domain.value) : nullptr;
    }
    if (charged != nullptr && charged->usage[Quota::outstanding] != 0) charged->usage.add(Quota::outstanding, -1);
}

void Connection::settle_first() {
    settle(out_.front());
    out_.pop_front();
    sent_ = 0;
    header_sent_ = false;
}

std::expected<bool, RingFault> Connection::send() {
    if (out_.empty()) return false;
    Message& first = out_.front();
    bool moved = false;
    if (!header_sent_) {
        const auto n = transport_.write(std::as_bytes(std::span(first.header)).subspan(sent_));
        if (!n) return std::unexpected(n.error());
        moved = *n != 0;
        sent_ += *n;
        if (sent_ < kHeaderSize) return moved;
        header_sent_ = true;
        sent_ = 0;
        if (!first.payload.empty() && ring_ == nullptr) return moved;
    }
    const auto n = transport_.write(std::as_bytes(std::span(first.payload)).subspan(sent_));
    if (!n) return std::unexpected(n.error());
    moved |= *n != 0;
    sent_ += *n;
    if (sent_ < first.payload.size()) return moved;
    ++sent_messages_;
    settle_first();
    return true;
}

void Connection::clear() {
    while (!out_.empty()) settle_first();
    received_ = 0;
}

void Connection::expire(Nanoseconds now) {
    // Events wait in the order of their deadlines.
    const auto has_deadline = [](const Message& m) { return m.deadline != Nanoseconds{}; };
    const auto first = std::find_if(out_.begin(), out_.end(), has_deadline);
    if (first == out_.end() || first->deadline > now) return;
    const bool begun = header_sent_ || sent_ != 0;
    // A short payload lies in its message, and messages move.
    waiting_events_.clear();
    std::deque<Message> kept;
    for (Message& message : out_) {
        const bool stays = !has_deadline(message) || message.deadline > now || (begun && &message == &out_.front());
        if (stays)
            kept.push_back(std::move(message));
        else
            settle(message);
    }
    out_ = std::move(kept);
    for (const Message& message : out_)
        if (may_be_merged(message)) waiting_events_.insert(message.payload);
}

std::string Connection::pending_input() const {
    std::string bytes(reinterpret_cast<const char*>(&header_in_), std::min(received_, kHeaderSize));
    if (received_ > kHeaderSize) bytes.append(payload_in_, 0, received_ - kHeaderSize);
    return bytes;
}

void Connection::restore(std::string_view in, std::string_view out, std::size_t rest) {
    if (in.size() >= kHeaderSize) {
        std::memcpy(&header_in_, in.data(), kHeaderSize);
        const std::size_t payload = in.size() - kHeaderSize;
        if (header_in_.len > kPayloadMax || payload > header_in_.len) in = {};
    }
    if (!in.empty()) {
        std::memcpy(&header_in_, in.data(), std::min(in.size(), kHeaderSize));
        if (in.size() > kHeaderSize) {
            payload_in_.resize(kPayloadMax);
            std::memcpy(payload_in_.data(), in.data() + kHeaderSize, in.size() - kHeaderSize);
        }
        received_ = in.size();
    }
    if (rest != 0) {
        // It has no header of its own.
        queue(XS_INVALID, 0, 0, out.substr(0, rest), false, nullptr, {});
        header_sent_ = true;
        out.remove_prefix(rest);
    }
    for (xsd_sockmsg header; !out.empty(); out.remove_prefix(kHeaderSize + header.len)) {
        std::memcpy(&header, out.data(), kHeaderSize);
        const bool event = header.type == XS_WATCH_EVENT && header.len != 0;
        if (domain_ != nullptr && !event) domain_->usage.add(Quota::outstanding, 1);
        queue(header.type, header.req_id, header.tx_id, out.substr(kHeaderSize, header.len), event, nullptr, {});
    }
}

std::size_t Connection::pending_rest() const {
    if (!header_sent_ && sent_ == 0) return 0;
    return out_.front().payload.size() + (header_sent_ ? 0 : kHeaderSize) - sent_;
}

std::string Connection::pending_output() const {
    std::string bytes;
    for (const Message& message : out_) {
        bytes.append(message.header.data(), message.header.size());
        bytes.append(message.payload);
    }
    return bytes.substr(sent_ + (header_sent_ ? kHeaderSize : 0));
}

}  // namespace xenrig::xenstore
