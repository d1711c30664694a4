#include "sim/fuzz/hostile_frontend.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include <xen/io/blkif.h>

#include "sim/fuzz/peer_values.h"
#include "xenrig/shared/door.h"

namespace xenrig::fuzz {

namespace {

/// What the pages are granted for. The third may be an indirect page; the last is granted to a stranger.
constexpr std::size_t kReadOnlyPage = 4, kStrangersPage = 5;

constexpr std::array kNodes = {"ring-ref",
                               "event-channel",
                               "protocol",
                               "state",
                               "ring-ref0",
                               "ring-page-order",
                               "num-ring-pages",
                               "multi-queue-num-queues",
                               "ring-ref1",
                               "feature-persistent",
                               "device-type",
                               "queue-0/ring-ref",
                               "queue-1/ring-ref",
                               "queue-0/event-channel",
                               "queue-1/event-channel",
                               "backend"};

template <class T>
void store_field(std::vector<std::byte>& bytes, std::size_t at, T value) {
    if (at + sizeof value <= bytes.size()) std::memcpy(bytes.data() + at, &value, sizeof value);
}

}  // namespace

HostileFrontend::HostileFrontend(World world, const FrontendSetting& setting)
    : world_(std::move(world)), setting_(setting), path_("device/vbd/" + std::to_string(setting.device)) {}

std::optional<HostileFrontend::Page> HostileFrontend::make_page(DomId peer, Access access) {
    auto frame = world_.platform.memory().allocate();
    if (!frame) return std::nullopt;
    auto grant = world_.platform.grants().grant(peer, (*frame)->gfn(), access);
    if (!grant) return std::nullopt;
    return Page{*frame, std::move(*grant), world_.platform.memory().window((*frame)->gfn())};
}

HostileFrontend::Ring HostileFrontend::make_ring(unsigned order) {
    Ring made;
    std::vector<Gfn> frames;
    for (unsigned i = 0; i < 1u << order; ++i) {
        auto page = make_page(world_.backend, Access::read_write);
        if (!page) break;
        frames.push_back(page->frame->gfn());
        made.pages.push_back(std::move(*page));
    }
    if (!frames.empty()) {
        made.window = world_.platform.memory().window(frames);
        shared::store<std::uint32_t>(made.window, offsetof(blkif_sring_t, req_event), 1);
        shared::store<std::uint32_t>(made.window, offsetof(blkif_sring_t, rsp_event), 1);
    }
    if (auto channel = world_.platform.events().alloc_unbound(world_.backend, [] {}))
        made.channel = std::move(*channel);
    return made;
}

void HostileFrontend::make_rings() {
    world_.late.clear();
    rings_.clear();
    for (unsigned q = 0; q < std::max(1u, setting_.queues); ++q) rings_.push_back(make_ring(setting_.page_order));
}

void HostileFrontend::write(const std::string& node, const std::string& value) {
    (void)world_.platform.store().write(StoreTx::none, path_ + '/' + node, value);
}

void HostileFrontend::publish() {
    const unsigned pages = 1u << setting_.page_order;
    pages_max_ = std::max(pages_max_, std::size_t{pages});
    queues_max_ = std::max(queues_max_, rings_.size());
    persistent_once_ = persistent_once_ || setting_.persistent;
    for (std::size_t q = 0; q < rings_.size(); ++q) {
        const std::string below = rings_.size() == 1 ? "" : "queue-" + std::to_string(q) + "/";
        const Ring& r = rings_[q];
        for (std::size_t i = 0; i < r.pages.size(); ++i)
            write(below + "ring-ref" + (pages == 1 ? "" : std::to_string(i)),
                  std::to_string(r.pages[i].grant.ref().value));
        write(below + "event-channel", std::to_string(r.channel.port().value));
    }
    if (pages > 1) write("ring-page-order", std::to_string(setting_.page_order));
    if (rings_.size() > 1) write("multi-queue-num-queues", std::to_string(rings_.size()));
    write("protocol", setting_.x86_32 ? "x86_32-abi" : "x86_64-abi");
    if (setting_.persistent) write("feature-persistent", "1");
}

void HostileFrontend::connect() {
    for (std::size_t i = 0; i < kPages; ++i) {
        pages_[i] = make_page(i == kStrangersPage ? world_.stranger : world_.backend,
                              i == kReadOnlyPage ? Access::read_only : Access::read_write);
    }
    make_rings();
    publish();
    write("state", "3");
    world_.settle();
    write("state", "4");
    world_.settle();
}

void HostileFrontend::reconnect() {
    write("state", "6");
    world_.settle();
    write("state", "1");
    world_.settle();
    make_rings();
    publish();
    write("state", "3");
    world_.settle();
    write("state", "4");
}

std::uint32_t HostileFrontend::slots(const Ring& r) const {
    const std::size_t room = r.window.size();
    return room <= kHeader ? 0 : static_cast<std::uint32_t>(std::bit_floor((room - kHeader) / slot_bytes()));
}

/// Where in the ring's window an index lies; none when there is no ring.
std::optional<std::size_t> HostileFrontend::slot(std::uint32_t index) {
    const std::uint32_t n = slots(ring());
    if (n == 0) return std::nullopt;
    return kHeader + slot_bytes() * (index % n);
}

std::uint32_t HostileFrontend::gref(Input& input) {
    const std::uint8_t which = input.byte();
    if (which < kPages) return pages_[which] ? pages_[which]->grant.ref().value : 0;
    if (which == kPages) return ring().pages.empty() ? 0 : ring().pages[0].grant.ref().value;
    if (which == kPages + 1) return 0xffffffff;
    return static_cast<std::uint32_t>(which - kPages - 2);
}

/// Well formed as long as the input's numbers are: operation, sector, segments.
std::vector<std::byte> HostileFrontend::request(Input& input) {
    std::vector<std::byte> bytes(slot_bytes());
    const bool native = !setting_.x86_32;
    const std::size_t id_at = native ? 8 : 4, sector_at = native ? 16 : 12, segments_at = native ? 24 : 20;
    const std::uint8_t operation = input.byte();
    store_field(bytes, 0, operation);
    store_field(bytes, id_at, next_id_++);
    store_field(bytes, sector_at, any_number(input));
    if (operation == BLKIF_OP_DISCARD) {
        store_field(bytes, 1, input.byte());
        store_field(bytes, segments_at, any_number(input));
        return bytes;
    }
    if (operation == BLKIF_OP_INDIRECT) {
        store_field(bytes, 1, input.byte());
        store_field(bytes, 2, static_cast<std::uint16_t>(any_number(input)));
        const std::size_t pages = std::min(1u + input.byte(), 8u);
        for (std::size_t i = 0; i < pages; ++i) store_field(bytes, segments_at + 4 + 4 * i, gref(input));
        return bytes;
    }
    const std::uint8_t segments = input.byte();
    store_field(bytes, 1, segments);
    for (std::size_t i = 0; i < std::min<std::size_t>(segments, 11); ++i) {
        const std::size_t at = segments_at + 8 * i;
        store_field(bytes, at, gref(input));
        const std::uint8_t range = input.byte();
        store_field(bytes, at + 4, static_cast<std::uint8_t>(range & 15));
        store_field(bytes, at + 5, static_cast<std::uint8_t>(range >> 4));
    }
    return bytes;
}

void HostileFrontend::put(const std::vector<std::byte>& bytes) {
    const auto at = slot(ring().req_prod);
    if (!at) return;
    ++ring().req_prod;
    shared::copy_in(ring().window, *at, bytes.data(), bytes.size());
}

void HostileFrontend::push(int further) {
    if (!ring().window) return;
    shared::wmb();
    shared::store<std::uint32_t>(ring().window, offsetof(blkif_sring_t, req_prod),
                                 ring().req_prod + static_cast<std::uint32_t>(further));
}

void HostileFrontend::poke_slot(Input& input, bool late) {
    const auto at = slot(ring().req_prod - 1 - input.byte() % 32);
    const std::size_t offset = input.byte() % slot_bytes();
    const unsigned width = 1u << (input.byte() & 3U);
    const std::uint64_t value = any_number(input);
    if (!at || offset + width > slot_bytes()) return;
    if (late) return world_.late.add(ring().window, *at + offset, value, width);
    shared::copy_in(ring().window, *at + offset, &value, width);
}

void HostileFrontend::poke_page(Input& input, bool late) {
    const auto& page = pages_[input.byte() % kPages];
    const std::size_t offset = input.byte() * std::size_t{4};
    const unsigned width = 1u << (input.byte() & 3U);
    const std::uint64_t value = any_number(input);
    if (!page) return;
    if (late) return world_.late.add(page->window, offset, value, width);
    shared::copy_in(page->window, offset, &value, width);
}

void HostileFrontend::poke_index(Input& input) {
    const std::uint8_t which = input.byte();
    const std::size_t at = (which & 3U) * sizeof(std::uint32_t);
    if (!ring().window) return (void)any_number(input);
    std::uint32_t value = 0;
    if ((which & 4U) != 0) {
        value = static_cast<std::uint32_t>(any_number(input));
    } else {
        value = shared::load<std::uint32_t>(ring().window, at, shared::Fetch::poll);
        value += static_cast<std::uint32_t>(static_cast<std::int8_t>(input.byte()));
    }
    shared::store<std::uint32_t>(ring().window, at, value);
}

std::string HostileFrontend::node_name(Input& input) { return kNodes[input.byte() % kNodes.size()]; }

void HostileFrontend::write_node(Input& input) {
    const std::string name = node_name(input);
    nodes_garbled_ = nodes_garbled_ || name.find("ring-p") != name.npos || name.find("num") != name.npos;
    persistent_once_ = persistent_once_ || name == "feature-persistent";
    write(name, any_text(input));
}

void HostileFrontend::regrant(Input& input) {
    const std::uint8_t which = input.byte();
    auto& page = pages_[which % kPages];
    page.reset();
    const std::uint8_t how = input.byte();
    page = make_page((how & 1U) != 0 ? world_.stranger : world_.backend,
                     (how & 2U) != 0 ? Access::read_only : Access::read_write);
}

/// What came back goes into the hash, so that runs can be compared.
void HostileFrontend::count_answers() {
    for (Ring& r : rings_) {
        if (!r.window) continue;
        const std::uint32_t prod =
            shared::load<std::uint32_t>(r.window, offsetof(blkif_sring_t, rsp_prod), shared::Fetch::poll);
        hash_.add(prod - r.rsp_cons);
        r.rsp_cons = prod;
        shared::store<std::uint32_t>(r.window, offsetof(blkif_sring_t, rsp_event), prod + 1);
    }
}

void HostileFrontend::act(Input& input) {
    switch (static_cast<Act>(input.byte() % static_cast<unsigned>(Act::count))) {
        case Act::request:
            return put(request(input));
        case Act::push:
            return push(static_cast<std::int8_t>(input.byte()));
        case Act::push_and_notify:
            push(0);
            return (void)ring().channel.notify();
        case Act::notify:
            return (void)ring().channel.notify();
        case Act::poke_slot:
            return poke_slot(input, false);
        case Act::poke_index:
            return poke_index(input);
        case Act::poke_page:
            return poke_page(input, false);
        case Act::late_slot:
            return poke_slot(input, true);
        case Act::late_page:
            return poke_page(input, true);
        case Act::take_answers:
            return count_answers();
        case Act::write_node:
            return write_node(input);
        case Act::remove_node: {
            const std::string name = node_name(input);
            return (void)world_.platform.store().rm(StoreTx::none, path_ + '/' + name);
        }
        case Act::state:
            return write("state", any_text(input));
        case Act::end_grant: {
            const std::uint8_t which = input.byte();
            if (which < kPages) return pages_[which].reset();
            if (ring().pages.empty()) return;
            return ring().pages[which % ring().pages.size()].grant.reset();
        }
        case Act::regrant:
            return regrant(input);
        case Act::close_port:
            return ring().channel.close();
        case Act::new_port:
            if (auto made = world_.platform.events().alloc_unbound(world_.backend, [] {}))
                ring().channel = std::move(*made);
            return;
        case Act::new_ring:
            return make_rings();
        case Act::publish:
            return publish();
        case Act::reconnect:
            return reconnect();
        case Act::map: {
            const GrantRef ref{gref(input)};
            auto mapped = world_.platform.grants().map(world_.backend, {&ref, 1}, Access::read_write);
            if (mapped) stolen_.push_back(std::move(*mapped));
            return;
        }
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
                (void)ring().channel.notify();
                world_.step_aside();
            }
            return;
        case Act::many: {
            const unsigned n = input.byte() & 63U;
            const std::vector<std::byte> bytes = request(input);
            for (unsigned i = 0; i < n; ++i) put(bytes);
            push(0);
            return (void)ring().channel.notify();
        }
        case Act::detach:
            return world_.detach(setting_.device);
        case Act::handshake: {
            const std::uint8_t how = input.byte();
            setting_.page_order = how % 5;
            setting_.queues = 1 + (how / 5) % 4;
            setting_.persistent = (how & 0x80U) != 0;
            setting_.x86_32 = (how & 0x40U) != 0;
            return reconnect();
        }
        case Act::count:
            return;
    }
}

}  // namespace xenrig::fuzz
