// The frontend's pages of one request, mapped: for it alone, or, when the frontend reuses its grants, for good.
//
// A frontend with feature-persistent uses the same grants over and over, so the backend keeps them mapped, writable,
// and unmaps the one that was not used for longest when there are too many (io/blkif.h, feature-persistent). What does
// not fit because all of them are in use is mapped for its request alone.
//
// Threads: used by a ring's service task, or while that is paused.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "xenrig/drivers/blk/command.h"
#include "xenrig/platform/grants.h"

namespace xenrig::blk {

class PersistentGrants {
public:
    struct Page {
        Mapping mapping;
        std::size_t users = 0;
    };

    /// `limit` 0: the frontend does not reuse its grants.
    PersistentGrants(Grants& grants, DomId frontend, std::size_t limit)
        : grants_(grants), frontend_(frontend), limit_(limit) {}

    bool enabled() const { return limit_ != 0; }
    std::size_t size() const { return pages_.size(); }

    /// For one request. Where there is no space for it, pages that nobody uses are unmapped to make some.
    Result<Mapping> map(std::span<const GrantRef> refs, Access access);
    /// The page of this grant, in use from now on; null when there is no room for it.
    Result<std::shared_ptr<Page>> use(GrantRef ref);
    void release(Page& page) { --page.users; }

private:
    struct Entry {
        std::shared_ptr<Page> page;
        std::list<GrantRef>::iterator turn;
    };
    bool make_room();

    Grants& grants_;
    const DomId frontend_;
    const std::size_t limit_;
    std::map<GrantRef, Entry> pages_;
    /// The one that was used last is in front.
    std::list<GrantRef> turns_;
};

class SegmentPages {
public:
    SegmentPages() = default;
    ~SegmentPages() { reset(); }
    SegmentPages(SegmentPages&& other) noexcept = default;
    SegmentPages& operator=(SegmentPages&& other) noexcept;

    /// All or none. `persistent` must outlive it.
    static Result<SegmentPages> map(std::span<const GrantRef> refs, Access access, PersistentGrants& persistent);

    std::size_t size() const { return places_.size(); }
    void copy_out(std::size_t page, std::size_t offset, std::span<std::byte> to) const;
    void copy_in(std::size_t page, std::size_t offset, std::span<const std::byte> from) const;

    void reset();

private:
    struct Place {
        shared::Window window;
        std::size_t offset = 0;
    };
    std::vector<Place> places_;
    std::vector<Mapping> mappings_;
    std::vector<std::shared_ptr<PersistentGrants::Page>> kept_;
    PersistentGrants* persistent_ = nullptr;
};

}  // namespace xenrig::blk
