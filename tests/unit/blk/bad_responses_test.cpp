// Each field of a response, and each word of the ring, as a hostile backend may write it: a user hears of an error and
// the disk goes on, or the device closes and says why. Either way nobody waits for ever, the guest's other disk works,
// and no grant and no port is left.
#include "neighbour.h"

namespace xenrig::blk {
namespace {

using namespace test;
using conformance::user_read_works;
using conformance::UserCallPtr;

using Word = RawRing::Word;

/// A disk that is connected, and two reads in flight.
struct InFlight {
    explicit InFlight(Stage& stage) : s(stage) {
        grants = s.grants(), ports = s.ports();
        if (!s.connect_backend()) return;
        s.expect(user_read_works(s), "a read works");
        first = s.read(10, 1), second = s.read(20, 1);
        s.settle();
        requests = s.backend().take_all();
        ok = s.expect(requests.size() == 2, "two reads are two requests");
    }

    void tell() {
        s.backend().push();
        s.backend().notify();
        s.backend().ask_for_event();
        s.settle();
    }

    void closed(OtherBackend& other, const std::string& says, const std::function<std::string()>& what) {
        const std::string state = s.backend().frontend_state();
        s.expect(state == "5" || state == "6", "the device closes", [&] { return what() + ", its state is " + state; });
        const std::string error = error_of(s);
        s.expect(error.find(says) != std::string::npos, "and says why", [&] { return what() + ": '" + error + "'"; });
        s.expect(first->over && second->over, "nobody waits for ever", what);
        s.expect(!second->well(), "what was not answered failed", what);
        s.expect(other.works(), "the other disk works", what);
        s.backend().leave();
        s.backend().state(6);
        s.settle();
        s.expect(s.backend().frontend_state() == "6", "it ends in Closed", what);
        // The ring's grant was mapped when it ended: it goes when the table is used again.
        s.expect(other.works(), "the other disk works on", what);
        s.expect(s.grants() == grants && s.ports() == ports, "no grant and no port is left", [&] {
            return what() + ": " + std::to_string(s.grants()) + " grants of " + std::to_string(grants) + ", " +
                   std::to_string(s.ports()) + " ports of " + std::to_string(ports);
        });
    }

    void goes_on(OtherBackend& other, const std::function<std::string()>& what) {
        s.expect(s.backend().frontend_state() == "4", "the device lives on", what);
        for (const auto& r : s.backend().take_all()) requests.push_back(r);
        s.expect(other.works(), "the other disk works", what);
    }

