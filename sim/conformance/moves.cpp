#include "sim/conformance/moves.h"

#include <algorithm>

namespace xenrig::conformance {

std::optional<blkif_response_t> send(Stage& s, const blkif_request_t& request) {
    s.frontend().put(request);
    s.frontend().push_and_notify();
    s.settle();
    return s.frontend().take();
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
