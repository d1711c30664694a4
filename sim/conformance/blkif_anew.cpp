// blkif.h's clauses on an end that connects for the second time: what the other end published for the first time says
// nothing any more.
#include "sim/conformance/blkif_clauses.h"
#include "sim/conformance/moves.h"

namespace xenrig::conformance {

namespace {

using blk::RawFrontend;
using blk::sector_pattern;

/// A frontend that closes, forgets all that it published, and is there again.
void close_and_forget(Stage& s) {
    RawFrontend& f = s.frontend();
    for (const unsigned state : {5u, 6u}) {
        f.state(state);
        s.settle();
    }
    for (const char* name :
         {"ring-ref", "ring-ref0", "ring-ref1", "ring-page-order", "event-channel", "protocol", "feature-persistent"})
        f.remove(name);
    f.drop_ring();
    f.state(1);
    s.settle();
}

bool connects_with(Stage& s, const blk::RingShape& shape, bool persistent, const char* what) {
    RawFrontend& f = s.frontend();
    f.shape(shape);
    f.make_ring();
    f.publish();
    if (persistent) f.write("feature-persistent", "1");
    f.state(3);
    s.settle();
    if (!s.expect(f.backend_state() == "4", "a backend connects again, with other parameters",
                  [&] { return std::string(what) + ": its state is " + f.backend_state(); }))
        return false;
    f.state(4);
    s.settle();
    return s.expect(read_works(s) && read_works(s, 9), "and serves the ring that it has now", [&] { return what; });
}

void reads_parameters_anew(Stage& s) {
    s.start_subject();
    s.settle();
    const bool large = offered(s, "max-ring-page-order") != 0;
    const blk::RingShape two{.pages = large ? 2u : 1u, .i386 = false, .size_node = "ring-page-order", .below = ""};
    if (!connects_with(s, two, true, "the first time")) return;
    close_and_forget(s);
    if (!connects_with(s, {}, false, "with one page, and grants that do not stay")) return;
    // The ring, and nothing of a request's.
    s.expect(s.maps() == 1, "what the frontend supported once is not supported now",
             [&] { return number("the number of mappings", static_cast<std::int64_t>(s.maps())); });
    close_and_forget(s);
    connects_with(s, two, true, "as the first time");
}

const Nodes& all_features() {
    static const Nodes all = {{"feature-flush-cache", "1"},
                              {"feature-barrier", "1"},
                              {"feature-discard", "1"},
                              {"discard-granularity", "512"},
                              {"discard-alignment", "0"},
                              {"feature-persistent", "1"},
                              {"feature-max-indirect-segments", "256"},
                              {"max-ring-page-order", "0"}};
    return all;
}

/// The toolstack takes the device away, and gives the guest another in its place.
void plug_another(Stage& s) {
    const std::string front = s.frontend_path();
    s.backend().leave();
    for (const auto& [name, value] : all_features()) s.backend().remove(name);
    s.backend().state(1);
    const Nodes nodes = {{"backend", s.backend_path()},
                         {"backend-id", "0"},
                         {"state", "1"},
                         {"virtual-device", "51712"},
                         {"device-type", "disk"}};
    s.as_toolstack([&](Store& store) { (void)store.rm(StoreTx::none, front); });
    s.as_toolstack([&](Store& store) {
        const std::vector<StorePerm> perms = {{s.guest()}, {DomId{0}, true, false}};
        (void)store.transaction([&](StoreTx tx) -> Result<> {
            if (auto made = store.mkdir(tx, front); !made) return made;
            if (auto owned = store.set_perms(tx, front, perms); !owned) return owned;
            for (const auto& [name, value] : nodes) {
                const std::string path = front + '/' + name;
                if (auto written = store.write(tx, path, value); !written) return written;
                if (auto owned = store.set_perms(tx, path, perms); !owned) return owned;
            }
            return {};
        });
    });
}

void reads_features_anew(Stage& s) {
    if (!s.connect_backend(all_features())) return;
    if (!s.expect(user_read_works(s), "a read works")) return;
    plug_another(s);
    if (!s.connect_backend({}, usual_properties(24))) return;
    const auto connected = s.wait_connected();
    s.settle();
    s.expect(connected->well() && connected->disk.bytes == 24 * 512, "the new disk has a size of its own",
             [&] { return number("the size it tells", static_cast<std::int64_t>(connected->disk.bytes)); });
    const auto flush = s.flush(), discard = s.discard(1, 4), read = s.read(15, 1);
    for (const UserCallPtr& call : {flush, discard, read})
        for (const auto& r : serve(s, call))
            s.expect(r.operation == BLKIF_OP_READ, "what was offered once is not offered now",
                     [&] { return number("the operation", r.operation); });
    s.expect(!flush->well() && !discard->well(), "what is not offered is no success");
    s.expect(read->well() && read->data == sector_pattern(15), "a read works");
}

}  // namespace

const std::vector<Clause>& blkif_anew_clauses() {
    static const std::vector<Clause> all = {
        {"blkif.backend-reads-parameters-anew",
         498,
         Role::backend,
         "It has read the parameters of this frontend before Connected.",
         {reads_parameters_anew}},
        {"blkif.frontend-reads-features-anew",
         486,
         Role::frontend,
         "It has read the features of this backend before Initialised.",
         {reads_features_anew}},
    };
    return all;
}

}  // namespace xenrig::conformance
