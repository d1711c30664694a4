#include "sim/fuzz/hostile_backend.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>

#include "sim/fuzz/peer_values.h"
#include "xenrig/shared/door.h"

namespace xenrig::fuzz {

namespace {

constexpr std::size_t kTakenMax = 256, kKeptMax = 64;

constexpr std::array kNodes = {"state",
                               "sectors",
                               "sector-size",
                               "physical-sector-size",
                               "info",
                               "feature-barrier",
                               "feature-flush-cache",
                               "feature-discard",
                               "discard-granularity",
                               "discard-alignment",
                               "discard-secure",
                               "feature-persistent",
                               "feature-max-indirect-segments",
                               "max-ring-page-order",
                               "max-ring-pages",
                               "multi-queue-max-queues",
                               "online",
                               "frontend",
                               "frontend-id"};

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
        write("feature-max-indirect-segments", "32");
    }
    if (setting_.persistent) write("feature-persistent", "1");
    if (setting_.page_order != 0) write("max-ring-page-order", std::to_string(setting_.page_order));
    if (setting_.queues > 1) write("multi-queue-max-queues", std::to_string(setting_.queues));
    write("state", "2");
}

void HostileBackend::properties() {
    write("sectors", std::to_string(kSectors));
    write("sector-size", "512");
    write("physical-sector-size", "512");
    write("info", "0");
}

void HostileBackend::connect() {
    offer();
    world_.settle();
    join();
    properties();
    write("state", "4");
    world_.settle();
}

