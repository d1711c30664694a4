// grants.h.
#include "home.h"

namespace xenrig::c {

namespace {

struct GrantHandle final : Handle, xenrig_grant {
    GrantHandle(Grant g, FramePtr f) : xenrig_grant{g.ref().value}, grant(std::move(g)), frame(std::move(f)) {}
    ~GrantHandle() override { grant.reset(std::move(frame)); }
    Grant grant;
    FramePtr frame;
};

struct MappingHandle final : Handle, xenrig_mapping {
    explicit MappingHandle(Mapping m) : xenrig_mapping{&view}, mapping(std::move(m)), view(mapping.window()) {}
    Mapping mapping;
    WindowView view;
};

Access access_of(xenrig_access a) { return a == XENRIG_READ_ONLY ? Access::read_only : Access::read_write; }

int grant(const xenrig_platform* xen, std::uint16_t peer, const xenrig_frame* frame, xenrig_access access,
          xenrig_grant** out) {
    auto made = Home::of(xen).platform().grants().grant(DomId{peer}, Gfn{frame->gfn}, access_of(access));
    if (!made) return answer(made);
    *out = Home::of(xen).keep(std::make_unique<GrantHandle>(std::move(*made), FrameHandle::of(frame).frame));
    return 0;
}

void end_grant(const xenrig_platform* xen, xenrig_grant* grant) { end<GrantHandle>(xen, grant); }

int map(const xenrig_platform* xen, std::uint16_t owner, const std::uint32_t* refs, unsigned count,
        xenrig_access access, xenrig_mapping** out) {
    if (count == 0 || count > shared::kWindowPagesMax) return -XENRIG_EINVAL;
    std::vector<GrantRef> list;
    list.reserve(count);
    for (unsigned i = 0; i < count; ++i) list.emplace_back(refs[i]);
    auto mapping = Home::of(xen).platform().grants().map(DomId{owner}, list, access_of(access));
    if (!mapping) return answer(mapping);
    *out = Home::of(xen).keep(std::make_unique<MappingHandle>(std::move(*mapping)));
    return 0;
}

void unmap(const xenrig_platform* xen, xenrig_mapping* mapping) { end<MappingHandle>(xen, mapping); }

CopyEnd end_of(const xenrig_copy_end& e) {
    return {.domain = DomId{e.domain}, .gfn = Gfn{e.gfn}, .ref = GrantRef{e.ref}, .offset = e.offset};
}

int copy(const xenrig_platform* xen, xenrig_copy* copies, unsigned count) {
    std::vector<GrantCopy> list;
    list.reserve(count);
    for (unsigned i = 0; i < count; ++i)
        list.push_back(
            {.source = end_of(copies[i].source), .dest = end_of(copies[i].dest), .length = copies[i].length});
    const auto done = Home::of(xen).platform().grants().copy(list);
    for (unsigned i = 0; i < count; ++i) copies[i].status = list[i].status;
    return answer(done);
}

}  // namespace

const xenrig_grants grant_calls = {
    .size = sizeof(xenrig_grants), .grant = grant, .end = end_grant, .map = map, .unmap = unmap, .copy = copy};

}  // namespace xenrig::c
