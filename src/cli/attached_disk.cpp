#include "attached_disk.h"

#include <mutex>
#include <utility>

#include "xenrig/abi/vbd.h"
#include "xenrig/xenbus/device.h"
#include "xenrig/xenbus/nodes.h"

namespace xenrig::cli {

namespace {

using xenbus::State;

std::string home(DomId domain) { return "/local/domain/" + std::to_string(domain.value); }

State read_state(Store& store, const std::string& directory) {
    const auto node = store.read(StoreTx::none, directory + "/state");
    return node ? xenbus::parse_state(*node) : State::unknown;
}

bool missing(Store& store, const std::string& path) {
    const auto node = store.read(StoreTx::none, path);
    return !node && node.error().code == Errno::noent;
}

/// A node with its own permissions: read by the other end.
Result<> make(Store& store, StoreTx tx, const std::string& path, std::string_view value, DomId owner, DomId reader) {
    if (auto written = store.write(tx, path, value); !written) return written;
    return store.set_perms(tx, path, {{owner}, {reader, true, false}});
}

/// How the two ends have agreed to talk, as the frontend has written it.
std::string describe_transport(Store& store, const std::string& back, const std::string& front) {
    const auto queues = xenbus::read_number_or<std::uint32_t>(store, front + "/multi-queue-num-queues", 1);
    const auto order = xenbus::read_number_or<std::uint32_t>(store, front + "/ring-page-order", 0);
    std::string text = std::to_string(queues) + (queues == 1 ? " ring of " : " rings of ");
    text += std::to_string(1u << (order & 31)) + (order == 0 ? " page" : " pages");
    if (xenbus::read_feature(store, back + "/feature-persistent") &&
        xenbus::read_feature(store, front + "/feature-persistent"))
        text += ", persistent grants";
    return text + ", " + store.read(StoreTx::none, front + "/protocol").value_or("the native protocol");
}

}  // namespace

std::string DiskPlace::front() const { return home(frontend) + "/device/vbd/" + std::to_string(number); }
std::string DiskPlace::back() const { return home(backend) + '/' + device(); }
std::string DiskPlace::device() const {
    return "backend/xenrig/" + std::to_string(frontend.value) + '/' + std::to_string(number);
}

AttachedDisk::AttachedDisk(Platform& platform, DiskPlace place, std::string image, bool read_only,
                           blk::StorageFactory storage, blk::BlkbackOptions options,
                           std::function<void(const std::string&)> say)
    : platform_(platform),
      store_(platform.store()),
      place_(place),
      image_(std::move(image)),
      read_only_(read_only),
      storage_(std::move(storage)),
      options_(options),
      say_(std::move(say)) {}

void AttachedDisk::poke() {
    const std::lock_guard held(lock_);
    look_ = true;
    news_.wake_all();
}

void AttachedDisk::unplug() {
    {
        const std::lock_guard held(lock_);
        unplug_ = true;
    }
    poke();
}

void AttachedDisk::abandon() {
    {
        const std::lock_guard held(lock_);
        abandon_ = true;
    }
    poke();
}

Result<> AttachedDisk::check_domain() {
    const auto there = store_.directory(StoreTx::none, home(place_.frontend));
    if (there) return {};
    if (there.error().code != Errno::noent) return std::unexpected(there.error());
    return fail(Errno::noent,
                "there is no domain " + std::to_string(place_.frontend.value) + "; `xl list` shows those that run");
}

Result<> AttachedDisk::make_nodes() {
    const DomId back_id = place_.backend, front_id = place_.frontend;
    const std::string back = place_.back(), front = place_.front(), number = std::to_string(place_.number);
    const std::pair<const char*, std::string> back_nodes[] = {
        {"", ""},
        {"/frontend", front},
        {"/frontend-id", std::to_string(front_id.value)},
        {"/params", image_},
        {"/type", "file"},
        {"/mode", read_only_ ? "r" : "w"},
        {"/dev", vbd_name(place_.number)},
        {"/device-type", "disk"},
        {"/removable", "0"},
        {"/bootable", "1"},
        {"/online", "1"},
        {"/state", xenbus::to_node(State::initialising)},
    };
    const std::pair<const char*, std::string> front_nodes[] = {
        {"", ""},
        {"/backend", back},
        {"/backend-id", std::to_string(back_id.value)},
        {"/virtual-device", number},
        {"/device-type", "disk"},
        {"/state", xenbus::to_node(State::initialising)},
    };
    return store_.transaction([&](StoreTx tx) -> Result<> {
        if (store_.read(tx, front + "/backend"))
            return fail(Errno::exist, "domain " + std::to_string(front_id.value) + " has a device " +
                                          vbd_name(place_.number) + " already; choose another --vdev");
        for (const auto& [name, value] : back_nodes)
            if (auto made = make(store_, tx, back + name, value, back_id, front_id); !made) return made;
        for (const auto& [name, value] : front_nodes)
            if (auto made = make(store_, tx, front + name, value, front_id, back_id); !made) return made;
        return {};
    });
}

Result<> AttachedDisk::remove_nodes() {
    return store_.transaction([&](StoreTx tx) -> Result<> {
        // The frontend's directory only while it names us: another backend may have it by now.
        const auto named = store_.read(tx, place_.front() + "/backend");
        if (named && *named == place_.back())
            if (auto gone = store_.rm(tx, place_.front()); !gone) return gone;
        // And what is empty without us, upwards.
        std::string path = place_.back();
        for (int level = 0; level < 3; ++level, path.resize(path.rfind('/'))) {
            const auto children = store_.directory(tx, path);
            if (level > 0 && children && !children->empty()) break;
            if (auto gone = store_.rm(tx, path); !gone && gone.error().code != Errno::noent) return gone;
        }
        return {};
    });
}

/// Leaves both directories as this server needs them: made, or taken over.
Result<> AttachedDisk::prepare() {
    if (auto there = check_domain(); !there) return there;
    const auto named = store_.read(StoreTx::none, place_.front() + "/backend");
    const bool ours = named && *named == place_.back();
    if (!ours) {
        // What may be left of ours belongs to a frontend that is gone.
        if (auto removed = remove_nodes(); !removed) return removed;
        return make_nodes();
    }
    const State own = read_state(store_, place_.back());
    if (own == State::unknown || own == State::closing || own == State::closed) {
        if (auto removed = remove_nodes(); !removed) return removed;
        return make_nodes();
    }
    say_(std::string("taking over from a server that is gone; the frontend is in ") +
         xenbus::name(read_state(store_, place_.front())));
    return store_.write(StoreTx::none, place_.back() + "/params", image_);
}

/// The device on the bus, and what the loop has seen of it.
class AttachedDisk::Serving {
public:
    explicit Serving(AttachedDisk& disk)
        : disk_(disk), device_(disk.platform_, xenbus::Side::backend, disk.place_.device()) {
        driver_ = std::make_unique<blk::Blkback>(disk.platform_, disk.place_.device(), device_.link(), disk.storage_,
                                                 disk.options_);
    }

