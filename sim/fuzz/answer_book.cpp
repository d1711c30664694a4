#include "sim/fuzz/answer_book.h"

#include <algorithm>
#include <utility>

#include <xen/io/blkif.h>

namespace xenrig::fuzz {

void AnswerBook::asked(const RequestView& request, std::string nonsense) {
    if (honest_)
        open_.push_back({request.id, request.operation, request.inner, grants_known_ ? std::move(nonsense) : ""});
}

void AnswerBook::grants_changed() {
    grants_known_ = false;
    for (Asked& a : open_) a.nonsense.clear();
}

std::string AnswerBook::answered(std::uint64_t id, std::uint8_t operation, std::int16_t status) {
    const auto found = std::ranges::find(open_, id, &Asked::id);
    const std::string what = "the backend answers request " + std::to_string(id);
    if (found == open_.end()) return what + ", which was not made or has its answer";
    const Asked asked = std::move(*found);
    open_.erase(found);
    if (operation != asked.operation && operation != asked.inner)
        return what + " as operation " + std::to_string(operation) + ", and it is " + std::to_string(asked.operation);
    if (status == BLKIF_RSP_OKAY && !asked.nonsense.empty()) return what + " with OKAY, and it is " + asked.nonsense;
    return {};
}

}  // namespace xenrig::fuzz
