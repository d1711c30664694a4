// Nodes that are the toolstack's, in both directories, and both state nodes: each missing, garbled, or changed while
// the device is connected. It does without, waits for the toolstack to put it right, lets go of a directory that is not
// its own any more, or closes and says which node it was. The guest's other disk works, and when the device is removed,
// nothing is left.
#include "neighbour.h"

namespace xenrig::blk {
namespace {

using namespace test;
using conformance::read_works;
using conformance::user_read_works;

using Text = std::optional<std::string>;

/// What comes of a node.
enum class Outcome : std::uint8_t {
    works,    ///< as if nothing were
    waits,    ///< holds nothing, and has not begun
    lets_go,  ///< holds nothing, and leaves the directory to whoever it is now
    closes,   ///< holds nothing, and says which node it was
    anew,     ///< is another device now, which begins with what stands there
    ends,     ///< holds nothing, and is Closed: it was told so
};

struct Row {
    const char* node;
    Text value;
    Outcome outcome;
};

std::string shown(const Row& row) {
    return std::string(row.node) + (row.value ? " is '" + row.value->substr(0, 40) + "'" : " is missing");
}

/// The device's own directory, by the toolstack's hand.
class Directory {
public:
    Directory(Stage& s, std::string path) : stage_(s), path_(std::move(path)) {}

