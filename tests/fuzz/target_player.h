// A target with tokens as programs play it: worlds that are put back after each input, or where that can't be, a world
// for each.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "sim/fuzz/blk_target.h"
#include "sim/fuzz/reset/reset_play.h"
#include "sim/fuzz/reset/subject_library.h"

namespace xenrig::fuzz {

class TargetPlayer {
public:
    /// With the driver of a library, or for an empty path ours. Errors as SubjectLibrary::load()'s. One in a process at
    /// a time (reset_play.h).
    static Result<std::unique_ptr<TargetPlayer>> make(const BlkTarget& target, const std::string& subject);

    PlayReport run(std::span<const std::byte> input);
    /// Why every input gets a world of its own; empty when the world is put back.
    const std::string& why_anew() const { return why_anew_; }
    const BlkTarget& target() const { return target_; }
    std::string token_of(std::span<const std::byte> input) const;

private:
    TargetPlayer(const BlkTarget& target, std::string subject) : target_(target), path_(std::move(subject)) {}

    const BlkTarget& target_;
    const std::string path_;
    std::string why_anew_;
    std::optional<SubjectLibrary> library_;
    std::unique_ptr<ResetPlay> world_;
};

}  // namespace xenrig::fuzz
