// Backends that do not do what they offered: the frontend does without it, and asks once.
#include <mutex>

#include "stage.h"
#include "xenrig/drivers/blk/blkfront.h"
#include "xenrig/drivers/blk/wire.h"

namespace xenrig::blk {
namespace {

using namespace test;
using conformance::UserCallPtr;
using conformance::UserTransfer;

/// Our own frontend, whose users ask for one operation at a time, as large as it is.
class WholeFrontend final : public conformance::FrontendSubject {
public:
    explicit WholeFrontend(Platform& platform)
        : platform_(platform),
          bus_(platform, {{"vbd", blkfront_factory(platform, [this](auto disk) { disk_ = std::move(disk); })}}) {}

    Result<> start() override { return bus_.start(); }
    Result<conformance::DiskSeen> wait_connected() override { return fail(Errno::nosys); }
    Result<> flush() override { return disk_->flush(); }
    /// A write of nothing is a barrier of one page, one of a single sector a discard.
    Result<> transfer(const UserTransfer& t) override {
        if (t.write && t.data.size() == kUnit) return disk_->discard(t.sector, 8);
        const auto call = std::make_shared<Call>();
        call->op.kind = !t.write ? BlkOp::Kind::read : t.data.empty() ? BlkOp::Kind::barrier : BlkOp::Kind::write;
        call->op.sector = t.sector;
        for (std::size_t at = 0; at < std::max(t.data.size(), kPageSize); at += kPageSize) {
            auto frame = platform_.memory().allocate();
            if (!frame) return std::unexpected(frame.error());
            call->op.segments.push_back({.gfn = (*frame)->gfn(), .keep = *frame});
        }
        call->op.done = [call](BlkOp&) {
            const std::lock_guard held(call->lock);
            call->done = true;
            call->over.wake_all();
        };
        disk_->submit(call->op);
        {
            const std::lock_guard held(call->lock);
            call->over.wait(call->lock, [&] { return call->done; });
        }
        for (std::size_t i = 0; call->op.result && !t.write && i < call->op.segments.size(); ++i)
            platform_.memory().read(call->op.segments[i].gfn, 0, t.data.subspan(i * kPageSize, kPageSize));
        return call->op.result;
    }

private:
    struct Call {
        BlkOp op;
        Lock lock{"whole operation"};
        WaitQueue over{"a whole operation"};
        bool done = false;
    };
    Platform& platform_;
    std::shared_ptr<Blkfront> disk_;
    xenbus::Bus bus_;
};

void play_whole(const std::function<void(Stage&)>& script) {
    auto subjects = conformance::own_drivers();
    subjects.frontend = [](Platform& platform, unsigned) { return std::make_unique<WholeFrontend>(platform); };
    conformance::Verdict verdict;
    Stage(verdict, subjects, Role::frontend, {}).play(script);
    EXPECT_EQ(verdict.outcome(), conformance::Outcome::success) << verdict.text();
}

/// Serves what is asked until the call is over; operations of `unsupported` are answered so. How many requests came.
unsigned serve(Stage& s, const UserCallPtr& call, const std::function<bool(const blkif_request_t&)>& unsupported) {
    unsigned requests = 0;
    s.settle();
    while (!call->over) {
        const auto asked = s.backend().take_all();
        if (asked.empty()) break;
        for (const auto& r : asked)
            if (unsupported(r))
                s.backend().answer(r, BLKIF_RSP_EOPNOTSUPP);
            else if (r.operation == BLKIF_OP_WRITE_BARRIER)
                s.backend().answer(r, BLKIF_RSP_OKAY);
            else
                s.backend().serve(r);
        requests += static_cast<unsigned>(asked.size());
        s.backend().push_and_notify();
        s.backend().ask_for_event();
        s.settle();
    }
    return requests;
}

auto operation(std::uint8_t which) {
    return [which](const blkif_request_t& r) { return r.operation == which; };
}

bool unsupported(const UserCallPtr& call) { return call->failed() && call->result.error().code == Errno::opnotsupp; }

TEST(BlkfrontDegrades, AFlushThatIsUnsupportedIsAskedForOnce) {
    play_whole([](Stage& s) {
        if (!s.connect_backend({{"feature-flush-cache", "1"}})) return;
        auto call = s.flush();
        s.expect(serve(s, call, operation(BLKIF_OP_FLUSH_DISKCACHE)) == 1 && unsupported(call), "it fails");
        call = s.flush();
        s.expect(serve(s, call, operation(BLKIF_OP_FLUSH_DISKCACHE)) == 0 && unsupported(call),
                 "and is not asked again");
        call = s.read(0, 8);
        s.expect(serve(s, call, operation(99)) == 1 && call->well(), "the disk goes on");
    });
}

TEST(BlkfrontDegrades, AFlushGoesByBarrierWhereThatIsLeft) {
    play_whole([](Stage& s) {
        if (!s.connect_backend({{"feature-flush-cache", "1"}, {"feature-barrier", "1"}})) return;
        auto call = s.flush();
        s.expect(serve(s, call, operation(BLKIF_OP_FLUSH_DISKCACHE)) == 2 && call->well(), "it is put again");
        call = s.flush();
        s.expect(serve(s, call, operation(BLKIF_OP_FLUSH_DISKCACHE)) == 1 && call->well(), "and at once from then on");
    });
}

TEST(BlkfrontDegrades, ABarrierThatIsUnsupportedIsAskedForOnce) {
    play_whole([](Stage& s) {
        if (!s.connect_backend({{"feature-flush-cache", "1"}, {"feature-barrier", "1"}})) return;
        auto call = s.write(0, {});
        s.expect(serve(s, call, operation(BLKIF_OP_WRITE_BARRIER)) == 1 && unsupported(call), "it fails");
        call = s.write(0, {});
        s.expect(serve(s, call, operation(BLKIF_OP_WRITE_BARRIER)) == 0 && unsupported(call), "and is not asked again");
        call = s.flush();
        s.expect(serve(s, call, operation(BLKIF_OP_WRITE_BARRIER)) == 1 && call->well(), "flushes go on");
    });
}

TEST(BlkfrontDegrades, ADiscardThatIsUnsupportedIsAskedForOnce) {
    play_whole([](Stage& s) {
        if (!s.connect_backend({{"feature-discard", "1"}})) return;
        auto call = s.write(0, std::vector<std::byte>(kUnit));
        s.expect(serve(s, call, operation(BLKIF_OP_DISCARD)) == 1 && unsupported(call), "it fails");
        call = s.write(0, std::vector<std::byte>(kUnit));
        s.expect(serve(s, call, operation(BLKIF_OP_DISCARD)) == 0 && unsupported(call), "and is not asked again");
    });
}

TEST(BlkfrontDegrades, WhatWasIndirectIsPutAsSeveralRequests) {
    play_whole([](Stage& s) {
        if (!s.connect_backend({{"feature-max-indirect-segments", "64"}})) return;
        auto call = s.read(64, 20 * 8);
        s.expect(serve(s, call, operation(BLKIF_OP_INDIRECT)) == 3,
                 "one indirect request, then two of what they may be");
        s.expect(call->well() && call->data == sector_pattern(64, 20 * 8), "and all the data comes");
        call = s.read(64, 20 * 8);
        s.expect(serve(s, call, operation(BLKIF_OP_INDIRECT)) == 2 && call->well(), "at once from then on");
    });
}

TEST(BlkfrontDegrades, AReadThatIsUnsupportedFails) {
    play_whole([](Stage& s) {
        if (!s.connect_backend()) return;
        const auto call = s.read(0, 8);
        s.expect(serve(s, call, operation(BLKIF_OP_READ)) == 1 && unsupported(call), "there is no other way");
    });
}

}  // namespace
}  // namespace xenrig::blk
