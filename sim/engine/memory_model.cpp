#include "sim/engine/memory_model.h"

#include <algorithm>
#include <cstring>

#include "xenrig/abi/check.h"
#include "xenrig/shared/raw.h"

namespace xenrig::engine {

namespace raw = shared::raw;

namespace {

constexpr std::size_t kBufferMax = 56;   ///< stores: as many as a large core's store buffer holds
constexpr std::size_t kHistoryMax = 64;  ///< older values are forgotten, as if every cache had been told by then

bool overlap(const std::byte* a, std::size_t a_length, const std::byte* b, std::size_t b_length) {
    return a < b + b_length && b < a + a_length;
}

/// Lays the bytes of [from, from + n) that fall into [at, at + length) over `out`, which stands for the latter.
void overlay(std::byte* out, const std::byte* at, std::size_t length, const std::byte* from, const std::byte* bytes,
             std::size_t n) {
    const std::byte* first = std::max(at, from);
    const std::byte* last = std::min(at + length, from + n);
    if (first < last) std::memcpy(out + (first - at), bytes + (first - from), static_cast<std::size_t>(last - first));
}

/// Bytes up to the end of the cache line.
std::size_t in_line(const std::byte* at, std::size_t length) {
    return std::min(length, kCacheLine - reinterpret_cast<std::uintptr_t>(at) % kCacheLine);
}

}  // namespace

const char* name(Model m) {
    switch (m) {
        case Model::sc:
            return "sc";
        case Model::tso:
            return "tso";
        case Model::relaxed:
            return "relaxed";
    }
    return "?";
}

std::size_t MemoryModel::add_cpu() {
    cpus_.emplace_back();
    return cpus_.size() - 1;
}

void MemoryModel::store(std::size_t cpu, std::byte* at, const std::byte* in, std::size_t length) {
    if (model_ == Model::sc) return raw::copy_to_page(at, in, length);
    Buffers& c = cpus_[cpu];
    while (length != 0) {
        const std::size_t n = in_line(at, length);
        if (c.buffer.size() == kBufferMax) make_visible(c, 0);
        Store& s = c.buffer.emplace_back();
        s.at = at;
        s.length = static_cast<std::uint32_t>(n);
        s.group = c.group;
        std::memcpy(s.bytes.data(), in, n);
        if (model_ == Model::tso) ++c.group;
        at += n, in += n, length -= n;
    }
}

void MemoryModel::load(std::size_t cpu, const std::byte* at, std::byte* out, std::size_t length) {
    if (model_ == Model::sc) return raw::copy_from_page(at, out, length);
    Buffers& c = cpus_[cpu];
    while (length != 0) {
        const std::size_t n = in_line(at, length);
        load_line(c, at, out, n);
        for (const Store& s : c.buffer) overlay(out, at, n, s.at, s.bytes.data(), s.length);
        at += n, out += n, length -= n;
    }
}

void MemoryModel::load_line(Buffers& c, const std::byte* at, std::byte* out, std::size_t length) {
    raw::copy_from_page(at, out, length);
    if (model_ != Model::relaxed || history_.empty()) return;

    const std::uint64_t oldest = seen(c, at, length);
    std::uint32_t versions = 1;
    for (const Old& o : history_)
        if (o.time > oldest && overlap(at, length, o.at, o.length)) ++versions;
    if (versions == 1) return;

    std::uint32_t back = pick_value_(versions);
    for (std::size_t i = history_.size(); back != 0 && i-- != 0;) {
        const Old& o = history_[i];
        if (!overlap(at, length, o.at, o.length)) continue;
        overlay(out, at, length, o.at, o.bytes.data(), o.length);
        if (--back == 0) return remember(c, at, length, o.time - 1);
    }
    remember(c, at, length, time_);
}

void MemoryModel::remember(Buffers& c, const std::byte* at, std::size_t length, std::uint64_t time) {
    if (c.seen.size() == kHistoryMax) {
        // Seeing all that is visible now is always allowed, and bounds the list.
        c.floor = time_;
        return c.seen.clear();
    }
    std::erase_if(c.seen, [&](const Seen& s) { return s.at >= at && s.at + s.length <= at + length; });
    c.seen.push_back({at, length, time});
}

std::uint64_t MemoryModel::seen(const Buffers& c, const std::byte* at, std::size_t length) const {
    std::uint64_t time = c.floor;
    for (const Seen& s : c.seen)
        if (overlap(at, length, s.at, s.length)) time = std::max(time, s.time);
    return time;
}

bool MemoryModel::may_drain(const Buffers& c, std::size_t i) const {
    const Store& s = c.buffer[i];
    return std::none_of(c.buffer.begin(), c.buffer.begin() + static_cast<std::ptrdiff_t>(i), [&](const Store& before) {
        return before.group != s.group || overlap(before.at, before.length, s.at, s.length);
    });
}

std::uint32_t MemoryModel::drainable(std::size_t cpu) const {
    const Buffers& c = cpus_[cpu];
    std::uint32_t n = 0;
    for (std::size_t i = 0; i < c.buffer.size() && c.buffer[i].group == c.buffer[0].group; ++i)
        if (may_drain(c, i)) ++n;
    return n;
}

std::size_t MemoryModel::drain(std::size_t cpu, std::uint32_t k) {
    Buffers& c = cpus_[cpu];
    for (std::size_t i = 0; i < c.buffer.size(); ++i) {
        if (!may_drain(c, i) || k-- != 0) continue;
        const std::size_t length = c.buffer[i].length;
        make_visible(c, i);
        return length;
    }
    check(false, "the store to drain is one of those that may be");
    return 0;
}

void MemoryModel::make_visible(Buffers& c, std::size_t i) {
    const Store s = c.buffer[i];
    c.buffer.erase(c.buffer.begin() + static_cast<std::ptrdiff_t>(i));
    if (model_ == Model::relaxed) {
        if (history_.size() == kHistoryMax) {
            const std::uint64_t forgotten = history_.front().time;
            history_.erase(history_.begin());
            for (Buffers& b : cpus_) b.floor = std::max(b.floor, forgotten);
        }
        Old& o = history_.emplace_back();
        o.time = ++time_;
        o.at = s.at;
        o.length = s.length;
        raw::copy_from_page(s.at, o.bytes.data(), s.length);
        remember(c, s.at, s.length, time_);
    }
    raw::copy_to_page(s.at, s.bytes.data(), s.length);
}

void MemoryModel::write_barrier(std::size_t cpu) { ++cpus_[cpu].group; }

void MemoryModel::read_barrier(std::size_t cpu) {
    cpus_[cpu].floor = time_;
    cpus_[cpu].seen.clear();
}

void MemoryModel::full_barrier(std::size_t cpu) {
    drain_all(cpu);
    read_barrier(cpu);
}

void MemoryModel::drain_all(std::size_t cpu) {
    Buffers& c = cpus_[cpu];
    while (!c.buffer.empty()) make_visible(c, 0);
}

}  // namespace xenrig::engine
