// blkif.h's clauses on what a backend reads of the store and writes there, and when.
#include <charconv>

#include "sim/conformance/blkif_clauses.h"
#include "sim/conformance/moves.h"

namespace xenrig::conformance {

namespace {

using blk::RawFrontend;

std::uint64_t number_in(const std::optional<std::string>& text) {
    std::uint64_t n = 0;
    if (text) std::from_chars(text->data(), text->data() + text->size(), n);
    return n;
}

std::string its_state(Stage& s) { return "its state is " + s.frontend().backend_state(); }

void writes_decimal(Stage& s) {
    if (!s.connect_frontend()) return;
    for (const std::string& name : s.frontend().backend_nodes()) {
        const bool is_number = name == "sectors" || name == "sector-size" || name == "physical-sector-size" ||
                               name == "info" || name.starts_with("feature-");
        if (!is_number) continue;
        const std::string text = s.frontend().backend_node(name).value_or("");
        s.expect(is_decimal(text, 20) && (name == "sectors" || text.size() < 10 || number_in(text) < 1ull << 32),
                 "numbers are written as decimal strings", [&] { return name + " is '" + text + "'"; });
    }
}

void takes_defaults(Stage& s) {
    RawFrontend& f = s.frontend();
    s.start_subject();
    s.settle();
    f.make_ring();
    f.write("ring-ref", std::to_string(f.ring_ref().value));
    f.write("event-channel", std::to_string(f.port().value));
    f.state(3);
    s.settle();
    if (!s.expect(f.backend_state() == "4", "a backend connects with a frontend that says nothing of its layout",
                  [&] { return its_state(s); }))
        return;
    s.expect(read_works(s), "requests of the native layout are served");
}

void info_tells_read_only(Stage& s) {
    if (!s.connect_frontend()) return;
    const auto info = s.frontend().backend_node("info");
    s.expect(((number_in(info) & VDISK_READONLY) != 0) == s.disk_shape().read_only,
             "info says whether the disk is read-only", [&] {
                 return "info is '" + info.value_or("") + "' of a disk with mode " +
                        (s.disk_shape().read_only ? "r" : "w");
             });
}

void properties_make_sense(Stage& s) {
    if (!s.connect_frontend()) return;
    RawFrontend& f = s.frontend();
    constexpr std::uint64_t kBytes = Stage::kSectors * 512;
    const std::uint64_t size = number_in(f.backend_node("sector-size")), sectors = number_in(f.backend_node("sectors"));
    s.expect(size == 512, "sector-size is 512 for a frontend that needs it",
             [&] { return number("sector-size", static_cast<std::int64_t>(size)); });
    s.expect(sectors * size == kBytes, "sectors times sector-size is the disk's size",
             [&] { return number("sectors", static_cast<std::int64_t>(sectors)); });
    if (const auto node = f.backend_node("physical-sector-size")) {
        const std::uint64_t physical = number_in(node);
        s.expect(physical != 0 && physical % size == 0 && kBytes % physical == 0,
                 "physical-sector-size is a multiple of sector-size and divides the disk's size",
                 [&] { return "physical-sector-size is '" + *node + "'"; });
    }
}

void refuses_unknown_layout(Stage& s) {
    RawFrontend& f = s.frontend();
    s.start_subject();
    s.settle();
    f.make_ring();
    f.publish();
    f.write("protocol", "vax-abi");
    f.state(3);
    s.settle();
    s.expect(s.history().first(&StoreMoment::backend, "4") == nullptr,
             "a backend does not connect with a layout that it doesn't know");
    s.expect(s.maps() == 0, "a backend maps nothing of a layout that it doesn't know");
    s.expect(f.backend_state() == "5" || f.backend_state() == "6", "a backend that can't go on closes",
             [&] { return its_state(s); });
}

void features_before_initwait(Stage& s) {
    if (!s.connect_frontend()) return;
    if (!s.expect(read_works(s), "a read works")) return;
    const StoreMoment* seen = s.history().first(&StoreMoment::backend, "234");
    if (!s.expect(seen != nullptr, "a backend becomes InitWait")) return;
    for (const auto& [name, last] : s.history().moments().back().backend) {
        if (!name.starts_with("feature-") && !name.starts_with("max-") && !name.starts_with("multi-queue-max-"))
            continue;
        s.expect(value_of(seen->backend, name) == last, "whoever sees InitWait sees every feature",
                 [&] { return name + " becomes '" + last + "' later"; });
    }
}

void properties_before_connected(Stage& s) {
    if (!s.connect_frontend()) return;
    const StoreMoment* seen = s.history().first(&StoreMoment::backend, "4");
    if (!s.expect(seen != nullptr, "a backend becomes Connected")) return;
    for (const char* name : {"sectors", "sector-size", "info"})
        s.expect(seen->backend.contains(name), "whoever sees Connected sees the disk's properties",
                 [&] { return std::string("without ") + name; });
}

void takes_early_frontend(Stage& s) {
    RawFrontend& f = s.frontend();
    f.make_ring();
    f.publish();
    f.state(3);
    s.start_subject();
    s.settle();
    if (!s.expect(f.backend_state() == "4", "a backend connects with a frontend that did not wait",
                  [&] { return its_state(s); }))
        return;
    s.expect(read_works(s), "it serves it");
}

void takes_connected_frontend(Stage& s) {
    RawFrontend& f = s.frontend();
    s.start_subject();
    s.settle();
    f.make_ring();
    f.publish_with_state(4);
    s.settle();
    if (!s.expect(f.backend_state() == "4", "a backend connects with a frontend that skipped Initialised",
                  [&] { return its_state(s); }))
        return;
    s.expect(read_works(s), "it serves it");
}

}  // namespace

const std::vector<Clause>& blkif_backend_store_clauses() {
    constexpr Role backend = Role::backend;
    static const std::vector<Clause> all = {
        {"blkif.backend-writes-decimal", 42, backend, "Numbers are written as decimal strings.", {writes_decimal}},
        {"blkif.backend-takes-defaults",
         47,
         backend,
         "A node that is not there has its default value.",
         {takes_defaults}},
        {"blkif.backend-info-tells-read-only",
         230,
         backend,
         "info: VDISK_READONLY says that the disk is read-only.",
         {info_tells_read_only},
         {.disks = {{}, {.read_only = true}}}},
        {"blkif.backend-properties-make-sense",
         254,
         backend,
         "sectors times sector-size is the size of the disk.",
         {properties_make_sense},
         {.disks = {{}, {.physical_sector_bytes = 4096}}}},
        {"blkif.backend-refuses-unknown-layout",
         289,
         backend,
         "A layout that the backend does not know makes no connection.",
         {refuses_unknown_layout}},
        {"blkif.backend-features-before-initwait",
         475,
         backend,
         "It has published its features before InitWait.",
         {features_before_initwait},
         {.seeds = 4}},
        {"blkif.backend-properties-before-connected",
         498,
         backend,
         "It has published the disk's properties before Connected.",
         {properties_before_connected},
         {.seeds = 4}},
        {"blkif.backend-takes-early-frontend",
         515,
         backend,
         "A frontend may become Initialised without waiting for InitWait.",
         {takes_early_frontend}},
        {"blkif.backend-takes-connected-frontend",
         530,
         backend,
         "The work of a state that the peer skipped is done when the next one is seen.",
         {takes_connected_frontend}},
    };
    return all;
}

}  // namespace xenrig::conformance
