#include "sim/protocols/blk/raw_backend.h"

#include <algorithm>
#include <charconv>

#include "xenrig/abi/check.h"
#include "xenrig/shared/door.h"

namespace xenrig::blk {

namespace {

constexpr std::size_t kSector = 512;

Result<std::uint32_t> number(const std::optional<std::string>& text, const char* node) {
    std::uint32_t value = 0;
    if (!text) return fail(Errno::noent, std::string("the frontend has published no ") + node);
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc{} || end != text->data() + text->size())
        return fail(Errno::inval, std::string(node) + " is '" + *text + "'");
    return value;
}

/// Bytes of a segment; an error where it is none.
Result<std::size_t> length_of(const blkif_request_segment& s) {
    if (s.first_sect > s.last_sect || s.last_sect >= kPageSize / kSector)
        return fail(Errno::inval, "a segment outside its page");
    return (s.last_sect - s.first_sect + 1u) * kSector;
}

}  // namespace

unsigned sectors_of(const blkif_request_t& request) {
    unsigned n = 0;
    for (unsigned i = 0; i < request.nr_segments; ++i) n += request.seg[i].last_sect - request.seg[i].first_sect + 1u;
    return n;
}

RawBackend::RawBackend(Platform& platform, DomId frontend, unsigned device)
    : platform_(platform),
      frontend_(frontend),
      path_("backend/vbd/" + std::to_string(frontend.value) + '/' + std::to_string(device)),
      frontend_path_("/local/domain/" + std::to_string(frontend.value) + "/device/vbd/" + std::to_string(device)) {}

void RawBackend::write(const std::string& name, const std::string& value) {
    check(platform_.store().write(StoreTx::none, path_ + '/' + name, value).has_value(),
          "a backend may write to its own directory");
}

void RawBackend::remove(const std::string& name) { (void)platform_.store().rm(StoreTx::none, path_ + '/' + name); }

std::optional<std::string> RawBackend::frontend_node(const std::string& name) {
    auto value = platform_.store().read(StoreTx::none, frontend_path_ + '/' + name);
    return value ? std::optional(*std::move(value)) : std::nullopt;
}

void RawBackend::write_properties(std::uint64_t sectors, unsigned info) {
    write("sectors", std::to_string(sectors));
    write("sector-size", "512");
    write("physical-sector-size", "512");
    write("info", std::to_string(info));
}

Result<> RawBackend::join(const std::string& below) {
    std::vector<GrantRef> refs;
    const auto order =
        frontend_node("ring-page-order") ? number(frontend_node("ring-page-order"), "ring-page-order") : 0;
    if (!order) return std::unexpected(order.error());
    if (*order > 4) return fail(Errno::inval, "the frontend's ring-page-order is " + std::to_string(*order));
    for (unsigned i = 0; i < 1u << *order; ++i) {
        const std::string name = below + "ring-ref" + (*order == 0 ? "" : std::to_string(i));
        const auto ref = number(frontend_node(name), name.c_str());
        if (!ref) return std::unexpected(ref.error());
        refs.emplace_back(*ref);
    }
    const auto port = number(frontend_node(below + "event-channel"), "event-channel");
    if (!port) return std::unexpected(port.error());
    auto mapping = platform_.grants().map(frontend_, refs, Access::read_write);
    if (!mapping) return std::unexpected(mapping.error());
    auto channel = platform_.events().bind_interdomain(frontend_, Port{*port}, [events = events_] { ++*events; });
    if (!channel) return std::unexpected(channel.error());
    mapping_ = std::move(*mapping);
    ring_ = RawRing(mapping_.window());
    channel_ = std::move(*channel);
    req_cons_ = rsp_prod_ = rsp_pushed_ = 0;
    return {};
}

void RawBackend::leave() {
    channel_.close();
    ring_ = {};
    mapping_.reset();
}

std::optional<blkif_request_t> RawBackend::take() {
    if (ring_.load(RawRing::Word::req_prod) == req_cons_) return std::nullopt;
    shared::rmb();
    return ring_.request(req_cons_++);
}

std::vector<blkif_request_t> RawBackend::take_all() {
    std::vector<blkif_request_t> all;
    // A frontend that claims more than the ring holds must not keep the script for ever.
    while (all.size() < 4 * ring_.size()) {
        const auto request = take();
        if (!request) break;
        all.push_back(*request);
    }
    return all;
}

void RawBackend::put(const blkif_response_t& response) { ring_.put(rsp_prod_++, response); }

void RawBackend::answer(const blkif_request_t& request, std::int16_t status) {
    auto response = blank_response();
    response.id = request.id;
    response.operation = request.operation;
    response.status = status;
    put(response);
}

void RawBackend::push() {
    shared::wmb();
    ring_.store(RawRing::Word::rsp_prod, rsp_prod_);
    rsp_pushed_ = rsp_prod_;
}

bool RawBackend::push_and_notify() {
    const std::uint32_t old = rsp_pushed_;
    push();
    shared::mb();
    const std::uint32_t event = ring_.load(RawRing::Word::rsp_event);
    const bool due = rsp_prod_ - event < rsp_prod_ - old;
    if (due) notify();
    return due;
}

