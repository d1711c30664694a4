#include "tamper_watcher.h"

#include <cstring>
#include <utility>

namespace xenrig::conformance {

namespace {

using blk::RawRing;
constexpr std::size_t kPadding = 40;

template <class T>
T get(const void* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

bool is_word(std::size_t offset, std::size_t length) { return offset < 16 && length == 4; }
bool is_message(std::size_t offset, std::size_t length) {
    return offset >= RawRing::kFirst && (length == RawRing::kSlot || length == sizeof(blkif_response_t));
}
bool is_list(std::size_t length) { return length % sizeof(blkif_request_segment) == 0 && length % 512 != 0; }

std::uint32_t& word_of(Words& words, RawRing::Word word) {
    switch (word) {
        case RawRing::Word::req_prod:
            return words.req_prod;
        case RawRing::Word::req_event:
            return words.req_event;
        case RawRing::Word::rsp_prod:
            return words.rsp_prod;
        case RawRing::Word::rsp_event:
            break;
    }
    return words.rsp_event;
}

template <class Message>
void change(std::span<std::byte> bytes, const std::function<void(Message&)>& hook) {
    if (!hook || bytes.size() != sizeof(Message)) return;
    auto message = get<Message>(bytes.data());
    hook(message);
    std::memcpy(bytes.data(), &message, sizeof message);
}

}  // namespace

TamperWatcher::TamperWatcher(TamperCase& c) : inner_(*shared::watcher), case_(c) { shared::watcher = this; }

TamperWatcher::~TamperWatcher() { shared::watcher = &inner_; }

void TamperWatcher::add(const shared::Window& w) {
    if (case_.now() == Of::ring) {
        const auto number = static_cast<unsigned>(rings_.size());
        rings_[w.host_address(0)] = {.number = number, .size = RawRing(w).size()};
    }
    for (std::size_t at = 0; at < w.size(); at += kPageSize) pages_[w.host_address(at)] = case_.now();
}

Of TamperWatcher::what(const shared::Window& w, std::size_t offset) const {
    const auto found = pages_.find(w.host_address(offset / kPageSize * kPageSize));
    return found == pages_.end() ? Of::neither : found->second;
}

void TamperWatcher::load(const shared::Window& w, std::size_t offset, void* out, std::size_t length,
                         shared::Fetch fetch, Where where) {
    const bool tampers = !deep_ && case_.subjects_own();
    const Of of = tampers ? what(w, offset) : Of::neither;
    if (tampers) note_word(of, offset, length);
    if (of == Of::ring && is_message(offset, length)) return load_message(w, offset, out, length, fetch, where);
    if (of == Of::data && case_.how.fetches_lists_twice && is_list(length)) {
        load_again(w, offset, out, length, fetch, where);
        inner_.new_decision();
    }
    inner_.load(w, offset, out, length, fetch, where);
    if (of == Of::ring && is_word(offset, length)) {
        Words& words = rings_[w.host_address(0)];
        const auto word = static_cast<RawRing::Word>(offset);
        auto value = get<std::uint32_t>(out);
        word_of(words, word) = value;
        if (case_.how.loads_word) value = case_.how.loads_word(words, word, value);
        std::memcpy(out, &value, sizeof value);
        words.asked = false;
    }
    if (of == Of::data && case_.how.loads_data) case_.how.loads_data({static_cast<std::byte*>(out), length});
}

void TamperWatcher::store(const shared::Window& w, std::size_t offset, const void* in, std::size_t length,
                          Where where) {
    const Of of = case_.subjects_own() ? what(w, offset) : Of::neither;
    if (case_.subjects_own()) note_word(of, offset, length);
    std::vector<std::byte> bytes(static_cast<const std::byte*>(in), static_cast<const std::byte*>(in) + length);
    if (of == Of::ring && is_word(offset, length)) {
        Words& words = rings_[w.host_address(0)];
        const auto word = static_cast<RawRing::Word>(offset);
        word_of(words, word) = get<std::uint32_t>(in);
        words.asked = word == asks_by();
        if (case_.how.stores_word) {
            const auto value = case_.how.stores_word(words, word, get<std::uint32_t>(in));
            if (!value) return;
            std::memcpy(bytes.data(), &*value, sizeof *value);
        }
        ++scribble_;
        if (case_.how.scribbles) inner_.store(w, kPadding, &scribble_, 1, where);
    }
    if (of == Of::ring && is_message(offset, length)) {
        change(bytes, case_.how.puts_request);
        change(bytes, case_.how.puts_response);
        if (case_.how.index_first || case_.how.without_write_barrier) return held_.push_back({w, offset, bytes});
    }
    if (of == Of::data && case_.how.stores_data) case_.how.stores_data(bytes);
    const bool word = of == Of::ring && is_word(offset, length);
    if (word && case_.how.without_write_barrier) store_held(where);
    inner_.store(w, offset, bytes.data(), length, where);
    if (!word || held_.empty()) return;
    // Long enough for the peer to look.
    for (unsigned i = 0; i < 8; ++i) scheduler->yield();
    store_held(where);
}

void TamperWatcher::barrier(shared::Barrier b, Where where) {
    const bool left_out = last_word_ && case_.subjects_own() &&
                          (b == shared::Barrier::read
                               ? case_.how.without_read_barrier
                               : b == shared::Barrier::full && case_.how.without_barrier_after.contains(*last_word_));
    if (!left_out) inner_.barrier(b, where);
}

void TamperWatcher::note_word(Of of, std::size_t offset, std::size_t length) {
    last_word_.reset();
    if (of == Of::ring && is_word(offset, length)) last_word_ = static_cast<RawRing::Word>(offset);
}

void TamperWatcher::store_held(Where where) {
    for (const Held& held : std::exchange(held_, {}))
        inner_.store(held.window, held.offset, held.bytes.data(), held.bytes.size(), where);
}

void TamperWatcher::load_message(const shared::Window& w, std::size_t offset, void* out, std::size_t length,
                                 shared::Fetch fetch, Where where) {
    const std::span<std::byte> bytes(static_cast<std::byte*>(out), length);
    if (!case_.how.fetches_twice) {
        inner_.load(w, offset, out, length, fetch, where);
    } else {
        const std::size_t id_at = length == RawRing::kSlot ? offsetof(blkif_request_t, id) : 0;
        std::vector<std::byte> first(length);
        load_again(w, offset, first.data(), length, fetch, where);
        inner_.new_decision();
        load_again(w, offset, out, length, fetch, where);
        std::memcpy(&bytes[id_at], &first[id_at], sizeof(std::uint64_t));
    }
    change(bytes, case_.how.takes_request);
    change(bytes, case_.how.takes_response);
}

void TamperWatcher::load_again(const shared::Window& w, std::size_t offset, void* out, std::size_t length,
                               shared::Fetch fetch, Where where) {
    deep_ = true;
    shared::watcher->load(w, offset, out, length, fetch, where);
    deep_ = false;
}

}  // namespace xenrig::conformance
