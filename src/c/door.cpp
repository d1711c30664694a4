// door.h: each call is the C++ door's, with the C file's own line.
#include "xenrig/shared/door.h"

#include <bit>

#include "home.h"

namespace xenrig::c {

namespace {

using shared::Where;

/// libstdc++'s source_location is a pointer to four words (file, function, line, column), which the C side lays out: so
/// a report names the driver's line, not this file's.
Where where_of(const xenrig_place* place) {
    static_assert(sizeof(Where) == sizeof(void*));
    return place ? std::bit_cast<Where>(place) : Where{};
}

const shared::Window& in(const xenrig_window* w) { return static_cast<const WindowView*>(w)->inside; }

void copy_out(const xenrig_window* w, std::size_t offset, void* out, std::size_t length, const xenrig_place* where) {
    shared::copy_out(in(w), offset, out, length, where_of(where));
}

void copy_in(const xenrig_window* w, std::size_t offset, const void* from, std::size_t length,
             const xenrig_place* where) {
    shared::copy_in(in(w), offset, from, length, where_of(where));
}

std::uint32_t load32(const xenrig_window* w, std::size_t offset, int poll, const xenrig_place* where) {
    return shared::load<std::uint32_t>(in(w), offset, poll ? shared::Fetch::poll : shared::Fetch::once,
                                       where_of(where));
}

void store32(const xenrig_window* w, std::size_t offset, std::uint32_t value, const xenrig_place* where) {
    shared::store<std::uint32_t>(in(w), offset, value, where_of(where));
}

void barrier(xenrig_barrier kind, const xenrig_place* where) {
    switch (kind) {
        case XENRIG_RMB:
            return shared::rmb(where_of(where));
        case XENRIG_WMB:
            return shared::wmb(where_of(where));
        case XENRIG_MB:
            return shared::mb(where_of(where));
    }
}

void new_decision() { shared::new_decision(); }

}  // namespace

const xenrig_door door_calls = {.size = sizeof(xenrig_door),
                                .copy_out = copy_out,
                                .copy_in = copy_in,
                                .load32 = load32,
                                .store32 = store32,
                                .barrier = barrier,
                                .new_decision = new_decision};

WindowView::WindowView(shared::Window w) : xenrig_window{&door_calls, w.size()}, inside(std::move(w)) {}

}  // namespace xenrig::c
