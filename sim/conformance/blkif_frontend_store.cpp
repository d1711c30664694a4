// blkif.h's clauses on what a frontend reads of the store and writes there, and when.
#include "sim/conformance/blkif_clauses.h"
#include "sim/conformance/moves.h"

namespace xenrig::conformance {

namespace {

using blk::RawBackend;
using Word = blk::RawRing::Word;

const Nodes kNoFeatures;

std::string node(RawBackend& b, const char* name) { return b.frontend_node(name).value_or(""); }

void writes_decimal(Stage& s) {
    s.start_subject();
    s.settle();
    s.backend().state(2);
    s.settle();
    for (const char* name : {"ring-ref", "event-channel"}) {
        const std::string text = node(s.backend(), name);
        s.expect(is_decimal(text, 10) && std::stoull(text) < 1ull << 32, "numbers are written as decimal strings",
                 [&] { return std::string(name) + " is '" + text + "'"; });
    }
}

void takes_64_bit_sectors(Stage& s) {
    constexpr std::uint64_t kSectors = 1ull << 33;
    if (!s.connect_backend(kNoFeatures, usual_properties(kSectors))) return;
    const auto connected = s.wait_connected();
    s.settle();
    s.expect(connected->well() && connected->disk.bytes == kSectors * 512, "`sectors` may need 64 bits",
             [&] { return number("the disk's size", static_cast<std::int64_t>(connected->disk.bytes)); });
    const auto read = s.read(kSectors - 1, 1);
    const auto requests = serve(s, read);
    s.expect(read->well() && requests.size() == 1 && requests[0].sector_number == kSectors - 1,
             "a sector's number may need 64 bits");
}

void takes_defaults(Stage& s) {
    if (!s.connect_backend(kNoFeatures, {{"sectors", "2048"}, {"sector-size", "512"}, {"info", "0"}})) return;
    const auto connected = s.wait_connected();
    s.settle();
    s.expect(connected->well() && connected->disk.physical_sector_bytes == 512,
             "without physical-sector-size it is sector-size");
    s.expect(user_read_works(s), "a read works with the defaults");
    const auto write = s.write(9, blk::sector_pattern(900));
    serve(s, write);
    s.expect(write->well(), "a write works with the defaults");
}

void uses_only_what_is_offered(Stage& s, const Nodes& features) {
    if (!s.connect_backend(features)) return;
    const std::vector<UserCallPtr> calls = {s.read(1, 1), s.write(2, blk::sector_pattern(900)), s.flush(),
                                            s.discard(10, 10), s.read(100, 320)};
    for (const UserCallPtr& call : calls)
        for (const auto& r : serve(s, call))
            s.expect(r.operation == BLKIF_OP_READ || r.operation == BLKIF_OP_WRITE,
                     "only operations that are offered are on the ring",
                     [&] { return number("the operation", r.operation); });
    s.expect(calls[0]->well() && calls[1]->well() && calls[4]->well(), "reads and writes work without features");
    s.expect(!calls[2]->well(), "a flush that the backend doesn't offer is no success");
    s.expect(!calls[3]->well(), "a discard that the backend doesn't offer is no success");
}

void no_feature(Stage& s) { uses_only_what_is_offered(s, kNoFeatures); }
constexpr const char* kOffers[] = {"feature-flush-cache", "feature-barrier", "feature-discard",
                                   "feature-max-indirect-segments"};
void features_are(Stage& s, const char* value) {
    Nodes features;
    for (const char* name : kOffers) features[name] = value;
    uses_only_what_is_offered(s, features);
}
void features_are_0(Stage& s) { features_are(s, "0"); }
void features_are_garbled(Stage& s) { features_are(s, "yes"); }

void leaves_private_nodes(Stage& s) {
    if (!s.connect_backend()) return;
    user_read_works(s);
    s.backend().state(5);
    s.settle();
    s.backend().state(6);
    s.settle();
    s.expect(!s.paths_read().empty(), "a frontend reads its backend's nodes");
    for (const std::string& path : s.paths_read())
        for (const char* name : {"mode", "params", "physical-device", "physical-device-path", "type", "direct-io-safe"})
            s.expect(!(path.find("backend/vbd/") != std::string::npos && path.ends_with(std::string("/") + name)),
                     "a frontend leaves its backend's private nodes alone", [&] { return "it reads " + path; });
}

void refuses_sector_size(Stage& s, const char* size) {
    auto properties = usual_properties();
    properties["sector-size"] = size;
    properties.erase("physical-sector-size");
    const auto read = s.read(0, 8);
    if (!s.offer_backend(kNoFeatures, properties)) return;
    s.expect(s.backend().frontend_state() != "4", "a sector-size that is no power of two from 512 on makes no device",
             [&] { return std::string("sector-size is ") + size; });
    s.expect(s.backend().ring().load(Word::req_prod) == 0, "no request goes to such a device");
}

void sector_size_0(Stage& s) { refuses_sector_size(s, "0"); }
void sector_size_100(Stage& s) { refuses_sector_size(s, "100"); }
void sector_size_256(Stage& s) { refuses_sector_size(s, "256"); }
void sector_size_513(Stage& s) { refuses_sector_size(s, "513"); }

void offers_its_port(Stage& s) {
    if (!s.connect_backend()) return;
    RawBackend& b = s.backend();
    const unsigned events = b.events();
    const auto read = s.read(7, 1);
    s.settle();
    s.expect(b.events() > events, "the frontend's push sends an event on the port");
    b.serve_all();
    s.settle();
    s.expect(read->well(), "an event on the port makes the frontend look at the ring");
    blk::RawBackend second(b.platform(), s.guest(), Stage::kDevice);
    s.expect(!second.join().has_value(), "the port can be bound once");
}

void grants_its_ring(Stage& s) {
    if (!s.connect_backend()) return;
    RawBackend& b = s.backend();
    s.expect(b.frontend_node("ring-ref").has_value(), "a ring of one page is named by ring-ref");
    s.expect(!b.frontend_node("ring-ref0").has_value(), "a ring of one page has no ring-ref0");
    const auto at_most = [&](const char* name, const std::string& most) {
        const std::string text = b.frontend_node(name).value_or(most);
        s.expect(text == "0" || text == most, "no larger ring and no more queues than the backend offers",
                 [&] { return std::string(name) + " is " + text; });
    };
    at_most("ring-page-order", "0");
    at_most("num-ring-pages", "1");
    at_most("multi-queue-num-queues", "1");
}

void names_its_layout(Stage& s) {
    if (!s.connect_backend()) return;
    const auto protocol = s.backend().frontend_node("protocol");
    s.expect(!protocol || *protocol == "x86_64-abi", "`protocol` names the layout that the ring has",
             [&] { return "protocol is '" + *protocol + "'"; });
}

void parameters_before_initialised(Stage& s) {
    if (!s.connect_backend()) return;
    if (!s.expect(user_read_works(s), "a read works")) return;
    const StoreMoment* seen = s.history().first(&StoreMoment::frontend, "34");
    if (!s.expect(seen != nullptr, "the frontend becomes Initialised")) return;
    for (const char* name : {"ring-ref", "event-channel"})
        s.expect(seen->frontend.contains(name), "whoever sees Initialised sees the parameters",
                 [&] { return std::string("without ") + name; });
    for (const char* name : {"ring-ref", "event-channel", "protocol"}) {
        const auto values = s.history().values(&StoreMoment::frontend, name);
        const std::string then = value_of(seen->frontend, name);
        s.expect(values.empty() ? then.empty() : values.size() == 1 && values[0] == then,
                 "parameters do not change after Initialised",
                 [&] { return std::string(name) + " was " + joined(values); });
    }
}

void connects_after_backend(Stage& s) {
    s.start_subject();
    s.settle();
    s.backend().write("sectors", "16");
    s.backend().state(2);
    s.settle();
    if (!s.expect(s.backend().join().has_value(), "the frontend publishes its ring")) return;
    s.backend().write_properties(4096);
    s.backend().state(4);
    s.settle();
    const StoreMoment* seen = s.history().first(&StoreMoment::frontend, "4");
    if (!s.expect(seen != nullptr, "the frontend connects")) return;
    s.expect(value_of(seen->backend, "state") == "4", "a frontend connects after its backend");
    const auto connected = s.wait_connected();
    s.settle();
    s.expect(connected->well() && connected->disk.bytes == 4096 * 512,
             "a frontend reads the properties when its backend is Connected",
             [&] { return number("the size it tells", static_cast<std::int64_t>(connected->disk.bytes)); });
}

void early_means_defaults(Stage& s) {
    s.start_subject();
    s.settle();
    RawBackend& b = s.backend();
    if (b.frontend_state() != "3") return s.skip("the frontend waits for InitWait");
    s.expect(node(b, "ring-page-order").empty() || node(b, "ring-page-order") == "0",
             "who does not wait has a ring of one page");
    s.expect(node(b, "multi-queue-num-queues").empty() || node(b, "multi-queue-num-queues") == "1",
             "who does not wait has one queue");
}

void takes_initialised_backend(Stage& s) {
    s.start_subject();
    s.settle();
    RawBackend& b = s.backend();
    b.state(3);
    s.settle();
    if (!s.expect(b.join().has_value(), "a frontend publishes its ring to a backend that skipped InitWait")) return;
    b.write_properties();
    b.state(4);
    s.settle();
    s.expect(b.frontend_state() == "4", "a frontend connects with a backend that skipped InitWait",
             [&] { return "its state is " + b.frontend_state(); });
    s.expect(user_read_works(s), "a read works");
}

void takes_connected_backend(Stage& s) {
    RawBackend& b = s.backend();
    b.write_properties();
    b.state(4);
    s.start_subject();
    s.settle();
    if (!s.expect(b.join().has_value(), "a frontend publishes its ring to a backend that is Connected already")) return;
    s.expect(b.frontend_state() == "4", "a frontend connects with a backend that is Connected already",
             [&] { return "its state is " + b.frontend_state(); });
    b.ask_for_event();
    s.expect(user_read_works(s), "a read works");
}

}  // namespace

const std::vector<Clause>& blkif_frontend_store_clauses() {
    constexpr Role frontend = Role::frontend;
    static const std::vector<Clause> all = {
        {"blkif.frontend-writes-decimal", 42, frontend, "Numbers are written as decimal strings.", {writes_decimal}},
        {"blkif.frontend-takes-64-bit-sectors",
         43,
         frontend,
         "A number may need as many bits as its node's type has.",
         {takes_64_bit_sectors}},
        {"blkif.frontend-takes-defaults",
         47,
         frontend,
         "A node that is not there has its default value.",
         {takes_defaults}},
        {"blkif.frontend-uses-only-what-is-offered",
         130,
         frontend,
         "Without feature-flush-cache no flush is sent.",
         {no_feature, features_are_0, features_are_garbled}},
        {"blkif.frontend-leaves-private-nodes",
         50,
         frontend,
         "Nodes marked private are for the end in whose tree they stand alone.",
         {leaves_private_nodes}},
        {"blkif.frontend-refuses-bad-sector-size",
         237,
         frontend,
         "A sector-size that is no power of two from 512 on makes no device.",
         {sector_size_0, sector_size_100, sector_size_256, sector_size_513}},
        {"blkif.frontend-offers-its-port",
         267,
         frontend,
         "event-channel: the port by which both ends signal.",
         {offers_its_port}},
        {"blkif.frontend-grants-its-ring",
         273,
         frontend,
         "ring-ref: a grant that lets the backend map the one page of the ring.",
         {grants_its_ring}},
        {"blkif.frontend-names-its-layout",
         289,
         frontend,
         "protocol: the layout of requests and responses by name.",
         {names_its_layout}},
        {"blkif.frontend-parameters-before-initialised",
         486,
         frontend,
         "It has published its parameters before Initialised.",
         {parameters_before_initialised},
         {.seeds = 4}},
        {"blkif.frontend-connects-after-backend",
         507,
         frontend,
         "It has read the properties before it is Connected itself.",
         {connects_after_backend},
         {.seeds = 4}},
        {"blkif.frontend-early-means-defaults",
         518,
         frontend,
         "Who does not wait publishes no parameter but defaults.",
         {early_means_defaults}},
        {"blkif.frontend-takes-initialised-backend",
         524,
         frontend,
         "A backend may become Initialised without InitWait.",
         {takes_initialised_backend}},
        {"blkif.frontend-takes-connected-backend",
         530,
         frontend,
         "The work of a state that the peer skipped is done when the next one is seen.",
         {takes_connected_backend}},
    };
    return all;
}

}  // namespace xenrig::conformance
