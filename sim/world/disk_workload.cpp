#include "sim/world/disk_workload.h"

#include <algorithm>
#include <cstring>
#include <mutex>

#include "xenrig/abi/check.h"
#include "xenrig/drivers/blk/wire.h"
#include "xenrig/platform/scheduler.h"

namespace xenrig::world {

namespace {

/// Every 8 bytes of a block say which write they are from and where they belong.
std::uint64_t stamp(std::uint64_t number, std::uint64_t word) { return number << 16 | word; }

void fill(std::span<std::byte> block, std::uint64_t number) {
    for (std::uint64_t word = 0; word < block.size() / 8; ++word) {
        const std::uint64_t v = number == 0 ? 0 : stamp(number, word);
        std::memcpy(block.data() + 8 * word, &v, 8);
    }
}

/// What a page holds before a read fills it.
constexpr std::uint64_t kGarbage = 0xdead'dead;

/// Which write the first word of some bytes is from.
std::uint64_t number_of(std::span<const std::byte> bytes) {
    std::uint64_t v;
    std::memcpy(&v, bytes.data(), 8);
    return v >> 16;
}

}  // namespace

struct DiskWorkload::Slot {
    blk::BlkOp op;
    std::vector<FramePtr> pages;
    std::uint64_t number = 0;
    unsigned block = 0;
    /// When a flush was submitted, and when anything was.
    DiskHistory::FlushMark mark;
    /// What it is was drawn; its block may still be another's, or its disk may have gone.
    bool drawn = false;
    bool under_way = false;
    /// Done, and not yet looked at.
    bool answered = false;
    /// Rise with each answer, and with each submission to a disk.
    std::uint64_t answer = 0, turn = 0;
    const blk::Disk* disk = nullptr;

