// Pages that are granted to the backend once and used for one request after another (io/blkif.h, feature-persistent).
//
// Last in, first out, so that a backend which keeps few of them mapped finds those.
//
// Threads: used by a ring's service task, or while that is paused.
#pragma once

#include <vector>

#include "xenrig/platform/grants.h"
#include "xenrig/platform/memory.h"

namespace xenrig::blk {

struct GrantedPage {
    FramePtr frame;
    Grant grant;
    /// Ends the grant; the page goes with it where the backend still maps it.
    void end() { grant.reset(std::move(frame)); }
};

class GrantedPages {
public:
    GrantedPages(Grants& grants, Memory& memory, DomId backend) : grants_(grants), memory_(memory), backend_(backend) {}
    ~GrantedPages();
    GrantedPages(const GrantedPages&) = delete;
    GrantedPages& operator=(const GrantedPages&) = delete;

    /// One that was given back, or a new one. ENOSPC, ENOMEM.
    Result<GrantedPage> take();
    void give(GrantedPage page) { idle_.push_back(std::move(page)); }
    /// A new page that is not to be given back.
    Result<GrantedPage> make(Access access);

private:
    Grants& grants_;
    Memory& memory_;
    const DomId backend_;
    std::vector<GrantedPage> idle_;
};

}  // namespace xenrig::blk
