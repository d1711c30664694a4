#include "sim/fuzz/hostile_backend.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "sim/fuzz/peer_values.h"
#include "sim/protocols/blk/raw_request.h"
#include "xenrig/shared/door.h"
#include "xenrig/xenbus/nodes.h"

namespace xenrig::fuzz {

namespace {

constexpr std::size_t kTakenMax = 256, kKeptMax = 64;
constexpr unsigned kDriveFlags = VDISK_CDROM | VDISK_REMOVABLE | VDISK_READONLY, kIndirectSegments = 32;

}  // namespace

HostileBackend::HostileBackend(World world, const BackendSetting& setting)
    : world_(std::move(world)),
      setting_(setting),
      path_("backend/vbd/" + std::to_string(world_.frontend.value) + '/' + std::to_string(setting.device)),
      frontend_path_("/local/domain/" + std::to_string(world_.frontend.value) + "/device/vbd/" +
                     std::to_string(setting.device)),
      queues_(1) {}

void HostileBackend::write(const std::string& node, const std::string& value) {
    (void)world_.platform.store().write(StoreTx::none, path_ + '/' + node, value);
}

void HostileBackend::offer() {
    if (setting_.features) {
        for (const char* node : {"feature-flush-cache", "feature-barrier", "feature-discard", "discard-secure"})
            write(node, "1");
        write("feature-max-indirect-segments", std::to_string(kIndirectSegments));
    }
    if (setting_.persistent) write("feature-persistent", "1");
    if (setting_.page_order != 0) write("max-ring-page-order", std::to_string(setting_.page_order));
    if (setting_.queues > 1) write("multi-queue-max-queues", std::to_string(setting_.queues));
    write("state", "2");
}

void HostileBackend::properties() {
    write("sectors", std::to_string(kSectors));
    write("sector-size", std::to_string(setting_.sector_bytes));
    write("physical-sector-size", std::to_string(setting_.sector_bytes));
    write("info", std::to_string((setting_.read_only ? VDISK_READONLY : 0) | (setting_.drive ? kDriveFlags : 0)));
}

void HostileBackend::connect() {
    offer();
    world_.settle();
    join();
    properties();
    write("state", "4");
    world_.settle();
    // Of a ring that was there before, it does not know how far it had come.
    honest_ = std::exchange(fresh_, false);
}

Result<std::uint32_t> HostileBackend::frontend_number(const std::string& node) {
    return xenbus::read_number<std::uint32_t>(world_.platform.store(), frontend_path_ + '/' + node);
}

void HostileBackend::join() {
    world_.late.clear();
    queues_.clear();
    const std::size_t queues = std::clamp(frontend_number("multi-queue-num-queues").value_or(1), 1u, 4u);
    const std::size_t pages = std::clamp(frontend_number("num-ring-pages").value_or(1), 1u, 16u);
    for (std::size_t i = 0; i < queues; ++i) {
        Queue made;
        (void)join(made, queues == 1 ? "" : "queue-" + std::to_string(i) + "/", pages);
        queues_.push_back(std::move(made));
    }
}

bool HostileBackend::join(Queue& q, const std::string& below, std::size_t pages) {
    std::vector<GrantRef> refs;
    for (std::size_t i = 0; i < pages; ++i) {
        const auto ref = frontend_number(below + (pages == 1 ? "ring-ref" : "ring-ref" + std::to_string(i)));
        if (!ref) return false;
        refs.emplace_back(*ref);
    }
    const auto port = frontend_number(below + "event-channel");
    if (!port) return false;
    auto mapping = world_.platform.grants().map(world_.frontend, refs, Access::read_write);
    if (mapping) q.mapping = std::move(*mapping);
    auto channel = world_.platform.events().bind_interdomain(world_.frontend, Port{*port}, [] {});
    if (channel) q.channel = std::move(*channel);
    return mapping && channel;
}

std::uint32_t HostileBackend::slots() {
    return static_cast<std::uint32_t>(std::bit_floor((queue().mapping.window().size() - kRingHeader) / kSlot));
}

std::optional<std::size_t> HostileBackend::slot(std::uint32_t index) {
    if (!queue().mapping) return std::nullopt;
    return kRingHeader + kSlot * (index % slots());
}

std::uint32_t HostileBackend::word(std::size_t offset) {
    if (!queue().mapping) return 0;
    return shared::load<std::uint32_t>(queue().mapping.window(), offset, shared::Fetch::poll);
}

void HostileBackend::take(unsigned most) {
    const std::uint32_t prod = word(offsetof(blkif_sring_t, req_prod));
    shared::rmb();
    if (honest_ && queue().mapping && prod - queue().rsp_prod > slots())
        world_.broken("asks", "the frontend has " + std::to_string(prod - queue().rsp_prod) +
                                  " requests without an answer on a ring of " + std::to_string(slots()));
    for (; most != 0 && queue().req_cons != prod && taken_.size() < kTakenMax; --most) {
        const auto at = slot(queue().req_cons);
        if (!at) return;
        shared::new_decision();
        taken_.push_back(shared::fetch<blkif_request_t>(queue().mapping.window(), *at));
        ++queue().req_cons;
        hash_.add(taken_.back().id);
        if (honest_) judge(taken_.back());
    }
}

/// What its users ask is any nonsense: a frontend keeps it to itself.
void HostileBackend::judge(const blkif_request_t& request) {
    const DiskRules disk{.sectors = kSectors,
                         .read_only = setting_.read_only || setting_.drive,
                         .indirect_segments_max = setting_.features ? kIndirectSegments : 0};
    const RequestView view = read_request(std::as_bytes(std::span(&request, 1)), false);
    if (const std::string wrong = nonsense(view, disk); !wrong.empty())
        world_.broken("asks", "the frontend asks for " + wrong);
    const bool offered = view.operation == BLKIF_OP_READ || view.operation == BLKIF_OP_WRITE || setting_.features;
    if (!offered)
        world_.broken("asks",
                      "the frontend asks for operation " + std::to_string(view.operation) + ", which was not offered");
}

/// To the first page of a read, in the direct form: enough to be more than nothing.
void HostileBackend::give_data(const blkif_request_t& request) {
    if (request.operation != BLKIF_OP_READ || request.nr_segments == 0) return;
    const GrantRef ref{request.seg[0].gref};
    const auto page = world_.platform.grants().map(world_.frontend, {&ref, 1}, Access::read_write);
    if (!page) return;
    const std::uint64_t value = request.sector_number;
    shared::copy_in(page->window(), 0, &value, sizeof value);
}

void HostileBackend::serve() {
    constexpr unsigned kAll = 64;
    const std::size_t before = taken_.size();
    take(kAll);
    for (std::size_t i = before; i < taken_.size(); ++i) {
        give_data(taken_[i]);
        put_right(taken_[i], taken_[i].operation, BLKIF_RSP_OKAY);
    }
    taken_.resize(std::min(before, taken_.size()));
    push(0);
    if (queue().mapping)
        shared::store<std::uint32_t>(queue().mapping.window(), offsetof(blkif_sring_t, req_event),
                                     queue().req_cons + 1);
    (void)queue().channel.notify();
}

void HostileBackend::put(std::uint64_t id, std::uint8_t operation, std::int16_t status) {
    const auto at = slot(queue().rsp_prod);
    if (!at) return;
    ++queue().rsp_prod;
    blkif_response_t response;
    std::memset(&response, 0, sizeof response);
    response.id = id;
    response.operation = operation;
    response.status = status;
    shared::copy_in(queue().mapping.window(), *at, &response, sizeof response);
}

void HostileBackend::put_right(const blkif_request_t& request, std::uint8_t operation, std::int16_t status) {
    const RequestView view = read_request(std::as_bytes(std::span(&request, 1)), false);
    if (status == BLKIF_RSP_OKAY) ++said_well_[{view.writes(), view.sector}];
    put(request.id, operation, status);
}

void HostileBackend::put_any(std::uint64_t id, std::uint8_t operation, std::int16_t status) {
    const bool all_known = queue().req_cons == word(offsetof(blkif_sring_t, req_prod));
    const bool known = std::ranges::find(taken_, id, &blkif_request_t::id) != taken_.end();
    honest_ = false;
    // By chance it may be the answer to something.
    if (known || !all_known) garbled_ = true;
    put(id, operation, status);
}

void HostileBackend::push(int further) {
    if (further != 0) honest_ = false, garbled_ = true;
    publish_index(queue().mapping.window(), offsetof(blkif_sring_t, rsp_prod),
                  queue().rsp_prod + static_cast<std::uint32_t>(further));
}

void HostileBackend::answer(Input& input) {
    const std::uint8_t which = input.byte(), how = input.byte();
    std::optional<blkif_request_t> request;
    if (!taken_.empty()) {
        const auto found = taken_.begin() + which % taken_.size();
        request = *found;
        if ((how & 1U) == 0) taken_.erase(found);
    }
    std::uint64_t id = request ? request->id : 0;
    if ((how & 2U) != 0) id += any_number(input);
    const std::uint8_t operation = (how & 4U) != 0 ? input.byte() : request ? request->operation : 0;
    const auto status = static_cast<std::int16_t>((how & 8U) != 0 ? any_number(input) : BLKIF_RSP_OKAY);
    if (operation != (request ? request->operation : 0)) honest_ = false;
    // What is answered and kept may be answered again.
    if (request && id == request->id && (how & 1U) == 0) return put_right(*request, operation, status);
    put_any(id, operation, status);
}

void HostileBackend::answer_any(Input& input) {
    const std::uint64_t id = any_number(input);
    const std::uint8_t operation = input.byte();
    put_any(id, operation, static_cast<std::int16_t>(any_number(input)));
}

void HostileBackend::poke_slot(Input& input, bool late) {
    const auto at = slot(queue().rsp_prod - 1 + input.byte() % 8);
    const auto what = read_poke(input, 1, kSlot);
    honest_ = false;
    garbled_ = true;
    if (at && what) poke(queue().mapping.window(), *at, *what, late ? &world_.late : nullptr);
}

std::string HostileBackend::told_too_well() const {
    if (garbled_) return {};
    std::map<Extent, unsigned> told;
    for (const blk::BlkOp* op : world_.users.done_well()) {
        const bool write = op->kind != blk::BlkOp::Kind::read;
        const Extent extent{write, op->sector};
        const auto said = said_well_.find(extent);
        if (++told[extent] <= (said == said_well_.end() ? 0 : said->second)) continue;
        return "the users of sector " + std::to_string(op->sector) + " were told " + std::to_string(told[extent]) +
               " times that a " + (write ? "write" : "read") + " is done, and the backend has said so " +
               std::to_string(said == said_well_.end() ? 0 : said->second) + " times";
    }
    return {};
}

void HostileBackend::keep_page(Input& input) {
    const std::uint8_t which = input.byte(), segment = input.byte();
    if (taken_.empty() || kept_.size() == kKeptMax) return;
    const blkif_request_t& request = taken_[which % taken_.size()];
    GrantRef ref{request.seg[segment % BLKIF_MAX_SEGMENTS_PER_REQUEST].gref};
    if (request.operation == BLKIF_OP_INDIRECT) {
        blkif_request_indirect_t indirect;
        std::memcpy(&indirect, &request, sizeof indirect);
        ref = GrantRef{indirect.indirect_grefs[segment % BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST]};
    }
    auto page = world_.platform.grants().map(
        world_.frontend, {&ref, 1}, request.operation == BLKIF_OP_READ ? Access::read_write : Access::read_only);
    if (page) kept_.push_back(std::move(*page));
}

void HostileBackend::poke_page(Input& input) {
    const std::uint8_t which = input.byte();
    const std::size_t offset = input.byte() * std::size_t{8};
    const std::uint64_t value = any_number(input);
    if (kept_.empty()) return;
    const shared::Window& page = kept_[which % kept_.size()].window();
    if (page.lease().writable) shared::copy_in(page, offset, &value, sizeof value);
}

}  // namespace xenrig::fuzz
