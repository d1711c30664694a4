#include "scripted_backend.h"

#include <charconv>
#include <mutex>
#include <vector>

#include "sim/protocols/blk/raw_ring.h"
#include "xenrig/shared/door.h"

namespace xenrig::conformance {

namespace {

using blk::RawRing;
using Word = RawRing::Word;

constexpr std::size_t kSector = 512;

class ScriptedBackend final : public BackendSubject {
public:
    ScriptedBackend(Platform& platform, blk::StorageFactory storage) : platform_(platform), open_(std::move(storage)) {}

    Result<> start() override;

private:
    /// What wakes the task; shared with handlers.
    struct Bell {
        IrqLock lock{"scripted backend"};
        WaitQueue rung{"events of a scripted backend"};
        bool ringing = true;
        void ring() {
            const std::lock_guard held(lock);
            ringing = true;
            rung.wake_all();
        }
    };

    std::string read(const std::string& path) { return platform_.store().read(StoreTx::none, path).value_or(""); }
    void write(const char* name, const std::string& value) {
        (void)platform_.store().write(StoreTx::none, own_ + '/' + name, value);
    }
    void state(const char* s) {
        state_ = s;
        write("state", s);
    }
    void live();
    void handshake();
    void offer();
    void connect();
    void let_go();
    void properties();
    void serve();
    void one(std::uint32_t index);
    std::int16_t handle(const blkif_request_t& r);
    bool valid(const blkif_request_t& r) const;
    void answer(const blkif_request_t& r, std::int16_t status);
    bool storage(blk::StorageOp::Kind kind, std::uint64_t sector, std::span<std::byte> data);

