// What storage tests share: one operation, submitted and looked at, and a clock that a test moves by hand.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <string_view>
#include <vector>

#include "xenrig/drivers/blk/storage.h"
#include "xenrig/platform/clock.h"

namespace xenrig::blk {

class HandClock final : public Clock {
public:
    Nanoseconds now() override { return now_; }
    TimerId at(Nanoseconds deadline, std::function<void()> fire) override {
        timers_.emplace(std::pair(deadline.value, ++made_), std::move(fire));
        return TimerId{made_};
    }
    bool cancel(TimerId id) override {
        return std::erase_if(timers_, [&](const auto& t) { return t.first.second == static_cast<std::uint64_t>(id); });
    }
    /// Fires what is due by then, in order of time, then of birth.
    void advance(Nanoseconds by) {
        const Nanoseconds until = now_ + by;
        while (!timers_.empty() && timers_.begin()->first.first <= until.value) {
            auto timer = timers_.extract(timers_.begin());
            now_ = Nanoseconds{timer.key().first};
            timer.mapped()();
        }
        now_ = until;
    }

private:
    Nanoseconds now_;
    std::uint64_t made_ = 0;
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::function<void()>> timers_;
};

/// An operation with its data, and whether it is over.
struct TestOp final : StorageOp {
    std::vector<std::byte> bytes;
    bool over = false;
};

inline std::shared_ptr<TestOp> submit(Storage& storage, StorageOp::Kind kind, std::uint64_t offset,
                                      std::vector<std::byte> bytes) {
    auto op = std::make_shared<TestOp>();
    op->kind = kind;
    op->offset = offset;
    op->bytes = std::move(bytes);
    op->data = op->bytes;
    op->done = [](const StorageOpPtr& done) { static_cast<TestOp&>(*done).over = true; };
    storage.submit(op);
    return op;
}

inline std::vector<std::byte> sectors(char fill, std::size_t count = 1) {
    return std::vector<std::byte>(count * 512, static_cast<std::byte>(fill));
}
inline auto write(Storage& s, std::uint64_t sector, char fill, std::size_t count = 1) {
    return submit(s, StorageOp::Kind::write, sector * 512, sectors(fill, count));
}
inline auto read(Storage& s, std::uint64_t sector, std::size_t count = 1) {
    return submit(s, StorageOp::Kind::read, sector * 512, sectors('?', count));
}
inline auto flush(Storage& s) { return submit(s, StorageOp::Kind::flush, 0, {}); }

}  // namespace xenrig::blk
