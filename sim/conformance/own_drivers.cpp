// Xenrig's own blkfront and blkback as subjects.
#include <mutex>

#include "sim/conformance/subject.h"
#include "xenrig/drivers/blk/blkback.h"
#include "xenrig/drivers/blk/blkfront.h"
#include "xenrig/drivers/blk/wire.h"
#include "xenrig/xenbus/bus.h"

namespace xenrig::conformance {

namespace {

constexpr std::size_t kUnit = 512;
constexpr unsigned kUnitsPerPage = kPageSize / kUnit;
constexpr std::size_t kPages = 11;
/// All that the frontend can make use of, where it is offered.
constexpr blk::BlkfrontOptions kAll{.ring_page_order = 2, .queues = 2};

class OwnFrontend final : public FrontendSubject {
public:
    OwnFrontend(Platform& platform, unsigned device)
        : platform_(platform),
          path_("device/vbd/" + std::to_string(device)),
          bus_(platform,
               std::map<std::string, xenbus::FrontendFactory>{{"vbd", blk::blkfront_factory(
                                                                          platform,
                                                                          [this](std::shared_ptr<blk::Blkfront> d) {
                                                                              const std::lock_guard held(lock_);
                                                                              disk_ = std::move(d);
                                                                              found_.wake_all();
                                                                          },
                                                                          kAll)}}) {}

    Result<> start() override { return bus_.start(); }

    Result<DiskSeen> wait_connected() override {
        const auto info = disk()->wait_connected();
        if (!info) return std::unexpected(info.error());
        return DiskSeen{info->sectors * kUnit, info->sector_bytes, info->physical_sector_bytes, info->read_only};
    }

    Result<> transfer(const UserTransfer& t) override {
        if (t.first != 0 || t.data.size() > kPages * kPageSize) return transfer_through_pages(t);
        return t.write ? disk()->write(t.sector, t.data) : disk()->read(t.sector, t.data);
    }

    Result<> flush() override { return disk()->flush(); }
    Result<> discard(std::uint64_t sector, std::uint64_t sectors, bool secure) override {
        return disk()->discard(sector, sectors, secure);
    }

private:
    std::shared_ptr<blk::Blkfront> disk() {
        const std::lock_guard held(lock_);
        found_.wait(lock_, [this] { return disk_ != nullptr; });
        return disk_;
    }

    Result<> transfer_through_pages(const UserTransfer& t);

    Platform& platform_;
    const std::string path_;
    Lock lock_{"subject's disk"};
    WaitQueue found_{"a disk on the bus"};
    std::shared_ptr<blk::Blkfront> disk_;
    xenbus::Bus bus_;
};

/// One operation of any number of pages, the first of which may begin in its middle.
Result<> OwnFrontend::transfer_through_pages(const UserTransfer& t) {
    struct Call {
        blk::BlkOp op;
        Lock lock{"subject's operation"};
        WaitQueue over{"an operation of the subject's user"};
        bool done = false;
    };
    const auto call = std::make_shared<Call>();
    blk::BlkOp& op = call->op;
    op.kind = t.write ? blk::BlkOp::Kind::write : blk::BlkOp::Kind::read;
    op.sector = t.sector;
    unsigned first = t.first;
    for (std::size_t at = 0; at < t.data.size();) {
        auto frame = platform_.memory().allocate();
        if (!frame) return std::unexpected(frame.error());
        const std::size_t length = std::min<std::size_t>((kUnitsPerPage - first) * kUnit, t.data.size() - at);
        op.segments.push_back({.gfn = (*frame)->gfn(),
                               .first = static_cast<std::uint8_t>(first),
                               .last = static_cast<std::uint8_t>(first + length / kUnit - 1),
                               .keep = *frame});
        if (t.write) platform_.memory().write((*frame)->gfn(), first * kUnit, t.data.subspan(at, length));
        at += length;
        first = 0;
    }
    op.done = [call](blk::BlkOp&) {
        const std::lock_guard held(call->lock);
        call->done = true;
        call->over.wake_all();
    };
    disk()->submit(op);
    {
        const std::lock_guard held(call->lock);
        call->over.wait(call->lock, [&] { return call->done; });
    }
    if (!op.result || t.write) return op.result;
    std::size_t at = 0;
    for (const blk::BlkSegment& s : op.segments) {
        const std::size_t length = (s.last - s.first + 1u) * kUnit;
        platform_.memory().read(s.gfn, s.first * kUnit, t.data.subspan(at, length));
        at += length;
    }
    return {};
}

class OwnBackend final : public BackendSubject {
public:
    OwnBackend(Platform& platform, blk::StorageFactory storage)
        : bus_(platform, std::map<std::string, xenbus::BackendFactory>{
                             {"vbd", blk::blkback_factory(platform, std::move(storage))}}) {}
    Result<> start() override { return bus_.start(); }

private:
    xenbus::Bus bus_;
};

}  // namespace

Subjects own_drivers() {
    return {
        .name = "Xenrig's own drivers",
        .frontend = [](Platform& platform, unsigned device) { return std::make_unique<OwnFrontend>(platform, device); },
        .backend = [](Platform& platform,
                      blk::StorageFactory storage) { return std::make_unique<OwnBackend>(platform, storage); }};
}

}  // namespace xenrig::conformance
