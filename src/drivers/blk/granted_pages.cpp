#include "granted_pages.h"

namespace xenrig::blk {

GrantedPages::~GrantedPages() {
    for (GrantedPage& page : idle_) page.end();
}

Result<GrantedPage> GrantedPages::take() {
    if (idle_.empty()) return make(Access::read_write);
    GrantedPage page = std::move(idle_.back());
    idle_.pop_back();
    return page;
}

Result<GrantedPage> GrantedPages::make(Access access) {
    auto frame = memory_.allocate();
    if (!frame) return std::unexpected(frame.error());
    auto grant = grants_.grant(backend_, (*frame)->gfn(), access);
    if (!grant) return std::unexpected(grant.error());
    return GrantedPage{std::move(*frame), std::move(*grant)};
}

}  // namespace xenrig::blk