std::optional<std::uint32_t> HostileBackend::frontend_number(const std::string& node) {
    const auto text = world_.platform.store().read(StoreTx::none, frontend_path_ + '/' + node);
    std::uint32_t value = 0;
    if (!text || std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc{}) return {};
    return value;
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

std::optional<std::size_t> HostileBackend::slot(std::uint32_t index) {
    if (!queue().mapping) return std::nullopt;
    const std::size_t n = std::bit_floor((queue().mapping.window().size() - kHeader) / kSlot);
    return kHeader + kSlot * (index % n);
}

std::uint32_t HostileBackend::word(std::size_t offset) {
    if (!queue().mapping) return 0;
    return shared::load<std::uint32_t>(queue().mapping.window(), offset, shared::Fetch::poll);
}

void HostileBackend::take(unsigned most) {
    const std::uint32_t prod = word(offsetof(blkif_sring_t, req_prod));
    shared::rmb();
    for (; most != 0 && queue().req_cons != prod && taken_.size() < kTakenMax; --most) {
        const auto at = slot(queue().req_cons);
        if (!at) return;
        shared::new_decision();
        taken_.push_back(shared::fetch<blkif_request_t>(queue().mapping.window(), *at));
        ++queue().req_cons;
        hash_.add(taken_.back().id);
    }
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
        put(taken_[i].id, taken_[i].operation, BLKIF_RSP_OKAY);
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

void HostileBackend::push(int further) {
    if (!queue().mapping) return;
    shared::wmb();
    shared::store<std::uint32_t>(queue().mapping.window(), offsetof(blkif_sring_t, rsp_prod),
                                 queue().rsp_prod + static_cast<std::uint32_t>(further));
}

void HostileBackend::answer(Input& input) {
    const std::uint8_t which = input.byte(), how = input.byte();
    std::uint64_t id = 0;
    std::uint8_t operation = 0;
    if (!taken_.empty()) {
        const auto request = taken_.begin() + which % taken_.size();
        id = request->id;
        operation = request->operation;
        if ((how & 1U) == 0) taken_.erase(request);
    }
    if ((how & 2U) != 0) id += any_number(input);
    if ((how & 4U) != 0) operation = input.byte();
    const auto status = static_cast<std::int16_t>((how & 8U) != 0 ? any_number(input) : BLKIF_RSP_OKAY);
    put(id, operation, status);
}

void HostileBackend::poke_slot(Input& input, bool late) {
    const auto at = slot(queue().rsp_prod - 1 + input.byte() % 8);
    const std::size_t offset = input.byte() % kSlot;
    const unsigned width = 1u << (input.byte() & 3U);
    const std::uint64_t value = any_number(input);
    if (!at || offset + width > kSlot) return;
    if (late) return world_.late.add(queue().mapping.window(), *at + offset, value, width);
    shared::copy_in(queue().mapping.window(), *at + offset, &value, width);
}

void HostileBackend::poke_index(Input& input) {
    const std::uint8_t which = input.byte();
    const std::size_t at = (which & 3U) * sizeof(std::uint32_t);
    std::uint32_t value = 0;
    if ((which & 4U) != 0) {
        value = static_cast<std::uint32_t>(any_number(input));
    } else {
        value = word(at);
        value += static_cast<std::uint32_t>(static_cast<std::int8_t>(input.byte()));
    }
    if (queue().mapping) shared::store<std::uint32_t>(queue().mapping.window(), at, value);
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

void HostileBackend::user(Input& input) {
    constexpr unsigned kKinds = 5, kSegmentsMax = 40;
    UserWish wish{.device = setting_.device};
    wish.kind = static_cast<blk::BlkOp::Kind>(input.byte() % kKinds);
    wish.sector = any_number(input);
    const std::uint8_t size = input.byte();
    if (wish.kind == blk::BlkOp::Kind::discard) {
        wish.units = size;
        wish.segments = 0;
    } else if (wish.kind == blk::BlkOp::Kind::flush) {
        wish.segments = 0;
    } else {
        wish.segments = 1u + size % kSegmentsMax;
        wish.last = (size & 0x80U) != 0 ? 0 : 7;
    }
    world_.users.ask(wish);
}

void HostileBackend::act(Input& input) {
    switch (static_cast<Act>(input.byte() % static_cast<unsigned>(Act::count))) {
        case Act::user:
            return user(input);
        case Act::serve:
            return serve();
        case Act::take:
            return take(1u + (input.byte() & 31U));
        case Act::answer:
            return answer(input);
        case Act::answer_any: {
            const std::uint64_t id = any_number(input);
            const std::uint8_t operation = input.byte();
            return put(id, operation, static_cast<std::int16_t>(any_number(input)));
        }
        case Act::push:
            return push(static_cast<std::int8_t>(input.byte()));
        case Act::push_and_notify:
            push(0);
            return (void)queue().channel.notify();
        case Act::notify:
            return (void)queue().channel.notify();
        case Act::poke_slot:
            return poke_slot(input, false);
        case Act::poke_index:
            return poke_index(input);
        case Act::late_slot:
            return poke_slot(input, true);
        case Act::keep_page:
            return keep_page(input);
        case Act::poke_page:
            return poke_page(input);
        case Act::let_go:
            return kept_.clear();
        case Act::leave:
            world_.late.clear();
            queues_.clear();
            queues_.resize(1);
            return;
        case Act::join:
            return join();
        case Act::close_port:
            return queue().channel.close();
        case Act::write_node: {
            const std::string node = kNodes[input.byte() % kNodes.size()];
            return write(node, any_text(input));
        }
        case Act::remove_node: {
            const std::string node = kNodes[input.byte() % kNodes.size()];
            return (void)world_.platform.store().rm(StoreTx::none, path_ + '/' + node);
        }
        case Act::state:
            return write("state", any_text(input));
        case Act::handshake: {
            const std::uint8_t how = input.byte();
            setting_.page_order = how % 5;
            setting_.queues = 1 + (how / 5) % 4;
            setting_.persistent = (how & 0x80U) != 0;
            setting_.features = (how & 0x40U) != 0;
            return offer();
        }
        case Act::replug:
            world_.late.clear();
            queues_.clear();
            queues_.resize(1);
            taken_.clear();
            return world_.replug(setting_.device);
        case Act::connect:
            return connect();
        case Act::detach:
            return world_.detach(setting_.device);
        case Act::select_queue:
            queue_ = input.byte();
            return;
        case Act::step_aside:
            for (unsigned n = 1 + (input.byte() & 15U); n != 0; --n) world_.step_aside();
            return;
        case Act::settle:
            return world_.settle();
        case Act::storm:
            for (unsigned n = input.byte() & 63U; n != 0; --n) {
                (void)queue().channel.notify();
                world_.step_aside();
            }
            return;
        case Act::count:
            return;
    }
}

}  // namespace xenrig::fuzz
