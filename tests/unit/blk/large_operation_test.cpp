// Operations of more requests than a ring has slots: they go in rounds, and nothing behind them is forgotten.
#include <mutex>

#include "stage.h"
#include "xenrig/drivers/blk/blkfront.h"
#include "xenrig/drivers/blk/wire.h"

namespace xenrig::blk::test {
namespace {

using conformance::DiskSeen;
using conformance::FrontendSubject;
using conformance::Subjects;
using conformance::UserTransfer;

/// A user who writes as one operation, a segment for each sector, all through one page.
class SectorBySector final : public FrontendSubject {
public:
    SectorBySector(Platform& platform, unsigned device)
        : platform_(platform),
          page_(platform.memory().allocate().value()),
          bus_(platform, {{"vbd", blkfront_factory(platform, [this](std::shared_ptr<Blkfront> disk) {
                               const std::lock_guard held(lock_);
                               disk_ = std::move(disk);
                               changed_.wake_all();
                           })}}) {
        EXPECT_EQ(device, Stage::kDevice);
    }

    Result<> start() override { return bus_.start(); }
    Result<DiskSeen> wait_connected() override { return fail(Errno::nosys, "nobody asks"); }
    Result<> flush() override { return disk()->flush(); }

    Result<> transfer(const UserTransfer& t) override {
        BlkOp op;
        op.kind = BlkOp::Kind::write;
        op.sector = t.sector;
        platform_.memory().write(page_->gfn(), 0, t.data.first(kUnit));
        for (std::size_t at = 0; at < t.data.size(); at += kUnit) op.segments.push_back({page_->gfn(), 0, 0, page_});
        bool over = false;
        op.done = [&](BlkOp&) {
            const std::lock_guard held(lock_);
            over = true;
            changed_.wake_all();
        };
        disk()->submit(op);
        const std::lock_guard held(lock_);
        changed_.wait(lock_, [&] { return over; });
        return op.result;
    }

private:
    std::shared_ptr<Blkfront> disk() {
        const std::lock_guard held(lock_);
        changed_.wait(lock_, [this] { return disk_ != nullptr; });
        return disk_;
    }

    Platform& platform_;
    const FramePtr page_;
    Lock lock_{"test's user"};
    WaitQueue changed_{"the test's user"};
    std::shared_ptr<Blkfront> disk_;
    xenbus::Bus bus_;
};

void play_sector_by_sector(const std::function<void(Stage&)>& script) {
    conformance::Verdict verdict;
    const Subjects subjects{
        .frontend = [](Platform& platform,
                       unsigned device) { return std::make_unique<SectorBySector>(platform, device); },
        .backend = {}};
    Stage(verdict, subjects, Role::frontend, {}).play(script);
    EXPECT_EQ(verdict.outcome(), conformance::Outcome::success) << verdict.text();
}

std::vector<std::byte> sectors(std::size_t n) { return std::vector<std::byte>(n * kUnit, std::byte{7}); }

TEST(LargeOperation, GoesInRoundsWhereItNeedsMoreRequestsThanTheRingHolds) {
    play_sector_by_sector([](Stage& s) {
        if (!s.connect_backend()) return;
        // 353 segments by eleven: one request more than the ring's 32.
        const auto call = s.write(64, sectors(353));
        s.settle();
        auto round = s.backend().take_all();
        s.expect(round.size() == 32, "first as many as there are slots");
        std::uint64_t next = 64;
        const auto answer = [&] {
            for (const auto& request : round) {
                s.expect(request.sector_number == next, "each request goes on where the one before it ended");
                next += sectors_of(request);
                s.backend().serve(request);
            }
            s.backend().push_and_notify();
            s.backend().ask_for_event();
            s.settle();
        };
        answer();
        s.expect(!call->over, "the operation waits for its last request");
        round = s.backend().take_all();
        s.expect(round.size() == 1, "which comes when there is room");
        answer();
        s.expect(call->well() && next == 64 + 353, "and then all of it is done");
    });
}

TEST(LargeOperation, OfMoreThanAnyDiskTakesIsRefusedAndTheNextOneGoesOn) {
    play_sector_by_sector([](Stage& s) {
        if (!s.connect_backend({}, conformance::usual_properties(1 << 20))) return;
        const auto too_large = s.write(0, sectors(kOperationSegmentsMax + 1));
        const auto small = s.write(0, sectors(1));
        conformance::serve(s, small);
        s.expect(too_large->failed() && too_large->result.error().code == Errno::inval, "EINVAL, and nothing is asked");
        s.expect(small->well(), "what came behind it is done");
    });
}

TEST(LargeOperation, FailsWithADiskThatClosesInTheMiddleOfIt) {
    play_sector_by_sector([](Stage& s) {
        if (!s.connect_backend()) return;
        const auto call = s.write(0, sectors(353));
        s.settle();
        for (const auto& request : s.backend().take_all()) s.backend().serve(request);
        s.backend().push_and_notify();
        s.settle();
        s.backend().state(6);
        s.backend().leave();
        s.settle();
        s.expect(call->failed(), "a disk that closes fails what is under way, half done or not");
    });
}

}  // namespace
}  // namespace xenrig::blk::test
