// xenrig backend: the block backend of the simulator as the backend of a real domain, in a process of dom0.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>

#include "attached_disk.h"
#include "backend_signals.h"
#include "commands.h"
#include "counted_storage.h"
#include "image_file.h"
#include "xenrig/abi/vbd.h"
#include "xenrig/host/platform.h"
#include "xenrig/xenbus/nodes.h"

namespace xenrig::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* kUsage =
    "Gives a domain of the Xen that this machine runs on one more disk, and serves it from a file or a block device.\n"
    "Run it as root in dom0. It is the toolstack of this disk, too: xl need not know of it.\n"
    "\n"
    "A disk for a guest that runs:\n"
    "  truncate -s 1G data.img\n"
    "  xenrig backend --disk data.img --domid $(xl domid web) --vdev xvdb\n"
    "  (in the guest) mkfs.ext4 /dev/xvdb; mount /dev/xvdb /mnt\n"
    "\n"
    "A guest that boots from it:\n"
    "  xl create -p web.cfg; xenrig backend --disk root.img --domid $(xl domid web) --vdev xvda & xl unpause web\n"
    "\n"
    "Ctrl-C (SIGINT, SIGTERM) asks the guest to let go of the disk and ends when it has; unmount it there first. A\n"
    "second one takes the disk away at once. When the domain ends, so does the command. After a kill -9, the same\n"
    "command goes on where the killed one stood, with no request lost, unless it was told --io uring.\n"
    "\n"
    "A larger disk: truncate -s 2G data.img; kill -HUP the command. The guest hears of its new size.";

constexpr std::array<const char*, 7> kFeatures = {"flush",      "barrier",    "discard",    "indirect",
                                                  "persistent", "ring-pages", "multi-queue"};

struct BackendArguments {
    std::string disk, vdev = "xvdb", format = "raw", io = "ordered";
    std::uint16_t domid = 0;
    bool read_only = false;
    std::vector<std::string> features{"all"};
    unsigned vcpus = 2;
};

Result<blk::BlkbackOptions> parse_features(const std::vector<std::string>& names) {
    const auto offered = [&](const char* name) {
        return std::ranges::find(names, name) != names.end() || std::ranges::find(names, "all") != names.end();
    };
    for (const std::string& name : names)
        if (name != "all" && name != "none" && std::ranges::find(kFeatures, name) == kFeatures.end()) {
            std::string known = "all, none";
            for (const char* feature : kFeatures) known += std::string(", ") + feature;
            return fail(Errno::inval, "--features knows no '" + name + "', but " + known);
        }
    blk::BlkbackOptions o;
    o.flush = offered("flush");
    o.barrier = offered("barrier");
    o.discard = offered("discard");
    if (!offered("indirect")) o.indirect_segments = 0;
    if (!offered("persistent")) o.persistent_grants = 0;
    if (!offered("ring-pages")) o.ring_page_order = 0;
    if (!offered("multi-queue")) o.queues = 1;
    return o;
}

/// One server a device, by a name that the kernel forgets when its owner dies, however that is.
class OneServer {
public:
    explicit OneServer(const DiskPlace& place) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
        const std::string name = "xenrig " + place.device();
        std::memcpy(address.sun_path + 1, name.data(), name.size());
        const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
        first_ = ::bind(fd_, reinterpret_cast<const sockaddr*>(&address), length) == 0;
    }
    ~OneServer() { ::close(fd_); }
    OneServer(const OneServer&) = delete;
    OneServer& operator=(const OneServer&) = delete;

    bool first() const { return first_; }

private:
    int fd_;
    bool first_ = false;
};

const char* describe(AttachedDisk::End end) {
    switch (end) {
        case AttachedDisk::End::unplugged:
            return "the guest has let go of the disk";
        case AttachedDisk::End::abandoned:
            return "taken away from the guest";
        case AttachedDisk::End::domain_gone:
            return "the domain is gone";
        case AttachedDisk::End::removed:
            return "somebody removed the disk from the store";
    }
    return "";
}

