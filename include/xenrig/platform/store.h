// xenstore as a driver sees it: blocking calls from a task, watches that fire in a task.
//
// Paths are absolute, or relative to the domain's own home (/local/domain/<domid>). Errors are the daemon's
// (docs/misc/xenstore.txt). A watch's handler is level-triggered: it may fire without cause, late, or once for several
// changes, so it looks at the store and decides afresh.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "xenrig/abi/error.h"
#include "xenrig/abi/types.h"

namespace xenrig {

class Store;

/// A transaction's number on the wire; 0 is none.
enum class StoreTx : std::uint32_t { none = 0 };

/// `path` is the node that changed, in the form in which the watch was set (relative or absolute).
using WatchHandler = std::function<void(const std::string& path)>;

/// A registered watch; move-only. After destruction its handler is not running (unless the caller is the handler) and
/// will not run. Watches survive a migration: the service registers them again.
class Watch {
public:
    Watch() = default;
    Watch(Store& owner, std::uint64_t token) : owner_(&owner), token_(token) {}
    Watch(Watch&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)), token_(other.token_) {}
    Watch& operator=(Watch&& other) noexcept;
    ~Watch() { reset(); }
    explicit operator bool() const { return owner_ != nullptr; }
    void reset();

private:
    Store* owner_ = nullptr;
    std::uint64_t token_ = 0;
};

/// One entry of a node's permissions; the first names the owner, and its access is everybody else's.
struct StorePerm {
    DomId domain;
    bool read = false;
    bool write = false;
};

class Store {
public:
    virtual ~Store() = default;

    virtual Result<std::string> read(StoreTx tx, const std::string& path) = 0;
    virtual Result<> write(StoreTx tx, const std::string& path, std::string_view value) = 0;
    virtual Result<> mkdir(StoreTx tx, const std::string& path) = 0;
    virtual Result<> rm(StoreTx tx, const std::string& path) = 0;
    virtual Result<std::vector<std::string>> directory(StoreTx tx, const std::string& path) = 0;
    virtual Result<std::vector<StorePerm>> get_perms(StoreTx tx, const std::string& path) = 0;
    virtual Result<> set_perms(StoreTx tx, const std::string& path, const std::vector<StorePerm>& perms) = 0;

    virtual Result<StoreTx> start() = 0;
    /// EAGAIN: somebody else changed what was looked at; start again from the beginning.
    virtual Result<> end(StoreTx tx, bool commit) = 0;

    /// Fires once at registration, as xenstored makes it.
    virtual Result<Watch> watch(const std::string& path, WatchHandler handler) = 0;

    /// Runs `body(tx)` in a transaction until it commits; any error of `body` aborts and is returned.
    template <class Body>
    Result<> transaction(Body body) {
        for (;;) {
            auto tx = start();
            if (!tx) return std::unexpected(tx.error());
            if (Result<> done = body(*tx); !done) {
                (void)end(*tx, false);
                return done;
            }
            Result<> ended = end(*tx, true);
            if (ended || ended.error().code != Errno::again) return ended;
        }
    }

protected:
    friend class Watch;
    virtual void unwatch(std::uint64_t token) = 0;
};

inline Watch& Watch::operator=(Watch&& other) noexcept {
    if (this != &other) {
        reset();
        owner_ = std::exchange(other.owner_, nullptr);
        token_ = other.token_;
    }
    return *this;
}
inline void Watch::reset() {
    if (auto* owner = std::exchange(owner_, nullptr)) owner->unwatch(token_);
}

}  // namespace xenrig
