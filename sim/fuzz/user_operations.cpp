#include "sim/fuzz/user_operations.h"

#include <algorithm>
#include <mutex>

namespace xenrig::fuzz {

UserOperations::UserOperations(Platform& guest, FindDisk disk) : guest_(guest), disk_(std::move(disk)) {
    guest_.spawn("users", TaskRole::service, [this] { serve(); });
}

void UserOperations::ask(const UserWish& wish) {
    {
        const std::lock_guard held(lock_);
        wishes_.push_back(wish);
    }
    wished_.wake_one();
}

void UserOperations::serve() {
    for (;;) {
        UserWish wish;
        {
            const std::lock_guard held(lock_);
            wished_.wait(lock_, [this] { return !wishes_.empty(); });
            wish = wishes_.front();
            wishes_.pop_front();
        }
        submit(wish);
    }
}

void UserOperations::submit(const UserWish& wish) {
    const auto disk = disk_(wish.device);
    if (!disk) return;
    Operation& made = operations_.emplace_back();
    made.op.kind = wish.kind;
    made.op.sector = wish.sector;
    made.op.units = wish.units;
    for (unsigned i = 0; i < wish.segments; ++i) {
        auto frame = guest_.memory().allocate();
        if (!frame) break;
        made.op.segments.push_back(
            {.gfn = (*frame)->gfn(), .first = wish.first, .last = wish.last, .keep = std::move(*frame)});
    }
    made.op.done = [&made](blk::BlkOp&) { ++made.answers; };
    disk->submit(made.op);
}

std::size_t UserOperations::outstanding() const {
    return static_cast<std::size_t>(std::ranges::count(operations_, 0u, &Operation::answers));
}

std::size_t UserOperations::answered() const { return operations_.size() - outstanding(); }

std::string UserOperations::answered_twice() const {
    const auto found = std::ranges::find_if(operations_, [](const Operation& o) { return o.answers > 1; });
    if (found == operations_.end()) return {};
    return "the operation at sector " + std::to_string(found->op.sector) + " was answered " +
           std::to_string(found->answers) + " times";
}

}  // namespace xenrig::fuzz
