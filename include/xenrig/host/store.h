// xenstore by libxenstore: the store of the machine that we run on, or whatever XENSTORED_PATH names.
//
// libxenstore blocks its caller, so one thread makes the requests while the tasks that asked wait, and another takes
// the watch events. Handlers run in a task of their own and may use the store. After a watch has ended, what waits of
// its events is dropped. Source: xenstore.h; the daemon's rules are misc/xenstore.txt.
//
// Lifetime: ends after the tasks that use it. Threads: any task; outside a task a call blocks its thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "xenrig/platform/store.h"

namespace xenrig::threads {
class ThreadMachine;
}

namespace xenrig::host {

class HostStore final : public Store {
public:
    /// Connects as libxenstore does: to the socket of XENSTORED_PATH or of XENSTORED_RUNDIR, else to /dev/xen/xenbus.
    /// ENOENT or ECONNREFUSED, with what to do, when no daemon is there.
    static Result<std::unique_ptr<HostStore>> open(threads::ThreadMachine& machine);
    ~HostStore() override;

    /// Body of a service task; never returns.
    void serve_watches();

    /// EIO from every call once the daemon is gone. Paths and values hold any byte but, in a path, a nul: EINVAL.
    Result<std::string> read(StoreTx tx, const std::string& path) override;
    Result<> write(StoreTx tx, const std::string& path, std::string_view value) override;
    Result<> mkdir(StoreTx tx, const std::string& path) override;
    Result<> rm(StoreTx tx, const std::string& path) override;
    Result<std::vector<std::string>> directory(StoreTx tx, const std::string& path) override;
    Result<std::vector<StorePerm>> get_perms(StoreTx tx, const std::string& path) override;
    Result<> set_perms(StoreTx tx, const std::string& path, const std::vector<StorePerm>& perms) override;
    Result<StoreTx> start() override;
    Result<> end(StoreTx tx, bool commit) override;
    Result<Watch> watch(const std::string& path, WatchHandler handler) override;

    std::size_t watches_in_use() const;

private:
    class Connection;
    class Watches;

    explicit HostStore(std::unique_ptr<Connection> connection);
    void unwatch(std::uint64_t token) override;

    std::unique_ptr<Watches> watches_;
    std::unique_ptr<Connection> connection_;
};

}  // namespace xenrig::host