int backend_command(const BackendArguments& a) {
    const auto number = parse_vbd(a.vdev);
    if (!number) return complain("--vdev: " + number.error().message);
    if (a.format != "raw")
        return complain("--format " + a.format + ": only raw images are served; qemu-img convert -O raw makes one");
    const auto options = parse_features(a.features);
    if (!options) return complain(options.error().message);
    // Looked at before the guest hears of a disk.
    if (const auto image = ImageFile::look(a.disk, a.read_only); !image) return complain(image.error().message);

    const BackendSignals signals;
    auto platform = host::HostPlatform::open({.vcpus = a.vcpus});
    if (!platform) return complain(platform.error().message);
    const DiskPlace place{
        DomId(static_cast<std::uint16_t>(xenbus::read_number((*platform)->store(), "domid", 0x7fef).value_or(0))),
        DomId(a.domid), *number};
    const OneServer only(place);
    if (!only.first()) return complain("another xenrig serves " + a.vdev + " of this domain");

    const std::string device = "d" + std::to_string(a.domid) + ' ' + vbd_name(*number);
    const auto say = [&device](const std::string& what) {
        std::printf("xenrig: %s: %s\n", device.c_str(), what.c_str());
        std::fflush(stdout);
    };
    CountedStorage::Counts counts;
    ImageFile image(a.disk, a.io == "uring" ? ImageFile::Io::side_by_side : ImageFile::Io::ordered, **platform);
    const blk::StorageFactory storage = [&](const blk::StorageRequest& r) -> Result<std::shared_ptr<blk::Storage>> {
        auto file = image.open(a.read_only || r.read_only);
        if (!file) return std::unexpected(file.error());
        return std::make_shared<CountedStorage>(std::move(*file), counts);
    };
    AttachedDisk disk(**platform, place, fs::absolute(a.disk).string(), a.read_only, storage, *options, say);
    std::optional<Result<AttachedDisk::End>> ended;
    (*platform)->spawn("attached disk", TaskRole::work, [&] {
        ended = disk.run();
        signals.tell_over();
    });
    unsigned times = 0;
    for (auto signal = signals.wait(); signal != BackendSignals::Signal::over; signal = signals.wait()) {
        if (signal == BackendSignals::Signal::end)
            times++ == 0 ? disk.unplug() : disk.abandon();
        else
            say(image.take_size());
    }

    const host::Held held = (*platform)->held();
    if (!*ended) return complain(ended->error().message);
    say(std::string(describe(**ended)) + "; " + counts.describe());
    if (held.ports == 0 && held.pages == 0) return kWell;
    say(std::to_string(held.ports) + " ports and " + std::to_string(held.pages) + " pages were still held");
    return kFoundWrong;
}

}  // namespace

void add_backend(CLI::App& app, Action& chosen) {
    auto a = std::make_shared<BackendArguments>();
    CLI::App* command = app.add_subcommand("backend", "Serves a disk to a domain of a real Xen");
    command->footer(kUsage);
    command->add_option("--disk", a->disk, "the image: a file of whole 512-byte sectors, or a block device")
        ->required();
    command->add_option("--domid", a->domid, "the domain that gets the disk; `xl domid NAME` says it")
        ->required()
        ->check(CLI::Range(1, 0x7fef));
    command->add_option("--vdev", a->vdev, "its name in the guest, as in xl.cfg: xvdb, sda, hdc1, 51728 (xvdb)");
    command->add_flag("--read-only", a->read_only,
                      "the guest can't write; needed for an image without write permission");
    command
        ->add_option("--io", a->io,
                     "ordered: one operation after the other, so that a kill -9 loses none; uring: side by side, by "
                     "io_uring or a thread (ordered)")
        ->check(CLI::IsMember({"ordered", "uring"}));
    command->add_option("--format", a->format, "raw, and nothing else (raw)");
    command
        ->add_option(
            "--features", a->features,
            "what the guest is offered, of flush,barrier,discard,indirect,persistent,ring-pages,multi-queue; all "
            "or none (all)")
        ->delimiter(',');
    command->add_option("--vcpus", a->vcpus, "threads that serve (2)")->check(CLI::Range(1, 64));
    command->callback([a, &chosen] { chosen = [a] { return backend_command(*a); }; });
}

}  // namespace xenrig::cli