    std::string state() {
        std::string state;
        stage_.as_toolstack(
            [&](Store& store) { state = store.read(StoreTx::none, path_ + "/state").value_or("none"); });
        return state;
    }
    void set(const Row& row) {
        stage_.as_toolstack([&](Store& store) {
            const std::string node = path_ + '/' + row.node;
            if (row.value)
                EXPECT_TRUE(store.write(StoreTx::none, node, *row.value)) << node;
            else
                (void)store.rm(StoreTx::none, node);
        });
    }
    void remove() {
        stage_.as_toolstack([&](Store& store) { (void)store.rm(StoreTx::none, path_); });
    }
    /// As a toolstack makes it for a new device, but for one node. The bus forgets the old one first.
    void make_anew(const Row& row, DomId owner, DomId reader) {
        std::map<std::string, std::string> nodes;
        stage_.as_toolstack([&](Store& store) {
            for (const std::string& name : store.directory(StoreTx::none, path_).value_or(std::vector<std::string>{}))
                nodes[name] = store.read(StoreTx::none, path_ + '/' + name).value_or("");
        });
        std::erase_if(nodes, [](const auto& node) {
            return node.first.starts_with("feature-") || node.first.starts_with("max-") ||
                   node.first.starts_with("multi-") || node.first.starts_with("discard-");
        });
        nodes["state"] = "1";
        nodes.erase(row.node);
        if (row.value) nodes[row.node] = *row.value;
        remove();
        stage_.as_toolstack([&](Store& store) {
            const std::vector<StorePerm> perms = {{owner}, {reader, true, false}};
            const auto made = store.transaction([&](StoreTx tx) -> Result<> {
                if (auto done = store.mkdir(tx, path_); !done) return done;
                if (auto done = store.set_perms(tx, path_, perms); !done) return done;
                for (const auto& [name, value] : nodes) {
                    if (auto done = store.write(tx, path_ + '/' + name, value); !done) return done;
                    if (auto done = store.set_perms(tx, path_ + '/' + name, perms); !done) return done;
                }
                return {};
            });
            EXPECT_TRUE(made) << made.error().to_string();
        });
    }

private:
    Stage& stage_;
    const std::string path_;
};

void expect_outcome(Stage& s, const Row& row, Directory& directory, bool holds_nothing,
                    const std::function<bool()>& works) {
    const std::string state = directory.state();
    const auto why = [&] { return shown(row) + ", its state is " + state; };
    if (row.outcome == Outcome::works) return (void)s.expect(state == "4" && works(), "the device works", why);
    if (row.outcome == Outcome::anew)
        return (void)s.expect(state == "2" || state == "3" || state == "4", "it begins anew", why);
    s.expect(holds_nothing, "the device holds nothing", why);
    if (row.outcome == Outcome::lets_go) return;
    const bool closed = state == "5" || state == "6";
    if (row.outcome == Outcome::waits) return (void)s.expect(!closed && state != "4", "the device waits", why);
    s.expect(closed, "the device closes", why);
    if (row.outcome == Outcome::ends) return;
    const std::string error = error_of(s);
    s.expect(error.find(row.node) != std::string::npos, "and says which node it was",
             [&] { return why() + ": '" + error + "'"; });
}

const std::string kLong(2000, 'x');

/// The usual way of a scripted frontend, as far as the backend comes along.
void try_to_connect(Stage& s) {
    s.frontend().make_ring();
    s.frontend().publish();
    for (const unsigned state : {3u, 4u}) {
        s.frontend().state(state);
        s.settle();
    }
}

TEST(BlkbackBadNodes, EachNodeOfItsOwnWhenItBegins) {
    using enum Outcome;
    const std::vector<Row> rows = {
        {"frontend", {}, waits},
        {"frontend", "", waits},
        {"frontend", "device/vbd/51712", waits},
        {"frontend", "/local/domain/77/device/vbd/51712", ends},
        {"frontend", kLong, waits},
        {"frontend-id", {}, waits},
        {"frontend-id", "", waits},
        {"frontend-id", "one", waits},
        {"frontend-id", "-1", waits},
        {"frontend-id", "32753", waits},
        {"frontend-id", "4294967297", waits},
        {"mode", {}, closes},
        {"state", {}, waits},
        {"state", "", works},
        {"state", "many", works},
        {"state", "9", works},
        {"params", {}, works},
        {"type", {}, works},
        {"online", {}, works},
        {"online", "yes", works},
        {"removable", "yes", works},
        {"discard-enable", "perhaps", works},
        {"device-type", {}, works},
        {"device-type", kLong, works},
        {"bootable", "perhaps", works},
    };
    for (const Row& row : rows)
        play_beside([&](Stage& s, OtherFrontend& other) {
            const std::size_t maps = s.maps(), ports = s.ports();
            Directory directory(s, s.backend_path());
            directory.make_anew(row, DomId{0}, s.guest());
            try_to_connect(s);
            expect_outcome(s, row, directory, s.maps() == maps && s.ports() == ports, [&] { return read_works(s); });
            s.expect(other.works(), "the other disk works", [&] { return shown(row); });
            directory.remove();
            s.expect(s.maps() == maps && s.ports() == ports, "a device that is removed leaves nothing",
                     [&] { return shown(row); });
            s.expect(other.works(), "to the other disk", [&] { return shown(row); });
        });
}

TEST(BlkbackBadNodes, EachNodeOfItsOwnChangedWhileItIsConnected) {
    using enum Outcome;
    const std::vector<Row> rows = {
        {"frontend", {}, lets_go},
        {"frontend", "", lets_go},
        {"frontend", "/local/domain/77/device/vbd/51712", lets_go},
        {"frontend-id", {}, lets_go},
        {"frontend-id", "one", lets_go},
        {"frontend-id", "77", lets_go},
        {"state", {}, lets_go},
        {"state", "", works},
        {"state", "many", works},
        {"state", "9", works},
        {"state", "1", anew},
        {"mode", "r", works},
        {"mode", {}, works},
        {"params", "another", works},
        {"params", {}, works},
        {"type", kLong, works},
        {"online", {}, works},
        {"removable", "1", works},
        {"discard-enable", "0", works},
        {"device-type", "cdrom", works},
        {"sectors", "1", works},
        {"sector-size", "many", works},
        {"info", {}, works},
        {"feature-flush-cache", {}, works},
    };
    for (const Row& row : rows)
        play_beside([&](Stage& s, OtherFrontend& other) {
            const std::size_t maps = s.maps(), ports = s.ports();
            if (!s.connect_frontend()) return;
            const auto write = s.frontend().write(300, sector_pattern(900, 8));
            s.expect(conformance::is_okay(conformance::send(s, write.request)), "a write is acknowledged");
            Directory directory(s, s.backend_path());
            directory.set(row);
            // Somebody looks.
            s.frontend().state(4);
            s.settle();
            // The toolstack's word stays in the state node.
            if (std::string(row.node) == "state" && row.outcome == works) {
                s.expect(read_works(s), "the device works", [&] { return shown(row); });
            } else {
                expect_outcome(s, row, directory, s.maps() == maps && s.ports() == ports,
                               [&] { return read_works(s); });
            }
            s.expect(other.works(), "the other disk works", [&] { return shown(row); });
            s.expect(s.on_disk(300, 8) == sector_pattern(900, 8), "what was acknowledged is on the disk",
                     [&] { return shown(row); });
            directory.remove();
            s.expect(s.maps() == maps && s.ports() == ports, "a device that is removed leaves nothing",
                     [&] { return shown(row); });
        });
}

TEST(BlkbackBadNodes, ItsFrontendsStateWhileItIsConnected) {
    using enum Outcome;
    const std::vector<Row> rows = {
        {"state", {}, ends},  {"state", "", ends},   {"state", "many", ends}, {"state", "0", ends},
        {"state", "9", ends}, {"state", "7", works}, {"state", "2", works},
    };
    for (const Row& row : rows)
        play_beside([&](Stage& s, OtherFrontend& other) {
            const std::size_t maps = s.maps(), ports = s.ports();
            if (!s.connect_frontend()) return;
            if (row.value)
                s.frontend().write("state", *row.value);
            else
                s.frontend().remove("state");
            s.settle();
            Directory directory(s, s.backend_path());
            expect_outcome(s, row, directory, s.maps() == maps && s.ports() == ports, [&] { return read_works(s); });
            s.expect(other.works(), "the other disk works", [&] { return shown(row); });
        });
}

void offer(Stage& s) {
    s.backend().state(2);
    s.settle();
    if (s.backend().join()) s.backend().ask_for_event();
    s.backend().write_properties();
    s.backend().state(4);
    s.settle();
}

TEST(BlkfrontBadNodes, EachNodeOfItsOwnWhenItBegins) {
    using enum Outcome;
    const std::vector<Row> rows = {
        {"backend", {}, waits},
        {"backend", "", waits},
        {"backend", "backend/vbd/1/51712", waits},
        {"backend", "/local/domain/77/backend/vbd/1/51712", waits},
        {"backend", kLong, waits},
        {"backend-id", {}, waits},
        {"backend-id", "", waits},
        {"backend-id", "zero", waits},
        {"backend-id", "-1", waits},
        {"backend-id", "32753", waits},
        {"backend-id", "4294967296", waits},
        {"state", {}, waits},
        {"state", "", works},
        {"state", "many", works},
        {"state", "9", works},
        {"virtual-device", {}, works},
        {"virtual-device", "many", works},
        {"device-type", {}, works},
        {"device-type", kLong, works},
    };
    for (const Row& row : rows)
        play_beside([&](Stage& s, OtherBackend& other) {
            const std::size_t grants = s.grants(), ports = s.ports();
            Directory directory(s, s.frontend_path());
            directory.make_anew(row, s.guest(), DomId{0});
            offer(s);
            expect_outcome(s, row, directory, s.grants() == grants && s.ports() == ports,
                           [&] { return user_read_works(s); });
            s.expect(other.works(), "the other disk works", [&] { return shown(row); });
            s.backend().leave();
            directory.remove();
            s.expect(other.works(), "the other disk works", [&] { return shown(row); });
            s.expect(s.grants() == grants && s.ports() == ports, "a device that is removed leaves nothing",
                     [&] { return shown(row); });
        });
}

TEST(BlkfrontBadNodes, EachNodeOfItsOwnChangedWhileItIsConnected) {
    using enum Outcome;
    const std::vector<Row> rows = {
        {"backend", {}, lets_go},
        {"backend", "", lets_go},
        {"backend", "/local/domain/77/backend/vbd/1/51712", lets_go},
        {"backend-id", {}, lets_go},
        {"backend-id", "zero", lets_go},
        {"backend-id", "77", anew},
        {"state", {}, lets_go},
        {"state", "1", anew},
        {"ring-ref", "garbled", works},
        {"ring-ref", {}, works},
        {"event-channel", "garbled", works},
        {"protocol", kLong, works},
        {"virtual-device", {}, works},
        {"device-type", "cdrom", works},
        {"feature-persistent", {}, works},
    };
    for (const Row& row : rows)
        play_beside([&](Stage& s, OtherBackend& other) {
            const std::size_t grants = s.grants(), ports = s.ports();
            if (!s.connect_backend()) return;
            const auto pending = s.read(10, 1);
            s.settle();
            Directory directory(s, s.frontend_path());
            directory.set(row);
            if (row.outcome != works) s.backend().leave();
            s.settle();
            s.expect(other.works(), "the other disk works", [&] { return shown(row); });
            if (row.outcome == works) s.backend().serve_all();
            s.settle();
            s.expect(pending->over && pending->well() == (row.outcome == works), "nobody waits for ever",
                     [&] { return shown(row); });
            expect_outcome(s, row, directory, s.grants() == grants && s.ports() == ports,
                           [&] { return user_read_works(s); });
            s.backend().leave();
            directory.remove();
            s.expect(other.works(), "the other disk works", [&] { return shown(row); });
            s.expect(s.grants() == grants && s.ports() == ports, "a device that is removed leaves nothing",
                     [&] { return shown(row); });
        });
}

TEST(BlkfrontBadNodes, ItsBackendsStateWhileItIsConnected) {
    for (const Text& value : std::vector<Text>{{}, "", "many", "0", "9", "7", "1"})
        play_beside([&](Stage& s, OtherBackend& other) {
            if (!s.connect_backend()) return;
            const Row row{"state", value, Outcome::works};
            if (value)
                s.backend().write("state", *value);
            else
                s.backend().remove("state");
            s.settle();
            Directory directory(s, s.frontend_path());
            expect_outcome(s, row, directory, false, [&] { return user_read_works(s); });
            s.expect(other.works(), "the other disk works", [&] { return shown(row); });
        });
}

}  // namespace
}  // namespace xenrig::blk
