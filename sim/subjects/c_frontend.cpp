#include "c_frontend.h"

#include <mutex>

#include "c_error.h"

namespace xenrig::subjects {

/// The device as a user holds it: it is not destroyed meanwhile. Null when it was taken away.
class CFrontend::Use {
public:
    explicit Use(CFrontend& owner) : owner_(owner) {
        const std::lock_guard held(owner_.lock_);
        owner_.found_.wait(owner_.lock_, [&] { return owner_.device_ != nullptr || owner_.gone_; });
        device_ = owner_.device_;
        ++owner_.users_;
    }
    ~Use() {
        const std::lock_guard held(owner_.lock_);
        if (--owner_.users_ == 0) owner_.unused_.wake_all();
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

    void* device() const { return device_; }

private:
    CFrontend& owner_;
    void* device_ = nullptr;
};

CFrontend::CFrontend(Platform& platform, unsigned device, const xenrig_blkfront& calls, std::shared_ptr<void> library)
    : library_(std::move(library)),
      calls_(calls),
      platform_(platform),
      path_("device/vbd/" + std::to_string(device)),
      binding_(platform),
      service_(platform, "subject's bus", [this] { look(); }) {}

CFrontend::~CFrontend() {
    watch_.reset();
    service_.stop();
    if (device_) calls_.destroy(device_);
}

Result<> CFrontend::start() {
    // Written with the directory, and removed with it.
    auto watch = platform_.store().watch(path_ + "/backend", [poke = service_.poker()](const std::string&) { poke(); });
    if (!watch) return std::unexpected(watch.error());
    watch_ = std::move(*watch);
    service_.poke();
    return {};
}

void CFrontend::look() {
    const auto peer = xenbus::read_peer(platform_.store(), xenbus::Side::frontend, path_);
    if (device_ && !peer_ && peer) peer_ = *peer;
    if (device_ && (!peer || *peer != *peer_)) vanish();
    if (!device_ && peer) appear(*peer);
}

Error CFrontend::is_gone() { return {Errno::nodev, "the device is gone"}; }

void CFrontend::appear(const xenbus::Peer& peer) {
    void* const made = calls_.create(binding_.get(), path_.c_str());
    if (!made) return;
    if (calls_.start(made) < 0) {
        calls_.stop(made);
        return calls_.destroy(made);
    }
    peer_ = peer;
    const std::lock_guard held(lock_);
    device_ = made;
    gone_ = false;
    found_.wake_all();
}

void CFrontend::vanish() {
    void* gone = nullptr;
    {
        const std::lock_guard held(lock_);
        gone = std::exchange(device_, nullptr);
        gone_ = true;
        found_.wake_all();
    }
    calls_.stop(gone);
    {
        const std::lock_guard held(lock_);
        unused_.wait(lock_, [this] { return users_ == 0; });
    }
    calls_.destroy(gone);
    peer_.reset();
}

Result<world::DiskSeen> CFrontend::wait_connected() {
    const Use use(*this);
    if (!use.device()) return std::unexpected(is_gone());
    xenrig_disk_info info{};
    if (auto connected = result_of(calls_.wait_connected(use.device(), &info), "wait_connected"); !connected)
        return std::unexpected(connected.error());
    return world::DiskSeen{info.bytes, info.sector_bytes, info.physical_sector_bytes, info.read_only != 0};
}

Result<> CFrontend::transfer(const world::UserTransfer& t) {
    const Use use(*this);
    if (!use.device()) return std::unexpected(is_gone());
    const xenrig_transfer wanted{
        .write = t.write, .first = t.first, .sector = t.sector, .data = t.data.data(), .length = t.data.size()};
    return result_of(calls_.transfer(use.device(), &wanted), "transfer");
}

Result<> CFrontend::flush() {
    const Use use(*this);
    if (!use.device()) return std::unexpected(is_gone());
    return result_of(calls_.flush(use.device()), "flush");
}

Result<> CFrontend::discard(std::uint64_t sector, std::uint64_t sectors, bool secure) {
    if (!calls_.discard) return FrontendSubject::discard(sector, sectors, secure);
    const Use use(*this);
    if (!use.device()) return std::unexpected(is_gone());
    return result_of(calls_.discard(use.device(), sector, sectors, secure), "discard");
}

void CFrontend::suspend() {
    service_.pause();
    if (device_) calls_.suspend(device_);
}

void CFrontend::resume(bool cancelled) {
    // Another host: another backend, which is the same device's.
    if (!cancelled) peer_.reset();
    if (device_) calls_.resume(device_, cancelled);
    service_.poke();
    service_.unpause();
}

}  // namespace xenrig::subjects
