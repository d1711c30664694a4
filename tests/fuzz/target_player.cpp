#include "tests/fuzz/target_player.h"

#include "xenrig/abi/check.h"
#include "xenrig/world/subject.h"

namespace xenrig::fuzz {

Result<std::unique_ptr<TargetPlayer>> TargetPlayer::make(const BlkTarget& target, const std::string& subject) {
    std::unique_ptr<TargetPlayer> made(new TargetPlayer(target, subject));
    if (!subject.empty()) {
        auto library = SubjectLibrary::load(target, subject);
        if (!library) return std::unexpected(library.error());
        made->why_anew_ = library->why_not();
        if (made->why_anew_.empty()) made->library_.emplace(std::move(*library));
    }
    if (!ResetPlay::possible()) made->why_anew_ = "AddressSanitizer keeps stack frames elsewhere";
    if (made->why_anew_.empty())
        made->world_ = std::make_unique<ResetPlay>(target, made->library_ ? &*made->library_ : nullptr);
    return made;
}

PlayReport TargetPlayer::run(std::span<const std::byte> input) {
    if (world_) return world_->run(input);
    if (path_.empty()) return target_.make()->run(input);
    // Loaded anew as well, for its static data.
    auto loaded = world::load_subject(path_);
    check(loaded.has_value(), "a library that could be loaded can be loaded again");
    return target_.make(std::make_shared<const world::Subjects>(std::move(*loaded)))->run(input);
}

std::string TargetPlayer::token_of(std::span<const std::byte> input) const {
    return fuzz::token_of(target_, input, !path_.empty());
}

}  // namespace xenrig::fuzz
