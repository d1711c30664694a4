#include "sim/conformance/moves.h"

#include <algorithm>
#include <charconv>

namespace xenrig::conformance {

std::optional<blkif_response_t> send(Stage& s, blk::RawFrontend& queue, const blkif_request_t& request) {
    queue.put(request);
    queue.push_and_notify();
    s.settle();
    return queue.take();
}

std::optional<blkif_response_t> send(Stage& s, const blkif_request_t& request) {
    return send(s, s.frontend(), request);
}

std::uint64_t offered(Stage& s, const char* node) {
    const std::string text = s.frontend().backend_node(node).value_or("0");
    std::uint64_t n = 0;
    std::from_chars(text.data(), text.data() + text.size(), n);
    return n;
}

bool offers(Stage& s, const char* feature) { return offered(s, feature) != 0; }

void refused(Stage& s, const blkif_request_t& request, const std::string& what) {
    const auto response = send(s, request);
    const std::uint8_t inside = blk::operation_of(request);
    s.expect(response && response->id == request.id &&
                 (response->operation == request.operation || response->operation == inside) &&
                 (response->status == BLKIF_RSP_ERROR ||
                  (response->status == BLKIF_RSP_EOPNOTSUPP && request.operation > BLKIF_OP_WRITE)),
             "a bad request is answered once, with ERROR, its id and its operation",
             [&] { return what + " has " + shown(response); });
    s.expect(!s.frontend().take().has_value(), "a bad request is answered once", [&] { return what; });
    s.expect(read_works(s), "a read after a bad request works", [&] { return "after " + what; });
}

void publish_and_wait(Stage& s, const std::function<void()>& nodes) {
    s.start_subject();
    s.settle();
    s.frontend().make_ring();
    s.frontend().publish();
    nodes();
    s.frontend().state(3);
    s.settle();
}

void closed_for(Stage& s, const std::string& what) {
    const std::string state = s.frontend().backend_state();
    s.expect(s.history().first(&StoreMoment::backend, "4") == nullptr,
             "a backend does not connect with parameters that make no sense", [&] { return what; });
    s.expect(state == "5" || state == "6", "a backend that can't go on closes",
             [&] { return "its state is " + state + " for " + what; });
    s.expect(s.maps() == 0 && s.ports() == 0, "a backend that can't go on lets go", [&] { return what; });
}

bool read_works(Stage& s, std::uint64_t sector) {
    const auto t = s.frontend().read(sector, 1);
    const auto response = send(s, t.request);
    return response && response->id == t.request.id && response->status == BLKIF_RSP_OKAY &&
           s.frontend().data(t) == blk::sector_pattern(sector);
}

std::vector<blkif_request_t> serve(Stage& s, const UserCallPtr& call) {
    std::vector<blkif_request_t> all;
    s.settle();
    while (!call->over) {
        const auto requests = s.backend().take_all();
        if (requests.empty()) break;
        for (const auto& r : requests) s.backend().serve(r);
        all.insert(all.end(), requests.begin(), requests.end());
        s.backend().push_and_notify();
        s.backend().ask_for_event();
        s.settle();
    }
    return all;
}

bool user_read_works(Stage& s, std::uint64_t sector, unsigned sectors) {
    const auto call = s.read(sector, sectors);
    serve(s, call);
    return call->well() && call->data == blk::sector_pattern(sector, sectors);
}

std::string number(const char* what, std::int64_t n) { return std::string(what) + " is " + std::to_string(n); }

std::string shown(const std::optional<blkif_response_t>& response) {
    if (!response) return "no response";
    return "a response with id " + std::to_string(response->id) + ", operation " + std::to_string(response->operation) +
           ", status " + std::to_string(response->status);
}

bool is_decimal(const std::string& text, unsigned digits) {
    return !text.empty() && text.size() <= digits && (text == "0" || text.front() != '0') &&
           std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace xenrig::conformance
