// How a domain is asked to suspend, and how it and its devices come to an end.

#include <memory>
#include <mutex>

#include "sim/toolstack/toolstack.h"

extern "C" {
// xen.h first: the others lean on its types.
#include <xen/xen.h>

#include <xen/sched.h>
}

namespace xenrig::toolstack {

namespace {

std::string home(DomId domain) { return "/local/domain/" + std::to_string(domain.value); }

std::string ledger_of(DomId domain) { return "/libxl/" + std::to_string(domain.value) + "/device/vbd"; }

}  // namespace

Result<> Toolstack::wait_for(const std::string& path, const std::function<Result<bool>()>& done) {
    struct Change {
        IrqLock lock{"toolstack's watch"};
        WaitQueue seen;
        bool fired = true;
        explicit Change(const std::string& what) : seen("a change of " + what) {}
    };
    const auto change = std::make_shared<Change>(path);
    auto watch = store_.watch(path, [change](const std::string&) {
        const std::lock_guard held(change->lock);
        change->fired = true;
        change->seen.wake_all();
    });
    if (!watch) return std::unexpected(watch.error());
    for (;;) {
        {
            const std::lock_guard held(change->lock);
            change->seen.wait(change->lock, [&] { return change->fired; });
            change->fired = false;
        }
        const auto over = done();
        if (!over) return std::unexpected(over.error());
        if (*over) return {};
    }
}

Result<> Toolstack::suspend(DomId domain) {
    if (auto asked = store_.write(StoreTx::none, home(domain) + "/control/shutdown", "suspend"); !asked) return asked;
    return wait_for("@releaseDomain", [&]() -> Result<bool> {
        const auto info = host_.xen().info(domain);
        if (!info || info->dying) return fail(Errno::srch, "the domain died instead of suspending");
        if (!info->shut_down) return false;
        if (info->shutdown_reason == SHUTDOWN_suspend) return true;
        return fail(Errno::inval, "the domain shut down for another reason than suspend");
    });
}

Result<> Toolstack::cancel_suspend(DomId domain) {
    if (auto resumed = host_.xen().resume(domain); !resumed) return resumed;
    return host_.store().resume(domain);
}

Result<> Toolstack::wait_for_backend_closed(const std::string& backend) {
    return wait_for(backend + "/state", [&]() -> Result<bool> {
        const auto state = store_.read(StoreTx::none, backend + "/state");
        if (!state) return state.error().code == Errno::noent ? Result<bool>(true) : std::unexpected(state.error());
        return *state == "6";
    });
}

Result<std::string> Toolstack::backend_of(DomId domain, const std::string& number) {
    auto backend = store_.read(StoreTx::none, ledger_of(domain) + "/" + number + "/backend");
    if (!backend)
        return fail(backend.error().code, "domain " + std::to_string(domain.value) + " has no disk " + number);
    return backend;
}

Result<> Toolstack::remove_disk_nodes(DomId domain, const std::string& number, const std::string& backend) {
    return store_.transaction([&](StoreTx tx) -> Result<> {
        // A dead driver domain's nodes may be gone already, and a directory that is not there needs no removal.
        (void)store_.rm(tx, home(domain) + "/device/vbd/" + number);
        (void)store_.rm(tx, backend);
        return store_.rm(tx, ledger_of(domain) + "/" + number);
    });
}

Result<> Toolstack::remove_disk(DomId domain, unsigned number) {
    const std::string name = std::to_string(number);
    const auto backend = backend_of(domain, name);
    if (!backend) return std::unexpected(backend.error());
    const Result<> asked = store_.transaction([&](StoreTx tx) -> Result<> {
        if (auto done = store_.write(tx, *backend + "/online", "0"); !done) return done;
        return store_.write(tx, *backend + "/state", "5");
    });
    if (!asked) return asked;
    if (auto closed = wait_for_backend_closed(*backend); !closed) return closed;
    return remove_disk_nodes(domain, name, *backend);
}

Result<> Toolstack::wait_until_closed(DomId domain, unsigned number) {
    const auto backend = backend_of(domain, std::to_string(number));
    return backend ? wait_for_backend_closed(*backend) : std::unexpected(backend.error());
}

std::string Toolstack::device_error(DomId domain, unsigned number) {
    const auto backend = backend_of(domain, std::to_string(number));
    if (!backend) return {};
    // error/<path of the device>, in the home of who wrote it.
    const std::string path = "/backend/vbd/" + std::to_string(domain.value) + "/" + std::to_string(number);
    const std::string backend_home = backend->substr(0, backend->size() - path.size());
    const std::string nodes[] = {backend_home + "/error" + path,
                                 home(domain) + "/error/device/vbd/" + std::to_string(number)};
    for (const std::string& node : nodes)
        if (auto said = store_.read(StoreTx::none, node + "/error")) return *said;
    return {};
}

Result<> Toolstack::force_remove_disk(DomId domain, unsigned number) {
    const std::string name = std::to_string(number);
    const auto backend = backend_of(domain, name);
    return backend ? remove_disk_nodes(domain, name, *backend) : std::unexpected(backend.error());
}

Result<> Toolstack::remove_devices(DomId domain) {
    // The frontend is gone or stands still, so there is nobody to close with: its directories go first, and each
    // backend finishes what it has in progress and closes alone.
    (void)store_.rm(StoreTx::none, home(domain) + "/device");
    const auto numbers = store_.directory(StoreTx::none, ledger_of(domain));
    if (!numbers) return numbers.error().code == Errno::noent ? Result<>{} : std::unexpected(numbers.error());
    for (const std::string& number : *numbers) {
        const auto backend = backend_of(domain, number);
        if (!backend) return std::unexpected(backend.error());
        if (auto closed = wait_for_backend_closed(*backend); !closed) return closed;
        if (auto removed = remove_disk_nodes(domain, number, *backend); !removed) return removed;
    }
    return {};
}

Result<> Toolstack::destroy(DomId domain) {
    if (auto killed = host_.xen().kill_domain(domain); !killed) return killed;
    if (auto removed = remove_devices(domain); !removed) return removed;
    // The store may have noticed the death by itself.
    (void)host_.store().release(domain);
    if (auto destroyed = host_.xen().destroy_domain(domain); !destroyed) return destroyed;
    (void)store_.rm(StoreTx::none, "/libxl/" + std::to_string(domain.value));
    return store_.rm(StoreTx::none, home(domain));
}

}  // namespace xenrig::toolstack
