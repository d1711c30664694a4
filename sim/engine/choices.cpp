#include "sim/engine/choices.h"

#include "xenrig/abi/check.h"

namespace xenrig::engine {

StreamKey stream_key(std::string_view name) {
    std::uint32_t h = 2166136261u;
    for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 16777619u;
    return h;
}

StreamId Choices::add_stream(std::string_view name, StreamKind kind) {
    const StreamKey key = stream_key(name);
    for (StreamId id = 0; id < streams_.size(); ++id) {
        if (streams_[id].key != key) continue;
        check(streams_[id].name == name, "two streams' names have the same hash: rename one");
        return id;
    }
    streams_.push_back({0, source_.next(key, kind, 0), key, kind, std::string(name)});
    return static_cast<StreamId>(streams_.size() - 1);
}

std::uint32_t Choices::ask(Stream& s, std::uint64_t ordinal, std::uint32_t n) {
    check(n != 0, "a choice has at least one alternative");
    const std::uint32_t value = n == 1 ? 0 : source_.answer(s.key, s.kind, ordinal, n) % n;
    if (value != 0) picks_.push_back({s.key, value, ordinal});
    s.next = source_.next(s.key, s.kind, ordinal + 1);
    return value;
}

void Choices::renew() {
    for (Stream& s : streams_) s.next = source_.next(s.key, s.kind, s.ordinal);
}

std::uint64_t Choices::made() const {
    std::uint64_t sum = 0;
    for (const Stream& s : streams_) sum += s.ordinal;
    return sum;
}

std::string_view Choices::stream_name(StreamKey key) const {
    for (const Stream& s : streams_)
        if (s.key == key) return s.name;
    return "?";
}

}  // namespace xenrig::engine
