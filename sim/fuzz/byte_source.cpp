#include "sim/fuzz/byte_source.h"

namespace xenrig::fuzz {

std::uint64_t ByteSource::next(engine::StreamKey, engine::StreamKind kind, std::uint64_t from) {
    constexpr std::uint64_t kNever = ~0ull;
    if (input_.empty()) return kNever;
    if (kind == engine::StreamKind::data) return from;
    const std::uint8_t distance = input_.byte();
    if (distance == 0) return kNever;
    // There are many more locks than shared accesses.
    constexpr std::uint64_t kLocksPerAccess = 4;
    return from + (distance - 1u) * (kind == engine::StreamKind::sync ? kLocksPerAccess : 1);
}

std::uint32_t ByteSource::answer(engine::StreamKey, engine::StreamKind, std::uint64_t, std::uint32_t) {
    return input_.byte();
}

}  // namespace xenrig::fuzz
