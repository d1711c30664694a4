// The nbdkit plugin (nbdkit-plugin(3)): each request of an NBD client becomes one of the world's.
//
// nbdkit calls from as many threads as it likes; they meet in the server's queue. The world is made after nbdkit has
// forked, for threads do not survive a fork.
#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <unistd.h>

#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "sim/serve/disk_server.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

namespace {

using xenrig::serve::DiskServer;
using xenrig::serve::Request;

xenrig::serve::ServerOptions options;
std::unique_ptr<DiskServer> server;
/// nbdkit makes the socket, and leaves it behind.
std::string socket_to_remove;

void remove_socket() {
    if (!socket_to_remove.empty()) ::unlink(socket_to_remove.c_str());
    socket_to_remove.clear();
}

/// Xen's error numbers are Linux's wherever both have one.
int answer(const xenrig::Result<>& result) {
    if (result) return 0;
    nbdkit_error("%s", result.error().to_string().c_str());
    nbdkit_set_error(static_cast<int>(result.error().code));
    return -1;
}

int config(const char* key, const char* value) {
    if (std::strcmp(key, "disk") == 0) {
        char* path = nbdkit_absolute_path(value);
        if (!path) return -1;
        options.disk.image = path;
        std::free(path);
    } else if (std::strcmp(key, "read-only") == 0) {
        const int flag = nbdkit_parse_bool(value);
        if (flag < 0) return -1;
        options.disk.read_only = flag != 0;
    } else if (std::strcmp(key, "seed") == 0) {
        std::uint64_t seed;
        if (nbdkit_parse_uint64_t("seed", value, &seed) < 0) return -1;
        options.disk.seed = seed;
    } else if (std::strcmp(key, "record") == 0) {
        char* path = nbdkit_absolute_path(value);
        if (!path) return -1;
        options.recording = path;
        std::free(path);
    } else if (std::strcmp(key, "remove-socket") == 0) {
        socket_to_remove = value;
    } else {
        nbdkit_error("unknown parameter '%s'; there are disk, read-only, seed, record and remove-socket", key);
        return -1;
    }
    return 0;
}

int config_complete() {
    if (!options.disk.image.empty()) return 0;
    nbdkit_error("which image? disk=FILE is missing");
    return -1;
}

int after_fork() {
    // A write beyond the file size limit is an error like a full disk, not the end of the server.
    std::signal(SIGXFSZ, SIG_IGN);
    options.complain = [](const std::string& what) { nbdkit_error("%s", what.c_str()); };
    auto started = DiskServer::start(options);
    if (!started) {
        nbdkit_error("%s", started.error().to_string().c_str());
        remove_socket();
        return -1;
    }
    server = std::move(*started);
    return 0;
}

/// No client and no thread of nbdkit's is left.
void cleanup() {
    remove_socket();
    if (!server) return;
    const auto report = server->stop();
    server.reset();
    if (!report) return nbdkit_error("%s", report.error().to_string().c_str());
    std::fprintf(stderr,
                 "xenrig: %" PRIu64 " requests in %" PRIu64 " batches: %" PRIu64 " bytes read, %" PRIu64
                 " written\nxenrig: %" PRIu64 " ring requests, %" PRIu64 " grant maps, %" PRIu64
                 " events sent, %" PRIu64 " hypercalls, %" PRIu64 " steps\nxenrig: trace hash %016" PRIx64 "\n",
                 report->requests, report->batches, report->bytes_read, report->bytes_written,
                 report->world.ring_requests, report->world.grant_maps, report->world.events_sent,
                 report->world.hypercalls, report->steps, report->trace_hash);
}

void* open(int) { return NBDKIT_HANDLE_NOT_NEEDED; }
int64_t get_size(void*) { return static_cast<int64_t>(server->bytes()); }
int can_write(void*) { return server->read_only() ? 0 : 1; }
int can_flush(void*) { return 1; }
int can_fua(void*) { return server->read_only() ? NBDKIT_FUA_NONE : NBDKIT_FUA_NATIVE; }
/// All connections are the one guest's, so a flush on any of them covers the writes of all.
int can_multi_conn(void*) { return 1; }

int block_size(void*, uint32_t* minimum, uint32_t* preferred, uint32_t* maximum) {
    *minimum = 512;
    *preferred = 4096;
    *maximum = 32u << 20;
    return 0;
}

int pread(void*, void* buf, uint32_t count, uint64_t offset, uint32_t) {
    Request request{.kind = Request::Kind::read, .offset = offset, .into = {static_cast<std::byte*>(buf), count}};
    return answer(server->perform(request));
}

int pwrite(void*, const void* buf, uint32_t count, uint64_t offset, uint32_t flags) {
    Request request{.kind = Request::Kind::write,
                    .durable = (flags & NBDKIT_FLAG_FUA) != 0,
                    .offset = offset,
                    .bytes = {static_cast<const std::byte*>(buf), count}};
    return answer(server->perform(request));
}

int flush(void*, uint32_t) {
    Request request{.kind = Request::Kind::flush};
    return answer(server->perform(request));
}

nbdkit_plugin describe() {
    nbdkit_plugin p{};
    p.name = "xenrig";
    p.longname = "Xenrig";
    p.description = "a disk of a simulated Xen guest: blkfront, ring, grants, blkback, image";
    p.config = config;
    p.config_complete = config_complete;
    p.config_help =
        "disk=FILE         the image (required)\n"
        "read-only=BOOL    the guest's disk can't be written\n"
        "seed=N            where the world's choices come from\n"
        "record=FILE       record what comes from outside\n"
        "remove-socket=S   remove this file at the end";
    p.magic_config_key = "disk";
    p.after_fork = after_fork;
    p.cleanup = cleanup;
    p.open = open;
    p.get_size = get_size;
    p.can_write = can_write;
    p.can_flush = can_flush;
    p.can_fua = can_fua;
    p.can_multi_conn = can_multi_conn;
    p.block_size = block_size;
    p.pread = pread;
    p.pwrite = pwrite;
    p.flush = flush;
    p.errno_is_preserved = 0;
    return p;
}

nbdkit_plugin plugin = describe();

}  // namespace

NBDKIT_REGISTER_PLUGIN(plugin)
