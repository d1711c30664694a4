#include "sim/fuzz/hostile_frontend.h"

#include <algorithm>
#include <bit>

#include <xen/io/blkif.h>

#include "sim/fuzz/peer_values.h"
#include "xenrig/shared/door.h"
#include "xenrig/xenbus/nodes.h"

namespace xenrig::fuzz {

namespace {

/// What the pages are granted for. The third may be an indirect page; the last is granted to a stranger.
constexpr std::size_t kReadOnlyPage = 4, kStrangersPage = 5;

}  // namespace

HostileFrontend::HostileFrontend(World world, const FrontendSetting& setting)
    : world_(std::move(world)),
      setting_(setting),
      path_("device/vbd/" + std::to_string(setting.device)),
      backend_path_("/local/domain/" + std::to_string(world_.backend.value) + "/backend/vbd/" +
                    std::to_string(world_.domain.value) + '/' + std::to_string(setting.device) + '/') {}

std::optional<HostileFrontend::Page> HostileFrontend::make_page(bool strangers, bool read_only) {
    auto frame = world_.platform.memory().allocate();
    if (!frame) return std::nullopt;
    auto grant = world_.platform.grants().grant(strangers ? world_.stranger : world_.backend, (*frame)->gfn(),
                                                read_only ? Access::read_only : Access::read_write);
    if (!grant) return std::nullopt;
    return Page{*frame, std::move(*grant), world_.platform.memory().window((*frame)->gfn()), strangers, read_only};
}

HostileFrontend::Ring HostileFrontend::make_ring(unsigned order) {
    Ring made;
    std::vector<Gfn> frames;
    for (unsigned i = 0; i < 1u << order; ++i) {
        auto page = make_page(false, false);
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

std::string HostileFrontend::backend_node(const std::string& name) {
    return world_.platform.store().read(StoreTx::none, backend_path_ + name).value_or("");
}

std::uint32_t HostileFrontend::backend_number(const std::string& name) {
    return xenbus::read_number_or<std::uint32_t>(world_.platform.store(), backend_path_ + name, 0);
}

/// What a backend has not offered, an honest frontend does not ask for.
void HostileFrontend::stay_within_offer() {
    setting_.page_order = std::min(setting_.page_order, backend_number("max-ring-page-order"));
    setting_.queues = std::clamp(backend_number("multi-queue-max-queues"), 1u, setting_.queues);
    setting_.persistent = setting_.persistent && backend_number("feature-persistent") != 0;
    if (setting_.disk) setting_.disk->indirect_segments_max = backend_number("feature-max-indirect-segments");
}

void HostileFrontend::publish_queue(std::size_t queue) {
    const std::string below = rings_.size() == 1 ? "" : "queue-" + std::to_string(queue) + "/";
    const Ring& r = rings_[queue];
    for (std::size_t i = 0; i < r.pages.size(); ++i)
        write(below + "ring-ref" + (setting_.page_order == 0 ? "" : std::to_string(i)),
              std::to_string(r.pages[i].grant.ref().value));
    write(below + "event-channel", std::to_string(r.channel.port().value));
}

void HostileFrontend::publish() {
    pages_max_ = std::max(pages_max_, std::size_t{1} << setting_.page_order);
    queues_max_ = std::max(queues_max_, rings_.size());
    persistent_once_ = persistent_once_ || setting_.persistent;
    for (std::size_t q = 0; q < rings_.size(); ++q) publish_queue(q);
    if (setting_.page_order != 0) write("ring-page-order", std::to_string(setting_.page_order));
    if (rings_.size() > 1) write("multi-queue-num-queues", std::to_string(rings_.size()));
    write("protocol", setting_.x86_32 ? "x86_32-abi" : "x86_64-abi");
    if (setting_.persistent) write("feature-persistent", "1");
    if (setting_.large_sectors) write("feature-large-sector-size", "1");
}

void HostileFrontend::connect_ring() {
    make_rings();
    publish();
    write("state", "3");
    world_.settle();
    write("state", "4");
}

void HostileFrontend::connect() {
    for (std::size_t i = 0; i < kPages; ++i) pages_[i] = make_page(i == kStrangersPage, i == kReadOnlyPage);
    stay_within_offer();
    connect_ring();
    world_.settle();
    if (setting_.x86_32 && backend_node("state") != "4") {
        // There is no offer of layouts: who does not know this one, says so.
        setting_.x86_32 = false;
        reconnect();
        world_.settle();
    }
    for (Ring& r : rings_) r.book.begin();
}

void HostileFrontend::reconnect() {
    write("state", "6");
    world_.settle();
    write("state", "1");
    world_.settle();
    connect_ring();
}

void HostileFrontend::lie() {
    for (Ring& r : rings_) r.book.lie();
}

std::uint32_t HostileFrontend::slots(const Ring& r) const {
    const std::size_t room = r.window.size();
    return room <= kRingHeader ? 0 : static_cast<std::uint32_t>(std::bit_floor((room - kRingHeader) / slot_bytes()));
}

/// Where in the ring's window an index lies; none when there is no ring.
std::optional<std::size_t> HostileFrontend::slot(std::uint32_t index) {
    const std::uint32_t n = slots(ring());
    if (n == 0) return std::nullopt;
    return kRingHeader + slot_bytes() * (index % n);
}

void HostileFrontend::put(const std::vector<std::byte>& bytes) {
    Ring& r = ring();
    const auto at = slot(r.req_prod);
    if (!at) return;
    // Over a response that it has not looked at.
    if (r.req_prod - r.rsp_cons >= slots(r)) r.book.lie();
    const RequestView view = read_request(bytes, setting_.x86_32);
    if (may_reach_ring(view)) {
        lie();
        store_ring_read_over_ = true;
    }
    if (r.book.honest()) r.book.asked(view, nonsense_of(view));
    ++r.req_prod;
    shared::copy_in(r.window, *at, bytes.data(), bytes.size());
}

void HostileFrontend::push(int further) {
    if (further != 0) ring().book.lie();
    publish_index(ring().window, offsetof(blkif_sring_t, req_prod),
                  ring().req_prod + static_cast<std::uint32_t>(further));
}

void HostileFrontend::poke_slot(Input& input, bool late) {
    const auto at = slot(ring().req_prod - 1 - input.byte() % 32);
    const auto what = read_poke(input, 1, slot_bytes());
    ring().book.lie();
    if (at && what) poke(ring().window, *at, *what, late ? &world_.late : nullptr);
}

void HostileFrontend::poke_page(Input& input, bool late) {
    const auto& page = pages_[input.byte() % kPages];
    const auto what = read_poke(input, 4, kPageSize);
    if (page && what) poke(page->window, 0, *what, late ? &world_.late : nullptr);
}

void HostileFrontend::end_grant(Input& input) {
    const std::uint8_t which = input.byte();
    for (Ring& r : rings_) r.book.grants_changed();
    if (which < kPages) return pages_[which].reset();
    if (ring().pages.empty()) return;
    ring().book.lie();
    ring().pages[which % ring().pages.size()].grant.reset();
}

void HostileFrontend::regrant(Input& input) {
    auto& page = pages_[input.byte() % kPages];
    const std::uint8_t how = input.byte();
    for (Ring& r : rings_) r.book.grants_changed();
    page.reset();
    page = make_page((how & 1U) != 0, (how & 2U) != 0);
}

/// What is wrong with it, the world hears; it goes into the hash, so that runs can be compared.
void HostileFrontend::take_answer(Ring& r, std::size_t at) {
    shared::new_decision();
    const auto response = shared::fetch<blkif_response_t>(r.window, at);
    hash_.add(response.id);
    hash_.add(static_cast<std::uint64_t>(response.status));
    if (std::string wrong = r.book.answered(response.id, response.operation, response.status); !wrong.empty())
        world_.broken("answers", std::move(wrong));
}

void HostileFrontend::count_answers() {
    for (Ring& r : rings_) {
        const std::uint32_t n = slots(r);
        if (n == 0) continue;
        const std::uint32_t prod =
            shared::load<std::uint32_t>(r.window, offsetof(blkif_sring_t, rsp_prod), shared::Fetch::poll);
        shared::rmb();
        hash_.add(prod - r.rsp_cons);
        if (r.book.honest() && prod - r.rsp_cons > r.book.unanswered())
            world_.broken("answers", "the backend gives " + std::to_string(prod - r.rsp_cons) + " answers to " +
                                         std::to_string(r.book.unanswered()) + " requests");
        else if (r.book.honest())
            for (; r.rsp_cons != prod; ++r.rsp_cons) take_answer(r, kRingHeader + slot_bytes() * (r.rsp_cons % n));
        r.rsp_cons = prod;
        shared::store<std::uint32_t>(r.window, offsetof(blkif_sring_t, rsp_event), prod + 1);
    }
}

void HostileFrontend::finish() {
    bool asked = false;
    for (Ring& r : rings_) {
        if (!r.book.honest() || r.book.unanswered() == 0) continue;
        publish_index(r.window, offsetof(blkif_sring_t, req_prod), r.req_prod);
        (void)r.channel.notify();
        asked = true;
    }
    if (asked) world_.settle();
    count_answers();
    if (!asked || world_.peek(backend_path_ + "state") != "4") return;
    for (const Ring& r : rings_)
        if (r.book.honest() && r.book.unanswered() != 0)
            world_.broken("answers", "the backend is connected, and " + std::to_string(r.book.unanswered()) +
                                         " requests have no answer");
}

}  // namespace xenrig::fuzz
