#include "xenrig/host/store.h"

#include <charconv>
#include <cstdlib>

#include "call_thread.h"
#include "host_errno.h"
#include "poll_thread.h"
#include "sim/threads/thread_machine.h"
#include "watches.h"
#include "xenrig/platform/scheduler.h"

extern "C" {
#include <xenstore.h>
}

namespace xenrig::host {

namespace {

struct Freed {
    void operator()(void* memory) const { std::free(memory); }
};
template <class T>
using Malloced = std::unique_ptr<T, Freed>;

/// A daemon that is gone shows itself by what happens to its socket.
std::unexpected<Error> store_failure(const std::string& what, int number = errno) {
    if (number == EBADF || number == EPIPE || number == ECONNRESET || number == ENOTCONN)
        return fail(Errno::io, what + ": xenstored is gone");
    return host_failure(what, number);
}

xs_transaction_t wire(StoreTx tx) { return static_cast<xs_transaction_t>(tx); }

}  // namespace

/// libxenstore's handle, the thread that makes its calls, and the thread that takes its watch events.
class HostStore::Connection {
public:
    Connection(xs_handle* handle, Watches& watches, Scheduler& outside)
        : handle_(handle),
          calls_("xenstored", outside),
          events_(::xs_fileno(handle), outside, [handle, &watches] { take_events(handle, watches); }) {}

    /// `call(handle)` gives a Result<T>. What it captures it owns.
    template <class T, class Call>
    Result<T> ask(Call call) {
        const auto answer = std::make_shared<Result<T>>();
        calls_.make([answer, call = std::move(call), handle = handle_.get()] { *answer = call(handle); });
        return std::move(*answer);
    }

    /// For calls whose answer is yes or an errno.
    template <class Call>
    Result<> ask_ok(std::string what, Call call) {
        return ask<void>([what = std::move(what), call = std::move(call)](xs_handle* h) -> Result<> {
            if (call(h)) return {};
            return store_failure(what);
        });
    }

private:
    struct Closed {
        void operator()(xs_handle* h) const { ::xs_close(h); }
    };

    static void take_events(xs_handle* handle, Watches& watches) {
        for (;;) {
            const Malloced<char*> event(::xs_check_watch(handle));
            if (!event) return;
            const std::string_view token = event.get()[XS_WATCH_TOKEN];
            std::uint64_t number = 0;
            std::from_chars(token.data(), token.data() + token.size(), number);
            watches.queue(number, event.get()[XS_WATCH_PATH]);
        }
    }