    /// Its block changes by it.
    bool writes() const { return op.kind == blk::BlkOp::Kind::write || is_barrier(); }
    bool is_barrier() const { return op.kind == blk::BlkOp::Kind::barrier; }
};

DiskWorkload::DiskWorkload(WorkloadSpec spec, std::string disk, Machine& machine, Broken broken)
    : spec_(std::move(spec)),
      disk_(std::move(disk)),
      machine_(machine),
      broken_([told = std::move(broken)](std::string rule, std::string how) {
          // A task whose guest is dead runs on until it blocks, and what it sees is nobody's.
          if (!scheduler || !scheduler->unwinding()) told(std::move(rule), std::move(how));
      }),
      kinds_(machine.add_stream("workload." + spec_.guest + "." + spec_.device + ".kind")),
      places_(machine.add_stream("workload." + spec_.guest + "." + spec_.device + ".block")),
      progress_("the workload's operations",
                [this] {
                    return std::to_string(completed_) + " of " + std::to_string(spec_.operations) + " done, " +
                           std::to_string(in_flight_) + " under way";
                }),
      history_(spec_.blocks, spec_.block_size / blk::kUnit),
      busy_(spec_.blocks),
      acknowledged_(spec_.operations + 1),
      blocks_of_(spec_.operations + 1) {}

DiskWorkload::~DiskWorkload() = default;

std::uint64_t DiskWorkload::sector_of(unsigned block) const {
    return std::uint64_t{block} * spec_.block_size / blk::kUnit;
}

Result<> DiskWorkload::connect(const NextDisk& next_disk) {
    for (;;) {
        if (front_) gone_.push_back(front_);
        front_ = next_disk(front_.get());
        const auto info = front_->wait_connected();
        if (info) {
            if (size_ && *size_ != info->sectors * blk::kUnit)
                broken_("size", "the guest takes its disk for " + std::to_string(info->sectors * blk::kUnit) +
                                    " bytes, which has " + std::to_string(*size_));
            if (sector_of(spec_.blocks) <= info->sectors) return {};
            return fail(Errno::inval, "its " + std::to_string(info->sectors * blk::kUnit) + " bytes do not hold the " +
                                          std::to_string(spec_.blocks) + " blocks of " +
                                          std::to_string(spec_.block_size / 1024) + " KiB of [workload." + spec_.guest +
                                          "]; give fewer blocks, or a larger image");
        }
        if (!disk_may_go_) return std::unexpected(info.error());
    }
}

void DiskWorkload::run(Platform& guest, const NextDisk& next_disk) {
    if (auto connected = connect(next_disk); !connected)
        return broken_("device-closed", "the disk is of no use: " + connected.error().to_string());

    for (unsigned i = 0; i < std::min(spec_.in_flight, spec_.blocks); ++i) {
        slots_.push_back(std::make_unique<Slot>());
        while (slots_.back()->pages.size() * kPageSize < spec_.block_size) {
            auto page = guest.memory().allocate();
            if (!page) return broken_("out-of-memory", "the workload's guest has no frame left");
            slots_.back()->pages.push_back(*page);
        }
    }
    // One operation is drawn and waits for its block; the others are under way, answered, or wait for another disk.
    Slot* next = nullptr;
    for (;;) {
        Slot* answered = nullptr;
        {
            const std::lock_guard held(lock_);
            progress_.wait(lock_, [&] {
                const auto find = [&](auto wanted) {
                    const auto found = std::find_if(slots_.begin(), slots_.end(), wanted);
                    return found == slots_.end() ? nullptr : found->get();
                };
                // In the order of the answers, which says what a barrier stands for.
                for (const auto& s : slots_)
                    if (s->answered && (!answered || s->answer < answered->answer)) answered = s.get();
                if (!next) next = find([](const auto& s) { return s->drawn && !s->under_way; });
                if (!next && begun_ < spec_.operations) next = find([](const auto& s) { return !s->under_way; });
                const bool may_begin = next && !front_went_ && (!next->drawn || !busy_[next->block]);
                return answered || may_begin || (in_flight_ == 0 && (!next || front_went_));
            });
        }
        if (answered) {
            const Result<>& result = answered->op.result;
            if (disk_may_go_ && !result && (result.error().code == Errno::nodev || front_->closed()))
                abandon(*answered);
            else
                finish(guest, *answered);
        } else if (front_went_) {
            if (auto connected = connect(next_disk); !connected)
                return broken_("device-closed",
                               "no disk came after the one that went: " + connected.error().to_string());
            front_went_ = false;
        } else if (next) {
            if (begin(guest, *next)) next = nullptr;
        } else {
            break;
        }
    }
    read_all_back(next_disk);
    slots_.clear();
    const std::lock_guard held(lock_);
    finished_ = true;
    progress_.wake_all();
}

void DiskWorkload::read_all_back(const NextDisk& next_disk) {
    std::vector<std::byte> bytes(spec_.block_size);
    for (unsigned b = 0; b < spec_.blocks; ++b) {
        unsigned cuts = history_.cuts();
        auto read = front_->read(sector_of(b), bytes);
        while (!read) {
            const bool power = (may_fail_ || history_.cuts() != cuts) && read.error().code == Errno::io;
            const bool gone = disk_may_go_ && (read.error().code == Errno::nodev || front_->closed());
            if (gone && !connect(next_disk)) return broken_("device-closed", "no disk came after the one that went");
            if (!power && !gone)
                return broken_("io-error", "reading block " + std::to_string(b) + " back: " + read.error().to_string());
            cuts = history_.cuts();
            read = front_->read(sector_of(b), bytes);
        }
        verify(b, bytes, cuts, "at the end");
    }
}

void DiskWorkload::draw(Slot& slot) {
    // With the mildest choices too there are reads, writes and flushes on all blocks.
    constexpr std::uint32_t kStride = 7;
    std::uint32_t kind = (machine_.pick(kinds_, spec_.kinds()) + begun_ * kStride) % spec_.kinds();
    slot.block = (machine_.pick(places_, spec_.blocks) + begun_) % spec_.blocks;
    slot.number = ++begun_;
    blocks_of_[slot.number] = slot.block;
    slot.drawn = true;
    slot.op = {};
    using Kind = blk::BlkOp::Kind;
    const std::pair<unsigned, Kind> shares[] = {{spec_.writes, Kind::write},
                                                {spec_.reads, Kind::read},
                                                {spec_.flushes, Kind::flush},
                                                {spec_.discards, Kind::discard},
                                                {spec_.barriers, Kind::barrier}};
    for (const auto& [share, of] : shares) {
        slot.op.kind = of;
        if (kind < share) break;
        kind -= share;
    }
}

bool DiskWorkload::begin(Platform& guest, Slot& slot) {
    if (!slot.drawn) draw(slot);
    if (busy_[slot.block]) return false;
    blk::BlkOp& op = slot.op;
    op.sector = sector_of(slot.block);
    op.units = spec_.block_size / blk::kUnit;
    if (slot.writes() || op.kind == blk::BlkOp::Kind::read) {
        std::vector<std::byte> block(spec_.block_size);
        fill(block, slot.writes() ? slot.number : kGarbage);
        op.segments.clear();
        for (const FramePtr& page : slot.pages) {
            guest.memory().write(page->gfn(), 0, std::span(block).subspan(op.segments.size() * kPageSize, kPageSize));
            op.segments.push_back({page->gfn(), 0, 7, page});
        }
    }
    op.done = [this, &slot](blk::BlkOp& done) { answered(slot, done.result); };
    {
        const std::lock_guard held(lock_);
        busy_[slot.block] = true;
        slot.under_way = true;
        ++in_flight_;
        slot.mark = history_.flush_begun();
        slot.turn = ++turns_;
        slot.disk = front_.get();
        if (slot.writes()) history_.write_begun(slot.block, slot.number);
        if (op.kind == blk::BlkOp::Kind::discard) history_.discard_begun(slot.block);
    }
    front_->submit(op);
    return true;
}

void DiskWorkload::answered(Slot& slot, const Result<>& result) {
    const std::lock_guard held(lock_);
    if (!slot.under_way || slot.answered)
        broken_("answered-twice", "operation " + std::to_string(slot.number) + " was answered a second time");
    slot.answered = true;
    slot.answer = ++answers_;
    if (result) {
        acknowledged_[slot.number] = true;
        // What was submitted before a barrier is answered before it, what came behind it afterwards.
        for (const auto& other : slots_) {
            const bool earlier =
                other->under_way && !other->answered && other->disk == slot.disk && other->turn < slot.turn;
            if (earlier && (slot.is_barrier() || other->is_barrier()))
                broken_("barrier", "operation " + std::to_string(slot.number) + " was done before " +
                                       std::to_string(other->number) +
                                       ", which was submitted earlier; one of them is a barrier");
        }
    }
    progress_.wake_all();
}

void DiskWorkload::abandon(Slot& slot) {
    front_went_ = true;
    const std::lock_guard held(lock_);
    if (slot.writes()) history_.write_failed(slot.block);
    slot.answered = slot.under_way = false;
    busy_[slot.block] = false;
    --in_flight_;
    ++repeated_;
}

void DiskWorkload::finish(Platform& guest, Slot& slot) {
    using Kind = blk::BlkOp::Kind;
    const bool done = slot.op.result.has_value();
    const bool optional = slot.op.kind == Kind::discard || slot.op.kind == Kind::barrier;
    const bool unsupported = !done && optional && slot.op.result.error().code == Errno::opnotsupp;
    // What the power cut came between may fail.
    const bool may_fail = may_fail_ || unsupported;
    if (!done && !may_fail && (slot.op.result.error().code != Errno::io || slot.mark.cuts == history_.cuts()))
        broken_("io-error",
                "operation " + std::to_string(slot.number) + " failed: " + slot.op.result.error().to_string());
    if (slot.op.kind == Kind::read && done) {
        std::vector<std::byte> block(spec_.block_size);
        for (std::size_t i = 0; i < slot.pages.size(); ++i)
            guest.memory().read(slot.pages[i]->gfn(), 0, std::span(block).subspan(i * kPageSize, kPageSize));
        verify(slot.block, block, slot.mark.cuts, "by a read");
    }
    const std::lock_guard held(lock_);
    if (slot.writes() && !done) history_.write_failed(slot.block);
    if (slot.op.kind == Kind::write && done) history_.write_acknowledged(slot.block);
    if (slot.op.kind == Kind::barrier && done) history_.barrier_acknowledged(slot.block, slot.mark);
    if (slot.op.kind == Kind::flush && done) history_.flush_acknowledged(slot.mark);
    slot.answered = slot.under_way = slot.drawn = false;
    busy_[slot.block] = false;
    --in_flight_;
    if (unsupported && slot.op.kind == Kind::barrier) {
        // As a file system does: a write without the promise.
        slot.op.kind = Kind::write;
        slot.drawn = true;
        return;
    }
    ++completed_;
    if (!done && !unsupported) ++failed_;
    progress_.wake_all();
}

void DiskWorkload::verify(unsigned block, std::span<const std::byte> data, unsigned cuts_when_begun, const char* when) {
    const std::lock_guard held(lock_);
    std::vector<std::byte> want(data.size());
    for (unsigned sector = 0; sector < data.size() / blk::kUnit; ++sector) {
        const std::size_t at = sector * blk::kUnit;
        const std::uint64_t found = number_of(data.subspan(at));
        fill(want, found);
        const bool whole = std::equal(want.begin() + at, want.begin() + at + blk::kUnit, data.begin() + at);
        if (whole && history_.admits(block, sector, found)) {
            if (cuts_when_begun == history_.cuts()) history_.seen(block, sector, found);
            continue;
        }
        std::string possible;
        for (const std::uint64_t n : history_.possible(block, sector))
            possible += (possible.empty() ? "" : " or ") + std::to_string(n);
        return broken_("data", "block " + std::to_string(block) + " holds, from byte " + std::to_string(at) +
                                   " on, the data of write " + std::to_string(found) + (whole ? "" : ", torn,") +
                                   " where that of write " + possible + " must be (seen " + when +
                                   "; 0 is what the disk held at first)");
    }
}

std::uint64_t DiskWorkload::content_hash() const {
    std::uint64_t h = 0xcbf29ce484222325ull;
    for (unsigned b = 0; b < spec_.blocks; ++b) {
        const auto numbers = history_.possible(b, 0);
        h = (h ^ (numbers.size() == 1 && !history_.discarded(b) ? numbers.front() : 0)) * 0x100000001b3ull;
    }
    return h;
}

void DiskWorkload::power_goes() {
    const std::lock_guard held(lock_);
    history_.power_goes();
}

void DiskWorkload::power_lost() {
    const std::lock_guard held(lock_);
    history_.power_lost();
}

void DiskWorkload::guest_died() {
    const std::lock_guard held(lock_);
    lost_ = in_flight_;
    finished_ = true;
    progress_.wake_all();
}

void DiskWorkload::wait_completed(unsigned operations) {
    const std::lock_guard held(lock_);
    progress_.wait(lock_, [&] { return finished_ || completed_ >= std::min(operations, spec_.operations); });
}

void DiskWorkload::reached_storage(const blk::StorageOp& op) {
    if (op.kind != blk::StorageOp::Kind::write || op.data.size() < 8) return;
    const std::uint64_t number = number_of(op.data);
    executed_.push_back(number);
    if (number < blocks_of_.size()) {
        std::uint64_t first;
        std::memcpy(&first, op.data.data(), 8);
        const std::uint64_t place = sector_of(blocks_of_[number]) * blk::kUnit + (first & 0xffff) * 8;
        if (op.offset != place)
            broken_("misplaced", "write " + std::to_string(number) + " belongs at byte " + std::to_string(place) +
                                     " of the disk, and reaches it at " + std::to_string(op.offset));
    }
    if (number < acknowledged_.size() && acknowledged_[number])
        broken_("run-twice", "write " + std::to_string(number) + " was acknowledged, and reaches the storage again");
}

}  // namespace xenrig::world
