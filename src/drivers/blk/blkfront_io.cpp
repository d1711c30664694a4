// The blocking calls: data goes through frames of their own, eleven at a time.
#include <algorithm>
#include <mutex>

#include "xenrig/drivers/blk/blkfront.h"
#include "xenrig/drivers/blk/wire.h"

namespace xenrig::blk {

namespace {

/// An operation that somebody waits for. It keeps itself, so a waiter whose task ends leaves nothing dangling.
struct Call {
    BlkOp op;
    IrqLock lock{"blkfront.call"};
    WaitQueue answered{"the answer to a block operation"};
    bool over = false;
};

Result<> submit_and_wait(Blkfront& disk, const std::shared_ptr<Call>& call) {
    call->op.done = [call](BlkOp&) {
        {
            const std::lock_guard held(call->lock);
            call->over = true;
        }
        call->answered.wake_all();
    };
    disk.submit(call->op);
    const std::lock_guard held(call->lock);
    call->answered.wait(call->lock, [&] { return call->over; });
    return call->op.result;
}

/// One operation's worth of data in frames.
struct Chunk {
    std::shared_ptr<Call> call = std::make_shared<Call>();
    std::vector<FramePtr> frames;

    Result<> fill(Memory& memory, BlkOp::Kind kind, std::uint64_t sector, std::size_t length) {
        call->op.kind = kind;
        call->op.sector = sector;
        for (std::size_t at = 0; at < length; at += kPageSize) {
            auto frame = memory.allocate();
            if (!frame) return std::unexpected(frame.error());
            const std::size_t here = std::min(kPageSize, length - at);
            call->op.segments.push_back({.gfn = (*frame)->gfn(),
                                         .first = 0,
                                         .last = static_cast<std::uint8_t>(here / kUnit - 1),
                                         .keep = *frame});
            frames.push_back(std::move(*frame));
        }
        return {};
    }

    /// Calls `move(gfn, piece)` for each frame and the part of `data` that lies in it.
    template <class Bytes, class F>
    void each_page(Bytes data, F move) const {
        for (std::size_t i = 0; i < frames.size(); ++i) {
            const std::size_t at = i * kPageSize;
            move(frames[i]->gfn(), data.subspan(at, std::min(kPageSize, data.size() - at)));
        }
    }
};

constexpr std::size_t kChunkMax = kSegmentsMax * kPageSize;

Result<> check_whole_units(std::size_t bytes) {
    if (bytes != 0 && bytes % kUnit == 0) return {};
    return fail(Errno::inval, "block data is whole sectors of 512 bytes, at least one");
}

}  // namespace

Result<> Blkfront::read(std::uint64_t sector, std::span<std::byte> data) {
    if (auto whole = check_whole_units(data.size()); !whole) return whole;
    while (!data.empty()) {
        const auto piece = data.first(std::min(data.size(), kChunkMax));
        Chunk chunk;
        if (auto filled = chunk.fill(platform_.memory(), BlkOp::Kind::read, sector, piece.size()); !filled)
            return filled;
        if (auto done = submit_and_wait(*this, chunk.call); !done) return done;
        chunk.each_page(piece, [&](Gfn gfn, std::span<std::byte> part) { platform_.memory().read(gfn, 0, part); });
        sector += piece.size() / kUnit;
        data = data.subspan(piece.size());
    }
    return {};
}

Result<> Blkfront::write(std::uint64_t sector, std::span<const std::byte> data) {
    if (auto whole = check_whole_units(data.size()); !whole) return whole;
    while (!data.empty()) {
        const auto piece = data.first(std::min(data.size(), kChunkMax));
        Chunk chunk;
        if (auto filled = chunk.fill(platform_.memory(), BlkOp::Kind::write, sector, piece.size()); !filled)
            return filled;
        chunk.each_page(piece,
                        [&](Gfn gfn, std::span<const std::byte> part) { platform_.memory().write(gfn, 0, part); });
        if (auto done = submit_and_wait(*this, chunk.call); !done) return done;
        sector += piece.size() / kUnit;
        data = data.subspan(piece.size());
    }
    return {};
}

Result<> Blkfront::discard(std::uint64_t sector, std::uint64_t units, bool secure) {
    const auto call = std::make_shared<Call>();
    call->op.kind = BlkOp::Kind::discard;
    call->op.sector = sector;
    call->op.units = units;
    call->op.secure = secure;
    return submit_and_wait(*this, call);
}

Result<> Blkfront::flush() {
    const auto call = std::make_shared<Call>();
    call->op.kind = BlkOp::Kind::flush;
    return submit_and_wait(*this, call);
}

}  // namespace xenrig::blk
