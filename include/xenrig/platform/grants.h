// Grants as a driver sees them: share a frame with a peer, map or copy what a peer shared.
//
// Grant and Mapping are RAII and know their epoch: after a migration they end without a hypercall. A grant that the
// peer still maps can't be revoked (Xen has no such call): it is kept, with its frame, and ended when the peer lets go.
// Source: grant_table.h.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "xenrig/abi/error.h"
#include "xenrig/abi/types.h"
#include "xenrig/shared/window.h"

namespace xenrig {

class Frame;
class Grants;

enum class Access : std::uint8_t { read_write, read_only };

/// Permission for a peer to use one frame; move-only.
class Grant {
public:
    Grant() = default;
    Grant(Grants& owner, GrantRef ref, std::uint64_t epoch) : owner_(&owner), ref_(ref), epoch_(epoch) {}
    Grant(Grant&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)), ref_(other.ref_), epoch_(other.epoch_) {}
    Grant& operator=(Grant&& other) noexcept;
    ~Grant() { reset(); }

    explicit operator bool() const { return owner_ != nullptr; }
    GrantRef ref() const { return ref_; }

    /// Ends it, or leaves it to the service while the peer still maps it. `frame` goes with it, so that the memory is
    /// not used again before the peer has let go.
    void reset();
    void reset(std::shared_ptr<Frame> frame);

private:
    Grants* owner_ = nullptr;
    GrantRef ref_{};
    std::uint64_t epoch_ = 0;
};

/// A peer's frames in our address space, seen through one window; move-only.
class Mapping {
public:
    Mapping() = default;
    Mapping(Grants& owner, std::vector<GrantHandle> handles, shared::Window window, std::uint64_t epoch)
        : owner_(&owner), handles_(std::move(handles)), window_(std::move(window)), epoch_(epoch) {}
    Mapping(Mapping&& other) noexcept;
    Mapping& operator=(Mapping&& other) noexcept;
    ~Mapping() { reset(); }

    explicit operator bool() const { return owner_ != nullptr; }
    const shared::Window& window() const { return window_; }
    void reset();

private:
    Grants* owner_ = nullptr;
    std::vector<GrantHandle> handles_;
    shared::Window window_;
    std::uint64_t epoch_ = 0;
};

/// One side of a copy: our own frame, or a peer's grant.
struct CopyEnd {
    DomId domain{0x7ff0};  ///< DOMID_SELF: `gfn` is used, else `ref`.
    Gfn gfn{};
    GrantRef ref{};
    std::uint16_t offset = 0;  ///< bytes into the page
};

struct GrantCopy {
    CopyEnd source, dest;
    std::uint16_t length = 0;  ///< bytes; source and destination each stay inside a page
    std::int16_t status = 0;   ///< out: GNTST_*
};

class Grants {
public:
    virtual ~Grants() = default;

    /// ENOSPC when the table is full and may not grow.
    virtual Result<Grant> grant(DomId peer, Gfn frame, Access access) = 0;

    /// All or none; an entry that fails undoes the others. EINVAL with the GNTST code in the message.
    virtual Result<Mapping> map(DomId owner, std::span<const GrantRef> refs, Access access) = 0;

    /// One hypercall; each entry gets a status of its own, and a failed one doesn't stop the rest.
    virtual Result<> copy(std::span<GrantCopy> copies) = 0;

    /// Grants not given back, deferred ones included: for leak checks at quiet times.
    virtual std::size_t grants_in_use() const = 0;

protected:
    friend class Grant;
    friend class Mapping;
    virtual void end_grant(GrantRef ref, std::uint64_t epoch, std::shared_ptr<Frame> frame) = 0;
    virtual void unmap(std::span<const GrantHandle> handles, const shared::Window& window, std::uint64_t epoch) = 0;
};

}  // namespace xenrig
