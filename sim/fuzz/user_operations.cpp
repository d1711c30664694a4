#include "sim/fuzz/user_operations.h"

#include <algorithm>
#include <mutex>
#include <utility>

namespace xenrig::fuzz {

struct UserOperations::Held {
    std::shared_ptr<blk::Blkfront> disk;
    blk::Blkfront::Use use;
};

UserOperations::UserOperations(Platform& guest, FindDisk disk) : guest_(guest), disk_(std::move(disk)) {
    guest_.spawn("users", TaskRole::service, [this] { serve(); });
}

UserOperations::~UserOperations() = default;

void UserOperations::let_go() { held_.reset(); }

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
        grant(wish);
    }
}

/// A subject's disk can't be held, and has no medium.
void UserOperations::grant(const UserWish& wish) {
    const auto disk = disk_(wish.device);
    if (!disk) return;
    const auto ours = std::dynamic_pointer_cast<blk::Blkfront>(disk);
    switch (wish.what) {
        case UserWish::What::operation:
            return submit(wish, *disk);
        case UserWish::What::hold:
            if (ours) hold(ours);
            return;
        case UserWish::What::eject:
            // It waits until the disk is connected, and others do not wait for that.
            if (ours) guest_.spawn("eject", TaskRole::service, [ours] { (void)ours->eject(); });
            return;
    }
}

void UserOperations::hold(const std::shared_ptr<blk::Blkfront>& disk) {
    if (std::exchange(held_, nullptr)) return;
    held_ = std::make_unique<Held>(disk, disk->use());
}

void UserOperations::submit(const UserWish& wish, blk::Disk& disk) {
    Operation& made = operations_.emplace_back();
    made.op.kind = wish.kind;
    made.op.sector = wish.sector;
    made.op.units = wish.units;
    made.op.secure = wish.secure;
    for (unsigned i = 0; i < wish.segments; ++i) {
        auto frame = guest_.memory().allocate();
        if (!frame) break;
        made.op.segments.push_back(
            {.gfn = (*frame)->gfn(), .first = wish.first, .last = wish.last, .keep = std::move(*frame)});
    }
    made.op.done = [&made](blk::BlkOp& op) {
        ++made.answers;
        // It may be as many times as it likes, and memory is for those that wait.
        for (blk::BlkSegment& s : op.segments) s.keep.reset();
    };
    disk.submit(made.op);
}

std::size_t UserOperations::outstanding() const {
    return static_cast<std::size_t>(std::ranges::count(operations_, 0u, &Operation::answers));
}

std::size_t UserOperations::pages_held() const {
    std::size_t pages = 0;
    for (const Operation& o : operations_)
        if (o.answers == 0) pages += o.op.segments.size();
    return pages;
}

std::vector<const blk::BlkOp*> UserOperations::done_well() const {
    std::vector<const blk::BlkOp*> done;
    for (const Operation& o : operations_)
        if (o.answers == 1 && o.op.result && !o.op.segments.empty()) done.push_back(&o.op);
    return done;
}

std::string UserOperations::answered_twice() const {
    const auto found = std::ranges::find_if(operations_, [](const Operation& o) { return o.answers > 1; });
    if (found == operations_.end()) return {};
    return "the operation at sector " + std::to_string(found->op.sector) + " was answered " +
           std::to_string(found->answers) + " times";
}

}  // namespace xenrig::fuzz