    Stage& s;
    UserCallPtr first, second;
    std::vector<blkif_request_t> requests;
    std::size_t grants = 0, ports = 0;
    /// Two requests wait for answers; else the stage has been told why not.
    bool ok = false;
};

struct Row {
    const char* what;
    void (*change)(blkif_response_t&);
};

blkif_response_t answer_to(const blkif_request_t& request) {
    blkif_response_t response = blank_response();
    response.id = request.id;
    response.operation = request.operation;
    return response;
}

const Row kStrange[] = {
    {"an id of nobody's", [](auto& r) { r.id = ~std::uint64_t{0}; }},
    {"an id in the range and not in flight", [](auto& r) { r.id ^= 0x11; }},
    {"an id with another high half", [](auto& r) { r.id ^= 1ull << 32; }},
    {"an id with another top bit", [](auto& r) { r.id ^= 1ull << 63; }},
    {"the operation of another", [](auto& r) { r.operation = BLKIF_OP_WRITE; }},
    {"an operation of nobody's", [](auto& r) { r.operation = 255; }},
    {"an indirect answer to what was none", [](auto& r) { r.operation = BLKIF_OP_INDIRECT; }},
};

TEST(BlkfrontBadInput, AResponseToWhatWasNotAsked) {
    for (const Row& row : kStrange)
        play_beside([&](Stage& s, OtherBackend& other) {
            InFlight f(s);
            if (!f.ok) return;
            blkif_response_t response = answer_to(f.requests[0]);
            row.change(response);
            s.backend().put(response);
            f.tell();
            f.closed(other, "a response with", [&] { return row.what; });
        });
}

TEST(BlkfrontBadInput, AResponseGivenTwice) {
    play_beside([](Stage& s, OtherBackend& other) {
        InFlight f(s);
        if (!f.ok) return;
        s.backend().serve(f.requests[0]);
        s.backend().put(answer_to(f.requests[0]));
        f.tell();
        s.expect(f.first->well(), "the first answer counts");
        f.closed(other, "not in flight", [] { return "one id twice"; });
    });
}

TEST(BlkfrontBadInput, EveryStatusButOkayIsAnError) {
    for (const int status : {-1, -2, -3, 1, 127, -128, 32767, -32768})
        play_beside([&](Stage& s, OtherBackend& other) {
            InFlight f(s);
            if (!f.ok) return;
            blkif_response_t response = answer_to(f.requests[0]);
            response.status = static_cast<std::int16_t>(status);
            s.backend().put(response);
            s.backend().serve(f.requests[1]);
            f.tell();
            const auto what = [&] { return "status " + std::to_string(status); };
            s.expect(f.first->failed(), "its user hears of an error", what);
            s.expect(f.second->well(), "the other's does not", what);
            f.goes_on(other, what);
            s.expect(user_read_works(s), "a read works", what);
        });
}

TEST(BlkfrontBadInput, AResponseIndexThatClaimsTheImpossible) {
    for (const std::uint32_t ahead : {3u, 33u, 0x80000000u, 0xffffffffu})
        play_beside([&](Stage& s, OtherBackend& other) {
            InFlight f(s);
            if (!f.ok) return;
            s.backend().ring().store(Word::rsp_prod, s.backend().answered() + ahead);
            s.backend().notify();
            s.settle();
            f.closed(other, "claims", [&] { return "rsp_prod is " + std::to_string(ahead) + " ahead"; });
        });
}

TEST(BlkfrontBadInput, EveryOtherWordOfTheRing) {
    for (const Word word : {Word::req_prod, Word::req_event, Word::rsp_event})
        for (const std::uint32_t value : {0u, 12345u, 0x80000000u, 0xffffffffu})
            play_beside([&](Stage& s, OtherBackend& other) {
                InFlight f(s);
                if (!f.ok) return;
                s.backend().ring().store(word, value);
                s.backend().notify();
                s.settle();
                for (const auto& r : f.requests) s.backend().serve(r);
                f.tell();
                const auto what = [&] {
                    return "word " + std::to_string(static_cast<unsigned>(word)) + " is " + std::to_string(value);
                };
                s.expect(f.first->well() && f.second->well(), "what is answered is done", what);
                // The frontend's own index goes over what the backend wrote.
                s.backend().ask_for_event();
                s.expect(user_read_works(s), "a read works", what);
                f.goes_on(other, what);
            });
}

TEST(BlkfrontBadInput, APortThatTheBackendCloses) {
    play_beside([](Stage& s, OtherBackend& other) {
        InFlight f(s);
        if (!f.ok) return;
        s.backend().leave();
        const auto third = s.read(30, 1);
        s.settle();
        s.expect(!third->well(), "nobody answers");
        s.expect(other.works(), "the other disk works");
        s.backend().state(6);
        s.settle();
        s.expect(f.first->failed() && f.second->failed() && third->failed(), "nobody waits for ever");
        s.expect(s.grants() == f.grants && s.ports() == f.ports, "no grant and no port is left");
    });
}

TEST(BlkfrontBadInput, AStormOfEventsWithoutWork) {
    play_beside([](Stage& s, OtherBackend& other) {
        InFlight f(s);
        if (!f.ok) return;
        for (unsigned i = 0; i < 500; ++i) s.backend().notify();
        s.settle();
        for (const auto& r : f.requests) s.backend().serve(r);
        f.tell();
        s.expect(f.first->well() && f.second->well(), "what is answered is done");
        f.goes_on(other, [] { return "500 events"; });
    });
}

}  // namespace
}  // namespace xenrig::blk
