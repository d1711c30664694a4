// xenrig xenstored: the store behind a unix socket, for Xen's own tools and libxenstore.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <string>

#include "commands.h"
#include "sim/image/file.h"
#include "sim/xenstore/socket/socket_door.h"
#include "sim/xenstore/state_image.h"
#include "whole_file.h"

namespace xenrig::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* kUsage =
    "Example:\n"
    "  xenrig xenstored --socket /tmp/xenstore &\n"
    "  export XENSTORED_PATH=/tmp/xenstore\n"
    "  xenstore-write /vm/name guest\n"
    "  xenstore-ls -f -p\n"
    "\n"
    "Any program on libxenstore finds it by XENSTORED_PATH, as a privileged client in dom0. It runs until SIGINT or\n"
    "SIGTERM, and then removes the socket. A socket that a killed daemon left behind is taken over.";

struct XenstoredArguments {
    std::string socket, personality = "c", dump, restore;
};

Result<xenstore::StateImage> read_dump(const std::string& path) {
    const auto stream = read_whole_file(path);
    if (!stream) return std::unexpected(stream.error());
    if (stream->empty()) return fail(Errno::noent, path + ": is empty; --restore takes a file that --dump wrote");
    auto image = xenstore::decode(*stream);
    if (!image) return fail(image.error().code, path + ": " + image.error().message);
    return image;
}

Result<> write_dump(const std::string& path, const xenstore::StateImage& image) {
    auto file = image::File::create(path);
    if (!file) return std::unexpected(file.error());
    const std::string stream = xenstore::encode(image);
    file->write(std::as_bytes(std::span(stream)));
    return file->commit();
}

int xenstored_command(const XenstoredArguments& a) {
    const bool c = a.personality == "c";
    xenstore::StateImage restored;
    if (!a.restore.empty()) {
        auto image = read_dump(a.restore);
        if (!image) return complain(image.error().message);
        restored = std::move(*image);
    }
    // A dump that can't be written is better known now, while there is nothing to lose.
    if (!a.dump.empty())
        if (auto probe = image::File::create(a.dump); !probe) return complain(probe.error().message);

    xenstore::SocketDoorConfig config{.path = a.socket};
    config.personality = c ? xenstore::Personality::c : xenstore::Personality::o;
    if (!a.restore.empty()) config.restore = &restored;
    config.ready = [&a, c] {
        std::printf("xenrig: %s is ready; for its clients: export XENSTORED_PATH=%s\n", c ? "xenstored" : "oxenstored",
                    fs::absolute(a.socket).c_str());
        std::fflush(stdout);
    };
    Result<> kept;
    if (!a.dump.empty()) config.dump = [&](const xenstore::StateImage& image) { kept = write_dump(a.dump, image); };
    if (auto served = xenstore::run_xenstored(config); !served) return complain(served.error().message);
    return kept ? kWell : complain(kept.error().message);
}

}  // namespace

void add_xenstored(CLI::App& app, Action& chosen) {
    auto a = std::make_shared<XenstoredArguments>();
    CLI::App* command = app.add_subcommand("xenstored", "Serves a xenstore on a unix socket to Xen's tools");
    command->footer(kUsage);
    command->add_option("--socket", a->socket, "the unix socket to listen on")->required();
    command->add_option("--personality", a->personality, "c: C xenstored's development head; o: oxenstored 4.17 (c)")
        ->check(CLI::IsMember({"c", "o"}));
    command->add_option("--dump", a->dump, "at the end, write the store to this file, as Xen's migration stream");
    command->add_option("--restore", a->restore, "begin with the store of such a file");
    command->callback([a, &chosen] { chosen = [a] { return xenstored_command(*a); }; });
}

}  // namespace xenrig::cli