void RawBackend::notify() { (void)channel_.notify(); }

void RawBackend::ask_for_event(std::uint32_t ahead) {
    ring_.store(RawRing::Word::req_event, req_cons_ + ahead);
    shared::mb();
}

/// The script may do what is wrong; a subject that asks for what is outside its page is told so.
static Result<std::vector<blkif_request_segment>> inside_pages(std::vector<blkif_request_segment> segments) {
    for (const auto& s : segments)
        if (s.first_sect > s.last_sect || s.last_sect >= kPageSize / kSector)
            return fail(Errno::inval,
                        "a segment from " + std::to_string(s.first_sect) + " to " + std::to_string(s.last_sect));
    return segments;
}

Result<std::vector<blkif_request_segment>> RawBackend::segments(const blkif_request_t& request) {
    if (request.operation == BLKIF_OP_DISCARD) return {};
    if (request.operation != BLKIF_OP_INDIRECT) {
        const unsigned count = std::min<unsigned>(request.nr_segments, BLKIF_MAX_SEGMENTS_PER_REQUEST);
        return inside_pages({request.seg, request.seg + count});
    }
    constexpr std::size_t kPerTable = kPageSize / sizeof(blkif_request_segment);
    const auto indirect = as_indirect(request);
    std::vector<blkif_request_segment> all(
        std::min<std::size_t>(indirect.nr_segments, kPerTable * BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST));
    for (std::size_t at = 0; at < all.size(); at += kPerTable) {
        const GrantRef ref{indirect.indirect_grefs[at / kPerTable]};
        const auto page = platform_.grants().map(frontend_, std::span(&ref, 1), Access::read_only);
        if (!page) return std::unexpected(page.error());
        shared::new_decision();
        shared::copy_out(page->window(), 0, &all[at], std::min(kPerTable, all.size() - at) * sizeof all[0]);
    }
    return inside_pages(std::move(all));
}

Result<> RawBackend::to_pages(const blkif_request_t& request, std::span<const std::byte> data) {
    const auto list = segments(request);
    if (!list) return std::unexpected(list.error());
    for (const auto& segment : *list) {
        const auto length = length_of(segment);
        if (!length) return std::unexpected(length.error());
        const GrantRef ref{segment.gref};
        const auto page = platform_.grants().map(frontend_, std::span(&ref, 1), Access::read_write);
        if (!page) return std::unexpected(page.error());
        shared::copy_in(page->window(), segment.first_sect * kSector, data.data(), *length);
        data = data.subspan(*length);
    }
    return {};
}

Result<std::vector<std::byte>> RawBackend::from_pages(const blkif_request_t& request) {
    const auto list = segments(request);
    if (!list) return std::unexpected(list.error());
    std::vector<std::byte> all;
    for (const auto& segment : *list) {
        const auto length = length_of(segment);
        if (!length) return std::unexpected(length.error());
        const GrantRef ref{segment.gref};
        const auto page = platform_.grants().map(frontend_, std::span(&ref, 1), Access::read_only);
        if (!page) return std::unexpected(page.error());
        shared::new_decision();
        all.resize(all.size() + *length);
        shared::copy_out(page->window(), segment.first_sect * kSector, &all[all.size() - *length], *length);
    }
    return all;
}

Result<> RawBackend::read_into(const blkif_request_t& request) {
    const auto list = segments(request);
    if (!list) return std::unexpected(list.error());
    std::uint64_t sector = sector_of(request), end = sector;
    for (const auto& s : *list) {
        const auto length = length_of(s);
        if (!length) return std::unexpected(length.error());
        end += *length / kSector;
    }
    std::vector<std::byte> data;
    for (; sector < end; ++sector) {
        const auto known = written_.find(sector);
        const auto bytes = known == written_.end() ? sector_pattern(sector) : known->second;
        data.insert(data.end(), bytes.begin(), bytes.end());
    }
    return to_pages(request, data);
}

Result<> RawBackend::write_from(const blkif_request_t& request) {
    const auto data = from_pages(request);
    if (!data) return std::unexpected(data.error());
    for (std::size_t at = 0; at < data->size(); at += kSector) {
        const std::span sector = std::span(*data).subspan(at, kSector);
        written_[sector_of(request) + at / kSector].assign(sector.begin(), sector.end());
    }
    return {};
}

void RawBackend::serve(const blkif_request_t& request) {
    Result<> done;
    switch (operation_of(request)) {
        case BLKIF_OP_READ:
            done = read_into(request);
            break;
        case BLKIF_OP_WRITE:
        case BLKIF_OP_WRITE_BARRIER:
            done = write_from(request);
            break;
        case BLKIF_OP_FLUSH_DISKCACHE:
        case BLKIF_OP_DISCARD:
            break;
        default:
            return answer(request, BLKIF_RSP_EOPNOTSUPP);
    }
    answer(request, done ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR);
}

unsigned RawBackend::serve_all() {
    const auto requests = take_all();
    for (const auto& r : requests) serve(r);
    if (!requests.empty()) push_and_notify();
    ask_for_event();
    return static_cast<unsigned>(requests.size());
}

}  // namespace xenrig::blk
