#include "sim/xenstore/stream_door.h"

#include <algorithm>
#include <cstring>

#include "sim/xenstore/daemon.h"

namespace xenrig::xenstore {
namespace {

/// Forgets the bytes that were taken, when that is cheap.
void compact(std::vector<std::byte>& bytes, std::size_t& taken) {
    if (taken == bytes.size()) {
        bytes.clear();
        taken = 0;
    } else if (taken > StreamDoor::kCapacity / 2) {
        bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(taken));
        taken = 0;
    }
}

}  // namespace

StreamDoor::StreamDoor(Daemon& daemon, std::function<void()> on_output)
    : daemon_(&daemon), on_output_(std::move(on_output)), connection_(&daemon.connect(*this)) {}

StreamDoor::~StreamDoor() {
    if (connection_ != nullptr) daemon_->disconnect(*connection_);
}

std::size_t StreamDoor::feed(std::span<const std::byte> bytes) {
    if (connection_ == nullptr) return 0;
    const std::size_t n = std::min(bytes.size(), room());
    in_.insert(in_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
    if (n != 0) daemon_->wake(*connection_);
    return n;
}

std::size_t StreamDoor::take_output(std::span<std::byte> out) {
    const std::size_t n = std::min(out.size(), output().size());
    if (n != 0) std::memcpy(out.data(), output().data(), n);
    discard_output(n);
    return n;
}

void StreamDoor::discard_output(std::size_t bytes) {
    out_taken_ += bytes;
    compact(out_, out_taken_);
    if (bytes != 0 && connection_ != nullptr) daemon_->wake(*connection_);
}

std::expected<std::size_t, RingFault> StreamDoor::read(std::span<std::byte> out) {
    const std::size_t n = std::min(out.size(), in_.size() - in_taken_);
    if (n != 0) std::memcpy(out.data(), in_.data() + in_taken_, n);
    in_taken_ += n;
    compact(in_, in_taken_);
    return n;
}

std::expected<std::size_t, RingFault> StreamDoor::write(std::span<const std::byte> bytes) {
    const std::size_t n = std::min(bytes.size(), kCapacity - output().size());
    if (output().empty() && n != 0 && on_output_) on_output_();
    out_.insert(out_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
    return n;
}

void StreamDoor::taken_over(Connection& connection) {
    connection_ = &connection;
    daemon_->wake(connection);
}

void StreamDoor::broken(RingFault) {
    connection_ = nullptr;
    if (on_output_) on_output_();
}

}  // namespace xenrig::xenstore
