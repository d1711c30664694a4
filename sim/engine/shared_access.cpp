// The engine as the door's watcher: each access to a shared page is a step, is checked, and obeys the memory model.
#include <cstring>
#include <string_view>

#include "sim/engine/engine.h"
#include "xenrig/shared/raw.h"

namespace xenrig::engine {

namespace raw = shared::raw;

namespace {

std::string place(std::source_location where) {
    std::string_view file = where.file_name();
    if (const auto root = file.rfind("/xenrig/"); root != std::string_view::npos) file.remove_prefix(root + 1);
    return std::string(file) + ":" + std::to_string(where.line());
}

/// Which bytes: the lease's number, and the offset inside its window.
std::uint64_t address(const shared::Window& w, std::size_t offset) {
    return std::uint64_t{w.lease().id} << 16 | static_cast<std::uint64_t>(offset);
}

/// The number itself where there is one, else a hash.
std::uint64_t digest(const void* bytes, std::size_t length) {
    const auto as = [bytes](auto v) {
        std::memcpy(&v, bytes, sizeof v);
        return std::uint64_t{v};
    };
    switch (length) {
        case 1:
            return as(std::uint8_t{});
        case 2:
            return as(std::uint16_t{});
        case 4:
            return as(std::uint32_t{});
        case 8:
            return as(std::uint64_t{});
        default:
            return hash_bytes(bytes, length);
    }
}

}  // namespace

bool Engine::lease_ok(const shared::Window& w, std::size_t offset, bool write, std::source_location where) {
    const shared::Lease& lease = w.lease();
    if (lease.end == shared::LeaseEnd::none && (!write || lease.writable)) [[likely]]
        return true;
    if (unwinder_) return false;
    const std::string what =
        std::string(write ? "store to " : "load from ") + lease.name + " at offset " + std::to_string(offset);
    if (lease.end != shared::LeaseEnd::none)
        report("dead-window", what + ", which is " + shared::describe(lease.end) + " (" + place(where) + ")");
    else
        report("read-only-window", what + ", which is mapped read-only (" + place(where) + ")");
    return false;
}

void Engine::load(const shared::Window& w, std::size_t offset, void* out, std::size_t length, shared::Fetch fetch,
                  std::source_location where) {
    ++accesses_;
    choice_point();
    if (stores_wait() || loads_late_place(w, offset)) [[unlikely]]
        let_others_look();
    if (!lease_ok(w, offset, false, where)) {
        std::memset(out, 0xff, length);
        return;
    }
    if (!current_ || unwinder_) return raw::copy_out(w, offset, out, length);

    raw::for_each_page(w, offset, length, [&](const std::byte* page, std::size_t at, std::size_t n) {
        memory_.load(current_->memory_port, page, static_cast<std::byte*>(out) + at, n);
        if (fetch == shared::Fetch::poll || !w.lease().peer_writable) return;
        if (const auto* first = current_->current->fetched.add(page, n, where))
            report("double-fetch", "'" + current_->current->name() + "' fetches the same bytes of " + w.lease().name +
                                       " twice in one decision: at " + place(first->where) + " and at " + place(where));
    });
    record(Event::load, address(w, offset), length, digest(out, length));
}

void Engine::store(const shared::Window& w, std::size_t offset, const void* in, std::size_t length,
                   std::source_location where) {
    ++accesses_;
    choice_point();
    if (stores_wait()) [[unlikely]]
        let_others_look();
    if (!lease_ok(w, offset, true, where)) return;
    if (!current_ || unwinder_) return raw::copy_in(w, offset, in, length);

    raw::for_each_page(w, offset, length, [&](std::byte* page, std::size_t at, std::size_t n) {
        memory_.store(current_->memory_port, page, static_cast<const std::byte*>(in) + at, n);
    });
    if (current_->stores_late) [[unlikely]]
        stored(*current_, w, offset);
    record(Event::store, address(w, offset), length, digest(in, length));
}

void Engine::store_now(const shared::Window& w, std::size_t offset, const void* in, std::size_t length,
                       std::source_location where) {
    ++accesses_;
    choice_point();
    if (!lease_ok(w, offset, true, where)) return;
    if (current_) memory_.drain_all(current_->memory_port);
    raw::copy_in(w, offset, in, length);
    if (current_ && !unwinder_) record(Event::store, address(w, offset), length, digest(in, length));
}

std::uint64_t Engine::rmw(const shared::Window& w, std::size_t offset, unsigned width, shared::Rmw op,
                          std::uint64_t operand, std::uint64_t expected, std::source_location where) {
    ++accesses_;
    choice_point();
    if (!lease_ok(w, offset, true, where)) return ~0ull;
    if (current_) memory_.full_barrier(current_->memory_port);
    std::byte* at = w.host_address(offset);
    std::uint64_t old = 0;
    switch (width) {
        case 1:
            old =
                raw::rmw<std::uint8_t>(at, op, static_cast<std::uint8_t>(operand), static_cast<std::uint8_t>(expected));
            break;
        case 2:
            old = raw::rmw<std::uint16_t>(at, op, static_cast<std::uint16_t>(operand),
                                          static_cast<std::uint16_t>(expected));
            break;
        case 4:
            old = raw::rmw<std::uint32_t>(at, op, static_cast<std::uint32_t>(operand),
                                          static_cast<std::uint32_t>(expected));
            break;
        default:
            old = raw::rmw<std::uint64_t>(at, op, operand, expected);
            break;
    }
    record(Event::rmw, address(w, offset) | std::uint64_t{width} << 56, operand, old);
    return old;
}

void Engine::barrier(shared::Barrier b, std::source_location) {
    if (!current_ || unwinder_ || config_.model == Model::sc) return;
    switch (b) {
        case shared::Barrier::read:
            return memory_.read_barrier(current_->memory_port);
        case shared::Barrier::write:
            return memory_.write_barrier(current_->memory_port);
        case shared::Barrier::full:
            choice_point();
            return full_barrier();
    }
}

void Engine::new_decision() {
    if (current_) current_->current->fetched.clear();
}

}  // namespace xenrig::engine
