// xenrig serve: a guest's disk for NBD clients, by way of nbdkit and our plugin; and the replay of what was recorded.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>

#include "commands.h"
#include "sim/serve/recording.h"
#include "xenrig/drivers/blk/file_disk.h"

namespace xenrig::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* kPlugin = "nbdkit-xenrig-plugin.so";

struct ServeArguments {
    std::string disk, socket, record, replay;
    std::optional<std::uint64_t> seed;
    bool read_only = false;
};

/// Beside this program, as it is built, or where an installation puts it.
std::optional<std::string> find_plugin() {
    std::error_code error;
    const fs::path here = fs::read_symlink("/proc/self/exe", error).parent_path();
    for (const fs::path& folder : {here, here / "../lib/xenrig"})
        if (fs::exists(folder / kPlugin, error)) return (folder / kPlugin).lexically_normal().string();
    return std::nullopt;
}

/// EINVAL when the path is too long for one.
Result<sockaddr_un> socket_address(const std::string& path) {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    if (path.size() >= sizeof address.sun_path)
        return fail(Errno::inval, path + ": too long for a unix socket, which has at most " +
                                      std::to_string(sizeof address.sun_path - 1) + " characters");
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

/// The folder of a file that is to be made.
Result<> check_folder(const std::string& path) {
    std::error_code error;
    const fs::path folder = fs::absolute(path).parent_path();
    if (!fs::is_directory(folder, error))
        return fail(Errno::noent, path + ": there is no folder " + folder.string() + "; make it first");
    if (::access(folder.c_str(), W_OK) != 0)
        return fail(Errno::access, path + ": nothing can be made in " + folder.string() + ": " + std::strerror(errno));
    return {};
}

/// Nothing may be there, and its folder must be.
Result<> check_socket(const std::string& path) {
    const auto address = socket_address(path);
    if (!address) return std::unexpected(address.error());
    struct stat st{};
    if (::lstat(path.c_str(), &st) != 0) return check_folder(path);
    if (!S_ISSOCK(st.st_mode))
        return fail(Errno::exist, path + ": is there already, and no socket; choose another name");
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool served = fd >= 0 && ::connect(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0;
    if (fd >= 0) ::close(fd);
    if (served) return fail(Errno::exist, path + ": another server listens here; stop it or choose another name");
    return fail(Errno::exist, path + ": left behind by a server that was killed; remove it: rm " + path);
}

int replay_recording(const ServeArguments& a) {
    const auto report = serve::replay(a.replay, a.disk);
    if (!report) return complain(report.error().message);
    std::printf("%llu requests in %llu batches, %llu steps\n", static_cast<unsigned long long>(report->requests),
                static_cast<unsigned long long>(report->batches), static_cast<unsigned long long>(report->steps));
    if (report->torn) std::printf("the recording ends in the middle of a batch, which was left out\n");
    std::printf("trace hash %016llx\n", static_cast<unsigned long long>(report->trace_hash));
    if (!report->recorded_hash) {
        std::printf("the recording has no end (its server was killed), so there is no hash to compare with\n");
        return kWell;
    }
    if (report->same()) return kWell;
    std::printf("the recorded run's was %016llx: is %s a copy of the image as it was before that run?\n",
                static_cast<unsigned long long>(*report->recorded_hash), a.disk.c_str());
    return kFoundWrong;
}

int serve_command(const ServeArguments& a) {
    if (!a.replay.empty()) return replay_recording(a);
    if (a.socket.empty()) return complain("serve needs --nbd SOCKET, the socket to listen on, or --replay FILE");
    // Looked at before anything starts; the plugin opens it again.
    const auto image = blk::FileDisk::open(a.disk, a.read_only);
    if (!image) {
        const bool rights = image.error().code == Errno::access || image.error().code == Errno::rofs;
        return complain(image.error().message + (rights && !a.read_only ? "; --read-only may do" : ""));
    }
    if (auto free = check_socket(a.socket); !free) return complain(free.error().message);
    if (!a.record.empty()) {
        if (auto folder = check_folder(a.record); !folder) return complain(folder.error().message);
        std::error_code error;
        if (fs::equivalent(a.record, a.disk, error))
            return complain(a.record + ": is the disk image; a recording there would be the end of it");
    }
    const auto plugin = find_plugin();
    if (!plugin)
        return complain(std::string(kPlugin) +
                        " is not beside this program: install nbdkit-plugin-dev and build xenrig again");

    const std::string socket = fs::absolute(a.socket).string();
    // nbdkit's own filter makes whole sectors of requests that are none.
    std::vector<std::string> args = {"nbdkit",
                                     "-f",
                                     "-U",
                                     socket,
                                     "--filter=blocksize",
                                     *plugin,
                                     "disk=" + fs::absolute(a.disk).string(),
                                     "minblock=512",
                                     "remove-socket=" + socket};
    if (a.read_only) {
        args.insert(args.begin() + 1, "-r");
        args.push_back("read-only=true");
    }
    if (a.seed) args.push_back("seed=" + std::to_string(*a.seed));
    if (!a.record.empty()) args.push_back("record=" + fs::absolute(a.record).string());
    std::vector<char*> argv;
    argv.reserve(args.size() + 1);
    for (std::string& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);

    std::fprintf(stderr, "xenrig: %s, %llu bytes%s, as nbd+unix:///?socket=%s; ends on SIGINT and SIGTERM\n",
                 a.disk.c_str(), static_cast<unsigned long long>((*image)->info().bytes),
                 a.read_only ? ", read-only" : "", socket.c_str());
    ::execvp("nbdkit", argv.data());
    if (errno == ENOENT) return complain("nbdkit is not installed; on Debian: apt install nbdkit");
    return complain(std::string("nbdkit can't be started: ") + std::strerror(errno));
}

}  // namespace

void add_serve(CLI::App& app, Action& chosen) {
    auto a = std::make_shared<ServeArguments>();
    CLI::App* command = app.add_subcommand("serve", "Serves a guest's disk to NBD clients");
    command->add_option("--disk", a->disk, "the image: a file of whole 512-byte sectors, or a block device")
        ->required();
    CLI::Option* nbd = command->add_option("--nbd", a->socket, "the unix socket to listen on");
    command->add_flag("--read-only", a->read_only, "the guest's disk can't be written");
    command->add_option("--seed", a->seed, "where the world's choices come from; without one all are the mildest");
    command->add_option("--record", a->record, "write what comes from outside to this file")->needs(nbd);
    command->add_option("--replay", a->replay, "run this recording again, on --disk, a copy of the recorded image")
        ->excludes(nbd);
    command->callback([a, &chosen] { chosen = [a] { return serve_command(*a); }; });
}

}  // namespace xenrig::cli
