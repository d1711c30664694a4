// What a disk may show, sector by sector, after all that was asked of it: the oracle of data read.
//
// A write is known by a number; 0 is what the disk held before. An acknowledged write is what a read shows. One that
// failed may have arrived in any of its sectors. A power cut may bring back whatever was not covered by a flush: one
// that was submitted after the write was acknowledged, and was itself acknowledged with no cut in between.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace xenrig::world {

class DiskHistory {
public:
    /// Blocks of equal length; at most one write to a block is under way at any time.
    DiskHistory(unsigned blocks, unsigned sectors);

    void write_begun(unsigned block, std::uint64_t number);
    /// From now until it is written again the block may hold what it held, or nothing (0).
    void discard_begun(unsigned block);
    bool discarded(unsigned block) const { return blocks_[block].discarded; }
    /// If the power went meanwhile, it may have gone after the write: that counts as a failed one.
    void write_acknowledged(unsigned block);
    /// With an error, or by a disk that went away.
    void write_failed(unsigned block);

    struct FlushMark {
        std::uint64_t change = 0;
        unsigned cuts = 0;
    };
    FlushMark flush_begun() const { return {changes_, cuts_}; }
    void flush_acknowledged(FlushMark mark);
    /// What was acknowledged before it is durable, its own block, too.
    void barrier_acknowledged(unsigned block, FlushMark begun);

    /// The power goes between the two calls; what is done meanwhile may be done before or after.
    void power_goes();
    void power_lost();
    /// Differs before and after, and in between: what came between two numbers may fail.
    unsigned cuts() const { return cuts_; }

    /// What a read that is done now may find there.
    std::span<const std::uint64_t> possible(unsigned block, unsigned sector) const;
    bool admits(unsigned block, unsigned sector, std::uint64_t number) const;
    /// It was found there by a read that began after the last cut: from now on it is what is there.
    void seen(unsigned block, unsigned sector, std::uint64_t number);

private:
    struct Sector {
        std::vector<std::uint64_t> now{0};
        /// What a power cut may leave.
        std::vector<std::uint64_t> durable{0};
    };
    struct Block {
        std::vector<Sector> sectors;
        std::uint64_t under_way = 0;
        unsigned cuts_when_begun = 0;
        std::uint64_t last_change = 0;
        bool discarded = false;
    };

    void forget_what_is_volatile();

    std::vector<Block> blocks_;
    std::uint64_t changes_ = 0;
    /// Odd while the power goes.
    unsigned cuts_ = 0;
};

}  // namespace xenrig::world
