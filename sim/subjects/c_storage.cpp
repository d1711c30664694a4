#include "c_storage.h"

#include <algorithm>
#include <mutex>

#include "c_error.h"
#include "xenrig/platform/lock.h"
#include "xenrig/platform/wait_queue.h"

namespace xenrig::subjects {

namespace {

constexpr std::uint64_t kUnit = 512;

struct Blocking final : blk::StorageOp {
    /// The operation's own: its caller may be unwound while it is under way.
    std::vector<std::byte> bytes;
    IrqLock lock{"subject's storage"};
    WaitQueue over{"the subject's storage"};
    bool done_now = false;
};

int run(blk::Storage& storage, const std::shared_ptr<Blocking>& op) {
    op->data = op->bytes;
    op->done = [raw = op.get()](const blk::StorageOpPtr&) {
        const std::lock_guard held(raw->lock);
        raw->done_now = true;
        raw->over.wake_all();
    };
    storage.submit(op);
    const std::lock_guard held(op->lock);
    op->over.wait(op->lock, [&] { return op->done_now; });
    return op->result ? 0 : -static_cast<int>(op->result.error().code);
}

}  // namespace

class COpenStorage final : public xenrig_storage {
public:
    COpenStorage(CDisks& owner, std::shared_ptr<blk::Storage> inner)
        : xenrig_storage{.size = sizeof(xenrig_storage),
                         .info = {},
                         .transfer = do_transfer,
                         .flush = do_flush,
                         .discard = do_discard,
                         .close = do_close},
          owner_(owner),
          inner_(std::move(inner)) {
        const blk::StorageInfo i = inner_->info();
        info = {i.bytes, i.sector_bytes, i.physical_sector_bytes, i.read_only, i.discard_granularity};
    }

private:
    static COpenStorage& of(xenrig_storage* s) { return *static_cast<COpenStorage*>(s); }

    static int do_transfer(xenrig_storage* s, int write, std::uint64_t sector, void* data, std::size_t length) {
        auto* const bytes = static_cast<std::byte*>(data);
        const auto op = std::make_shared<Blocking>();
        op->kind = write ? blk::StorageOp::Kind::write : blk::StorageOp::Kind::read;
        op->offset = sector * kUnit;
        op->bytes.assign(bytes, bytes + length);
        const int answer = run(*of(s).inner_, op);
        if (!write && answer == 0) std::copy(op->bytes.begin(), op->bytes.end(), bytes);
        return answer;
    }

    static int do_flush(xenrig_storage* s) {
        const auto op = std::make_shared<Blocking>();
        op->kind = blk::StorageOp::Kind::flush;
        return run(*of(s).inner_, op);
    }

    static int do_discard(xenrig_storage* s, std::uint64_t sector, std::uint64_t sectors, int secure) {
        const auto op = std::make_shared<Blocking>();
        op->kind = blk::StorageOp::Kind::discard;
        op->offset = sector * kUnit;
        op->length = sectors * kUnit;
        op->secure = secure != 0;
        return run(*of(s).inner_, op);
    }

    static void do_close(xenrig_storage* s) {
        std::erase_if(of(s).owner_.opened_, [s](const auto& one) { return one.get() == s; });
    }

    CDisks& owner_;
    std::shared_ptr<blk::Storage> inner_;
};

CDisks::CDisks(blk::StorageFactory factory)
    : xenrig_disks{.size = sizeof(xenrig_disks), .open = open_one}, open_(std::move(factory)) {}

CDisks::~CDisks() = default;

int CDisks::open_one(const xenrig_disks* disks, const char* params, const char* type, int read_only,
                     xenrig_storage** out) {
    auto& self = *static_cast<CDisks*>(const_cast<xenrig_disks*>(disks));  // made by the constructor, never const
    auto storage = self.open_({.params = params, .type = type, .read_only = read_only != 0});
    if (!storage) return -static_cast<int>(storage.error().code);
    *out = self.opened_.emplace_back(std::make_unique<COpenStorage>(self, std::move(*storage))).get();
    return 0;
}

}  // namespace xenrig::subjects