    Result<> start() {
        Store& store = disk_.store_;
        for (const std::string& path : {disk_.place_.back(), disk_.place_.front()}) {
            auto watch = store.watch(path, [this](const std::string&) { disk_.poke(); });
            if (!watch) return fail(watch.error().code, "watching " + path + ": " + watch.error().message);
            watches_.push_back(std::move(*watch));
        }
        auto peer = xenbus::read_peer(store, xenbus::Side::backend, disk_.place_.device());
        if (!peer) return std::unexpected(peer.error());
        device_.start(std::make_unique<xenbus::Backend>(device_.endpoint(), *driver_), std::move(*peer), {});
        return {};
    }

    /// The end, when it has come.
    Result<std::optional<End>> look(bool unplug) {
        Store& store = disk_.store_;
        const std::string back = disk_.place_.back(), front = disk_.place_.front();
        if (missing(store, back + "/state")) return End::removed;
        if (missing(store, front + "/backend")) return End::domain_gone;

        const State own = read_state(store, back), frontend = read_state(store, front);
        tell(own, frontend);
        const bool idle = frontend == State::unknown || frontend == State::initialising || frontend == State::closed;
        const bool offline = unplug || !xenbus::read_feature(store, back + "/online");
        if (offline && idle && own != State::connected) return End::unplugged;
        if (unplug && !asked_) {
            asked_ = true;
            disk_.say_("asking the guest to let go of the disk; a second signal takes it away at once");
            const auto asked = store.transaction([&](StoreTx tx) -> Result<> {
                if (auto written = store.write(tx, back + "/online", "0"); !written) return written;
                if (own == State::closing || own == State::closed) return {};
                return store.write(tx, back + "/state", xenbus::to_node(State::closing));
            });
            if (!asked) return std::unexpected(asked.error());
        }
        return std::nullopt;
    }

    void stop() {
        watches_.clear();
        device_.stop();
    }

private:
    void tell(State own, State frontend) {
        const std::pair now(own, frontend);
        if (now == std::exchange(seen_, now)) return;
        if (own == State::connected && frontend == State::connected)
            return say("connected: " + describe_transport(disk_.store_, disk_.place_.back(), disk_.place_.front()));
        if (own == State::init_wait && frontend == State::initialising)
            return say("offered; waiting for the guest's driver");
        if (own == State::closing || own == State::closed) {
            const auto why = disk_.store_.read(StoreTx::none, "error/" + disk_.place_.device() + "/error");
            say(std::string("the backend is in ") + xenbus::name(own) + ", the frontend in " + xenbus::name(frontend) +
                (why ? ": " + *why : ""));
        }
    }
    /// A server that takes over passes through states twice.
    void say(std::string what) {
        if (what == said_) return;
        disk_.say_(what);
        said_ = std::move(what);
    }

    AttachedDisk& disk_;
    std::unique_ptr<blk::Blkback> driver_;
    xenbus::Device device_;
    std::vector<Watch> watches_;
    bool asked_ = false;
    std::string said_;
    std::pair<State, State> seen_{State::unknown, State::unknown};
};

Result<AttachedDisk::End> AttachedDisk::run() {
    if (auto prepared = prepare(); !prepared) return std::unexpected(prepared.error());
    Serving serving(*this);
    Result<std::optional<End>> end{std::nullopt};
    if (auto started = serving.start(); !started) end = std::unexpected(started.error());
    while (end && !*end) {
        bool unplug;
        {
            const std::lock_guard held(lock_);
            news_.wait(lock_, [this] { return look_; });
            look_ = false;
            unplug = unplug_;
            if (abandon_) end = End::abandoned;
        }
        if (!*end) end = serving.look(unplug);
    }
    serving.stop();
    const auto removed = remove_nodes();
    if (!end) return std::unexpected(end.error());
    if (!removed) return fail(removed.error().code, "removing the disk's nodes: " + removed.error().message);
    return **end;
}

}  // namespace xenrig::cli
