// memory.h: frames and windows on them.
#include "home.h"

namespace xenrig::c {

namespace {

struct WindowHandle final : Handle, WindowView {
    using WindowView::WindowView;
};

int allocate(const xenrig_platform* xen, xenrig_frame** out) {
    auto frame = Home::of(xen).platform().memory().allocate();
    if (!frame) return answer(frame);
    *out = Home::of(xen).keep(std::make_unique<FrameHandle>(std::move(*frame)));
    return 0;
}

void release(const xenrig_platform* xen, xenrig_frame* frame) { end<FrameHandle>(xen, frame); }

void read(const xenrig_platform* xen, const xenrig_frame* frame, std::size_t offset, void* out, std::size_t length) {
    Home::of(xen).platform().memory().read(Gfn{frame->gfn}, offset, {static_cast<std::byte*>(out), length});
}

void write(const xenrig_platform* xen, const xenrig_frame* frame, std::size_t offset, const void* in,
           std::size_t length) {
    Home::of(xen).platform().memory().write(Gfn{frame->gfn}, offset, {static_cast<const std::byte*>(in), length});
}

int open_window(const xenrig_platform* xen, xenrig_frame* const* frames, unsigned count, xenrig_window** out) {
    if (count == 0 || count > shared::kWindowPagesMax) return -XENRIG_EINVAL;
    std::vector<Gfn> gfns;
    gfns.reserve(count);
    for (unsigned i = 0; i < count; ++i) gfns.emplace_back(frames[i]->gfn);
    auto window = Home::of(xen).platform().memory().window(gfns);
    *out = Home::of(xen).keep(std::make_unique<WindowHandle>(std::move(window)));
    return 0;
}

void close_window(const xenrig_platform* xen, xenrig_window* window) { end<WindowHandle>(xen, window); }

}  // namespace

const xenrig_memory memory_calls = {.size = sizeof(xenrig_memory),
                                    .allocate = allocate,
                                    .release = release,
                                    .read = read,
                                    .write = write,
                                    .open_window = open_window,
                                    .close_window = close_window};

}  // namespace xenrig::c