    Platform& platform_;
    const blk::StorageFactory open_;
    std::shared_ptr<Bell> bell_ = std::make_shared<Bell>();
    std::vector<Watch> watches_;
    std::string own_, theirs_, state_ = "1";
    DomId frontend_{};
    std::shared_ptr<blk::Storage> disk_;
    std::vector<Mapping> kept_pages_;
    Mapping mapping_;
    RawRing ring_;
    Channel channel_;
    std::uint32_t req_cons_ = 0, rsp_prod_ = 0;
    bool broken_ = false;
};

Result<> ScriptedBackend::start() {
    Store& store = platform_.store();
    const auto domains = store.directory(StoreTx::none, "backend/vbd");
    if (!domains) return std::unexpected(domains.error());
    const auto devices = store.directory(StoreTx::none, "backend/vbd/" + domains->at(0));
    if (!devices) return std::unexpected(devices.error());
    own_ = "backend/vbd/" + domains->at(0) + '/' + devices->at(0);
    theirs_ = read(own_ + "/frontend");
    frontend_ = DomId(static_cast<std::uint16_t>(std::stoul(domains->at(0))));
    for (const std::string& path : {own_ + "/state", theirs_ + "/state"}) {
        auto watch = store.watch(path, [bell = bell_](const std::string&) { bell->ring(); });
        if (!watch) return std::unexpected(watch.error());
        watches_.push_back(std::move(*watch));
    }
    platform_.spawn("scripted backend", TaskRole::service, [this] { live(); });
    return {};
}

void ScriptedBackend::live() {
    offer();
    for (;;) {
        {
            const std::lock_guard held(bell_->lock);
            bell_->rung.wait(bell_->lock, [this] { return bell_->ringing; });
            bell_->ringing = false;
        }
        handshake();
        if (ring_ && !broken_) serve();
    }
}

void ScriptedBackend::offer() {
    if (!disk_) disk_ = open_({.params = read(own_ + "/params"), .read_only = read(own_ + "/mode") == "r"}).value();
    write("feature-flush-cache", "1");
    state("2");
}

void ScriptedBackend::handshake() {
    const std::string peer = read(theirs_ + "/state");
    if ((peer == "3" || peer == "4") && state_ == "2") connect();
    if (peer == "5" && state_ != "5" && state_ != "6") state("5");
    if (peer == "6" && state_ != "6") {
        let_go();
        state("6");
    }
    if (peer == "1" && state_ == "6" && read(own_ + "/online") == "1") offer();
}

void ScriptedBackend::let_go() {
    channel_.close();
    ring_ = {};
    kept_pages_.clear();
    mapping_.reset();
}

void ScriptedBackend::properties() {
    const blk::StorageInfo info = disk_->info();
    write("sectors", std::to_string(info.bytes / kSector));
    write("sector-size", "512");
    write("info", info.read_only ? "4" : "0");
}

void ScriptedBackend::connect() {
    let_go();
    const auto number = [&](const char* name) {
        const std::string text = read(theirs_ + '/' + name);
        std::uint32_t n = 0;
        std::from_chars(text.data(), text.data() + text.size(), n);
        return n;
    };
    const std::string protocol = read(theirs_ + "/protocol");
    const GrantRef ref{number("ring-ref")};
    auto mapping = platform_.grants().map(frontend_, std::span(&ref, 1), Access::read_write);
    auto channel =
        platform_.events().bind_interdomain(frontend_, Port{number("event-channel")}, [bell = bell_] { bell->ring(); });
    const bool known = protocol.empty() || protocol == "x86_64-abi";
    if (!known || !mapping || !channel) return state("5");
    mapping_ = std::move(*mapping);
    channel_ = std::move(*channel);
    ring_ = RawRing(mapping_.window());
    req_cons_ = rsp_prod_ = 0;
    broken_ = false;
    properties();
    state("4");
}

void ScriptedBackend::serve() {
    for (;;) {
        const std::uint32_t req_prod = ring_.load(Word::req_prod);
        if (req_prod - rsp_prod_ > RawRing::kSize) {
            broken_ = true;
            return;
        }
        shared::rmb();
        while (req_cons_ != req_prod) one(req_cons_++);
        ring_.store(Word::req_event, req_cons_ + 1);
        shared::mb();
        if (ring_.load(Word::req_prod) == req_cons_) return;
    }
}

void ScriptedBackend::one(std::uint32_t index) {
    const blkif_request_t request = ring_.request(index);
    answer(request, handle(request));
}

bool ScriptedBackend::valid(const blkif_request_t& r) const {
    if (r.nr_segments == 0 || r.nr_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST) return false;
    const blk::StorageInfo info = disk_->info();
    if (r.operation == BLKIF_OP_WRITE && info.read_only) return false;
    std::uint64_t total = 0;
    for (unsigned i = 0; i < r.nr_segments; ++i) {
        const auto& s = r.seg[i];
        if (s.first_sect > s.last_sect) return false;
        if (s.last_sect >= 8) return false;
        total += s.last_sect - s.first_sect + 1u;
    }
    const std::uint64_t sectors = info.bytes / kSector;
    return r.sector_number <= sectors && total <= sectors - r.sector_number;
}

std::int16_t ScriptedBackend::handle(const blkif_request_t& r) {
    kept_pages_.clear();
    if (r.operation == BLKIF_OP_FLUSH_DISKCACHE) {
        return storage(blk::StorageOp::Kind::flush, 0, {}) ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR;
    }
    if (r.operation != BLKIF_OP_READ && r.operation != BLKIF_OP_WRITE) return BLKIF_RSP_EOPNOTSUPP;
    if (!valid(r)) return BLKIF_RSP_ERROR;
    const bool reads = r.operation == BLKIF_OP_READ;
    for (unsigned i = 0; i < r.nr_segments; ++i) {
        const GrantRef ref{r.seg[i].gref};
        auto page =
            platform_.grants().map(frontend_, std::span(&ref, 1), reads ? Access::read_write : Access::read_only);
        if (!page) {
            kept_pages_.clear();
            return BLKIF_RSP_ERROR;
        }
        kept_pages_.push_back(std::move(*page));
    }
    bool well = true;
    std::uint64_t sector = r.sector_number;
    for (unsigned i = 0; i < r.nr_segments; ++i) {
        std::vector<std::byte> data((r.seg[i].last_sect - r.seg[i].first_sect + 1u) * kSector);
        const auto& window = kept_pages_[i].window();
        const std::size_t at = r.seg[i].first_sect * kSector;
        shared::new_decision();
        if (!reads) shared::copy_out(window, at, data.data(), data.size());
        well = storage(reads ? blk::StorageOp::Kind::read : blk::StorageOp::Kind::write, sector, data) && well;
        if (reads) shared::copy_in(window, at, data.data(), data.size());
        sector += data.size() / kSector;
    }
    kept_pages_.clear();
    return well ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR;
}

void ScriptedBackend::answer(const blkif_request_t& r, std::int16_t status) {
    auto response = blk::blank_response();
    response.id = r.id;
    response.operation = r.operation;
    response.status = status;
    ring_.put(rsp_prod_++, response);
    shared::wmb();
    ring_.store(Word::rsp_prod, rsp_prod_);
    shared::mb();
    if (ring_.load(Word::rsp_event) == rsp_prod_) (void)channel_.notify();
}

bool ScriptedBackend::storage(blk::StorageOp::Kind kind, std::uint64_t sector, std::span<std::byte> data) {
    struct Op final : blk::StorageOp {
        std::vector<std::byte> bytes;
        IrqLock over_lock{"scripted storage over"};
        WaitQueue wait{"a scripted backend's disk"};
        bool over = false;
    };
    const auto op = std::make_shared<Op>();
    op->kind = kind;
    op->offset = sector * kSector;
    op->bytes.assign(data.begin(), data.end());
    op->data = op->bytes;
    op->done = [raw = op.get()](const blk::StorageOpPtr&) {
        const std::lock_guard held(raw->over_lock);
        raw->over = true;
        raw->wait.wake_all();
    };
    disk_->submit(op);
    const std::lock_guard held(op->over_lock);
    op->wait.wait(op->over_lock, [&] { return op->over; });
    std::copy(op->bytes.begin(), op->bytes.end(), data.begin());
    return op->result.has_value();
}

}  // namespace

std::unique_ptr<BackendSubject> scripted_backend(Platform& platform, blk::StorageFactory storage) {
    return std::make_unique<ScriptedBackend>(platform, std::move(storage));
}

}  // namespace xenrig::conformance