    std::unique_ptr<xs_handle, Closed> handle_;
    CallThread calls_;
    PollThread events_;
};

Result<std::unique_ptr<HostStore>> HostStore::open(threads::ThreadMachine& machine) {
    xs_handle* const handle = ::xs_open(0);
    if (!handle)
        return host_failure(
            "no xenstore (is this a domain of a Xen with xenstored running? XENSTORED_PATH names another socket)");
    auto watches = std::make_unique<Watches>();
    auto connection = std::make_unique<Connection>(handle, *watches, machine.outside());
    std::unique_ptr<HostStore> store(new HostStore(std::move(connection)));
    store->watches_ = std::move(watches);
    return store;
}

HostStore::HostStore(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}

HostStore::~HostStore() = default;

void HostStore::serve_watches() { watches_->serve(); }

std::size_t HostStore::watches_in_use() const { return watches_->size(); }

namespace {

/// libxenstore takes paths as C strings.
Result<> check_path(const std::string& path) {
    if (path.find('\0') == std::string::npos) return {};
    return fail(Errno::inval, "a store path has no nul in it");
}

}  // namespace

Result<std::string> HostStore::read(StoreTx tx, const std::string& path) {
    if (auto good = check_path(path); !good) return std::unexpected(good.error());
    return connection_->ask<std::string>([tx, path](xs_handle* h) -> Result<std::string> {
        unsigned length = 0;
        const Malloced<char> value(static_cast<char*>(::xs_read(h, wire(tx), path.c_str(), &length)));
        if (!value) return store_failure("READ " + path);
        return std::string(value.get(), length);
    });
}

Result<> HostStore::write(StoreTx tx, const std::string& path, std::string_view value) {
    if (auto good = check_path(path); !good) return good;
    return connection_->ask_ok("WRITE " + path, [tx, path, value = std::string(value)](xs_handle* h) {
        return ::xs_write(h, wire(tx), path.c_str(), value.data(), static_cast<unsigned>(value.size()));
    });
}

Result<> HostStore::mkdir(StoreTx tx, const std::string& path) {
    if (auto good = check_path(path); !good) return good;
    return connection_->ask_ok("MKDIR " + path,
                               [tx, path](xs_handle* h) { return ::xs_mkdir(h, wire(tx), path.c_str()); });
}

Result<> HostStore::rm(StoreTx tx, const std::string& path) {
    if (auto good = check_path(path); !good) return good;
    return connection_->ask_ok("RM " + path, [tx, path](xs_handle* h) { return ::xs_rm(h, wire(tx), path.c_str()); });
}

Result<std::vector<std::string>> HostStore::directory(StoreTx tx, const std::string& path) {
    using Names = std::vector<std::string>;
    if (auto good = check_path(path); !good) return std::unexpected(good.error());
    return connection_->ask<Names>([tx, path](xs_handle* h) -> Result<Names> {
        unsigned count = 0;
        const Malloced<char*> names(::xs_directory(h, wire(tx), path.c_str(), &count));
        if (!names) return store_failure("DIRECTORY " + path);
        return Names(names.get(), names.get() + count);
    });
}

Result<std::vector<StorePerm>> HostStore::get_perms(StoreTx tx, const std::string& path) {
    using Perms = std::vector<StorePerm>;
    if (auto good = check_path(path); !good) return std::unexpected(good.error());
    return connection_->ask<Perms>([tx, path](xs_handle* h) -> Result<Perms> {
        unsigned count = 0;
        const Malloced<xs_permissions> perms(::xs_get_permissions(h, wire(tx), path.c_str(), &count));
        if (!perms) return store_failure("GET_PERMS " + path);
        Perms list;
        for (unsigned i = 0; i < count; ++i) {
            const xs_permissions& p = perms.get()[i];
            list.push_back({DomId(static_cast<std::uint16_t>(p.id)), (p.perms & XS_PERM_READ) != 0,
                            (p.perms & XS_PERM_WRITE) != 0});
        }
        return list;
    });
}

Result<> HostStore::set_perms(StoreTx tx, const std::string& path, const std::vector<StorePerm>& wanted) {
    if (auto good = check_path(path); !good) return good;
    std::vector<xs_permissions> list;
    list.reserve(wanted.size());
    for (const StorePerm& p : wanted)
        list.push_back({p.domain.value, (p.read ? XS_PERM_READ : 0u) | (p.write ? XS_PERM_WRITE : 0u)});
    return connection_->ask_ok("SET_PERMS " + path, [tx, path, list = std::move(list)](xs_handle* h) {
        auto perms = list;
        return ::xs_set_permissions(h, wire(tx), path.c_str(), perms.data(), static_cast<unsigned>(perms.size()));
    });
}

Result<StoreTx> HostStore::start() {
    return connection_->ask<StoreTx>([](xs_handle* h) -> Result<StoreTx> {
        const xs_transaction_t tx = ::xs_transaction_start(h);
        if (tx == XBT_NULL) return store_failure("TRANSACTION_START");
        return static_cast<StoreTx>(tx);
    });
}

Result<> HostStore::end(StoreTx tx, bool commit) {
    return connection_->ask_ok("TRANSACTION_END",
                               [tx, commit](xs_handle* h) { return ::xs_transaction_end(h, wire(tx), !commit); });
}

Result<Watch> HostStore::watch(const std::string& path, WatchHandler handler) {
    if (auto good = check_path(path); !good) return std::unexpected(good.error());
    const std::uint64_t token = watches_->add(path, std::move(handler));
    Watch watch(*this, token);
    const auto registered = connection_->ask_ok("WATCH " + path, [path, name = std::to_string(token)](xs_handle* h) {
        return ::xs_watch(h, path.c_str(), name.c_str());
    });
    if (!registered) return std::unexpected(registered.error());
    return watch;
}

void HostStore::unwatch(std::uint64_t token) {
    const std::string path = watches_->remove(token);
    // Who is being unwound can't wait; later events find no watch, and are dropped.
    if (path.empty() || (scheduler && scheduler->unwinding())) return;
    (void)connection_->ask_ok("UNWATCH " + path, [path, name = std::to_string(token)](xs_handle* h) {
        return ::xs_unwatch(h, path.c_str(), name.c_str());
    });
}

}  // namespace xenrig::host
