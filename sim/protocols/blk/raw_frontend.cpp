#include "sim/protocols/blk/raw_frontend.h"

#include <algorithm>
#include <bit>

#include "xenrig/abi/check.h"
#include "xenrig/shared/door.h"

namespace xenrig::blk {

namespace {

constexpr unsigned kSectorsPerPage = 8;
constexpr std::size_t kSector = 512;

template <class T>
T must(Result<T> result, const char* what) {
    check(result.has_value(), what);
    return *std::move(result);
}

}  // namespace

RawFrontend::RawFrontend(Platform& platform, DomId backend, unsigned device)
    : platform_(platform), backend_(backend), path_("device/vbd/" + std::to_string(device)) {}

void RawFrontend::write(const std::string& name, const std::string& value) {
    check(platform_.store().write(StoreTx::none, path_ + '/' + name, value).has_value(),
          "a frontend may write to its own directory");
}

void RawFrontend::remove(const std::string& name) { (void)platform_.store().rm(StoreTx::none, path_ + '/' + name); }

std::optional<std::string> RawFrontend::backend_node(const std::string& name) {
    if (backend_path_.empty())
        backend_path_ = must(platform_.store().read(StoreTx::none, path_ + "/backend"), "a device names its backend");
    auto value = platform_.store().read(StoreTx::none, backend_path_ + '/' + name);
    return value ? std::optional(*std::move(value)) : std::nullopt;
}

std::vector<std::string> RawFrontend::backend_nodes() {
    (void)backend_node("state");
    return platform_.store().directory(StoreTx::none, backend_path_).value_or(std::vector<std::string>{});
}

void RawFrontend::make_ring() {
    drop_ring();
    std::vector<Gfn> frames;
    for (unsigned i = 0; i < shape_.pages; ++i) {
        ring_pages_.push_back(page(Access::read_write, 0));
        frames.push_back(ring_pages_.back().frame->gfn());
    }
    ring_ = RawRing(platform_.memory().window(frames), shape_.i386);
    ring_.initialise();
    shared::mb();
    req_prod_ = req_pushed_ = rsp_cons_ = 0;
    channel_ = must(platform_.events().alloc_unbound(backend_, [events = events_] { ++*events; }), "a port");
}

void RawFrontend::drop_ring() {
    channel_.close();
    ring_ = {};
    for (Page& p : ring_pages_) p.grant.reset(std::exchange(p.frame, nullptr));
    ring_pages_.clear();
}

Result<> RawFrontend::write_nodes(StoreTx tx) {
    std::vector<std::pair<std::string, std::string>> nodes;
    nodes.reserve(ring_pages_.size() + 1);
    const bool alone = ring_pages_.size() == 1;
    for (std::size_t i = 0; i < ring_pages_.size(); ++i)
        nodes.emplace_back(shape_.below + "ring-ref" + (alone ? "" : std::to_string(i)),
                           std::to_string(ring_ref(i).value));
    nodes.emplace_back(shape_.below + "event-channel", std::to_string(port().value));
    const bool in_pages = shape_.size_node == std::string("num-ring-pages");
    if (!alone)
        nodes.emplace_back(shape_.size_node,
                           std::to_string(in_pages ? shape_.pages : unsigned(std::bit_width(shape_.pages)) - 1));
    nodes.emplace_back("protocol", shape_.i386 ? "x86_32-abi" : "x86_64-abi");
    for (const auto& [name, value] : nodes)
        if (auto done = platform_.store().write(tx, path_ + '/' + name, value); !done) return done;
    return {};
}

void RawFrontend::publish() {
    check(write_nodes(StoreTx::none).has_value(), "a frontend may write to its own directory");
}

void RawFrontend::publish_with_state(unsigned state) {
    const auto done = platform_.store().transaction([&](StoreTx tx) -> Result<> {
        if (auto nodes = write_nodes(tx); !nodes) return nodes;
        return platform_.store().write(tx, path_ + "/state", std::to_string(state));
    });
    check(done.has_value(), "a frontend may write to its own directory");
}

std::uint32_t RawFrontend::put(const blkif_request_t& request) {
    ring_.put(req_prod_, request);
    return req_prod_++;
}

void RawFrontend::push() {
    shared::wmb();
    ring_.store(RawRing::Word::req_prod, req_prod_);
    req_pushed_ = req_prod_;
}

bool RawFrontend::push_and_notify() {
    const std::uint32_t old = req_pushed_;
    push();
    shared::mb();
    const std::uint32_t event = ring_.load(RawRing::Word::req_event);
    const bool due = req_prod_ - event < req_prod_ - old;
    if (due) notify();
    return due;
}

void RawFrontend::notify() { (void)channel_.notify(); }

std::optional<blkif_response_t> RawFrontend::take() {
    if (ring_.load(RawRing::Word::rsp_prod) == rsp_cons_) return std::nullopt;
    shared::rmb();
    return ring_.response(rsp_cons_++);
}

std::vector<blkif_response_t> RawFrontend::take_all() {
    std::vector<blkif_response_t> all;
    // A backend that claims more than the ring holds must not keep the script for ever.
    while (all.size() < 4 * ring_.size()) {
        const auto response = take();
        if (!response) break;
        all.push_back(*response);
    }
    return all;
}

RawFrontend::Page RawFrontend::page(Access access, std::uint8_t fill_with) {
    Page made{.frame = must(platform_.memory().allocate(), "a frame for data"), .grant = {}};
    fill(made, std::vector<std::byte>(kPageSize, std::byte{fill_with}));
    made.grant = must(platform_.grants().grant(backend_, made.frame->gfn(), access), "a grant for data");
    return made;
}

void RawFrontend::fill(const Page& page, std::span<const std::byte> bytes, std::size_t offset) {
    platform_.memory().write(page.frame->gfn(), offset, bytes);
}

std::vector<std::byte> RawFrontend::bytes(const Page& page) {
    std::vector<std::byte> out(kPageSize);
    platform_.memory().read(page.frame->gfn(), 0, out);
    return out;
}

bool RawFrontend::end(Page& page) {
    const std::size_t before = platform_.grants().grants_in_use();
    page.grant.reset(std::exchange(page.frame, nullptr));
    return platform_.grants().grants_in_use() < before;
}

RawFrontend::Transfer RawFrontend::transfer(std::uint8_t operation, std::uint64_t sector, unsigned sectors) {
    Transfer t{.request = blank_request(), .pages = {}};
    t.request.operation = operation;
    t.request.id = next_id_++;
    t.request.sector_number = sector;
    const Access access = operation == BLKIF_OP_READ ? Access::read_write : Access::read_only;
    while (sectors != 0) {
        const unsigned here = std::min(sectors, kSectorsPerPage);
        auto& segment = t.request.seg[t.request.nr_segments++];
        t.pages.push_back(page(access));
        segment.gref = t.pages.back().grant.ref().value;
        segment.first_sect = 0;
        segment.last_sect = static_cast<std::uint8_t>(here - 1);
        sectors -= here;
    }
    return t;
}

RawFrontend::Transfer RawFrontend::read(std::uint64_t sector, unsigned sectors) {
    return transfer(BLKIF_OP_READ, sector, sectors);
}

RawFrontend::Transfer RawFrontend::write(std::uint64_t sector, std::span<const std::byte> data) {
    Transfer t = transfer(BLKIF_OP_WRITE, sector, static_cast<unsigned>(data.size() / kSector));
    for (const Page& p : t.pages) {
        const std::size_t here = std::min(data.size(), kPageSize);
        fill(p, data.first(here));
        data = data.subspan(here);
    }
    return t;
}

RawFrontend::Indirect RawFrontend::indirect(std::uint8_t operation, std::uint64_t sector, unsigned pages) {
    constexpr unsigned kPerTable = kPageSize / sizeof(blkif_request_segment);
    Indirect made{.request = as_indirect(blank_request()), .tables = {}, .pages = {}};
    made.request.operation = BLKIF_OP_INDIRECT;
    made.request.indirect_op = operation;
    made.request.nr_segments = static_cast<std::uint16_t>(pages);
    made.request.id = next_id_++;
    made.request.sector_number = sector;
    for (unsigned i = 0; i < pages; ++i) {
        if (i % kPerTable == 0) {
            made.tables.push_back(page(Access::read_only));
            made.request.indirect_grefs[i / kPerTable] = made.tables.back().grant.ref().value;
        }
        made.pages.push_back(page(operation == BLKIF_OP_READ ? Access::read_write : Access::read_only));
        const blkif_request_segment segment{
            .gref = made.pages.back().grant.ref().value, .first_sect = 0, .last_sect = kSectorsPerPage - 1};
        fill(made.tables.back(), std::as_bytes(std::span(&segment, 1)), i % kPerTable * sizeof segment);
    }
    return made;
}

std::vector<std::byte> RawFrontend::data(const Transfer& transfer) {
    std::vector<std::byte> all;
    for (unsigned i = 0; i < transfer.pages.size(); ++i) {
        const auto& segment = transfer.request.seg[i];
        const auto page = bytes(transfer.pages[i]);
        all.insert(all.end(), page.begin() + segment.first_sect * kSector,
                   page.begin() + (segment.last_sect + 1u) * kSector);
    }
    return all;
}

}  // namespace xenrig::blk
