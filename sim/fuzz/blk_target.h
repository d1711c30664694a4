// The fuzz targets with tokens: a hostile frontend against blkback, a hostile backend against blkfront, and a hostile
// domain against the hypervisor (hypercall_play.cpp has the bytes of that one).
//
// An input is one byte of options, one with the number of the choices that follow (byte_source.h), and then acts of the
// peer (hostile_frontend.h, hostile_backend.h), one after the other until the bytes end. Whatever the peer does, the
// world must get quiet, the victim must live and serve its other device, and nothing may be left over.
//
// A run is a function of the input: its token holds the bytes as picks, so `xenrig replay` plays it in any build.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/engine/problem.h"
#include "xenrig/abi/error.h"

namespace xenrig::world {
struct Subjects;
}

namespace xenrig::fuzz {

/// In the first byte: which of the peer's devices it plays with (modulo the number of them); whether the victim's other
/// device is not asked to serve at the end, which is half of a mild input's cost; and whether the peer's domain is
/// destroyed, after which nothing may be left.
inline constexpr std::uint8_t kDeviceMask = 0x0f, kUnwitnessed = 0x40, kDestroyed = 0x80;
inline constexpr std::size_t kActsMax = 256;

struct PlayReport {
    std::vector<engine::Problem> problems;
    /// The last records before a problem, oldest first.
    std::vector<std::string> trace_tail;
    /// Of all that happened.
    std::uint64_t hash = 0;
    std::uint64_t steps = 0;
    /// Shared accesses through the door.
    std::uint64_t accesses = 0;
    unsigned acts = 0;
    /// What the peer's late writes hit.
    unsigned late_writes = 0;
    /// The device's state in the store at the end: the victim's; empty where there is no device.
    std::string state;

    bool ok() const { return problems.empty(); }
};

/// A world that was set up, and plays one input.
class Play {
public:
    virtual ~Play() = default;
    /// Makes the world that this input is played in, where worlds differ: run() begins with it if nobody did.
    virtual void set_up(std::span<const std::byte>) {}
    /// Once, with an input of that world.
    virtual PlayReport run(std::span<const std::byte> input) = 0;
    /// What the world stands on besides its heap and its stacks, whole pages: for who brings it back.
    virtual std::vector<std::span<std::byte>> memory() = 0;
};

/// Somebody's driver in the place of ours; null for ours.
using SubjectPtr = std::shared_ptr<const world::Subjects>;

std::unique_ptr<Play> make_blkback_play(SubjectPtr subject);
std::unique_ptr<Play> make_blkfront_play(SubjectPtr subject);
std::unique_ptr<Play> make_hypercall_play(SubjectPtr subject);
/// Of the domains' kinds (hypercall_world.h).
std::size_t hypercall_world_of(std::span<const std::byte> input);

struct BlkTarget {
    std::string_view name;
    std::string_view about;
    std::unique_ptr<Play> (*make_play)(SubjectPtr subject);
    /// Has a subject the driver that may stand in the victim's place? Null: what is attacked is ours alone.
    bool (*has_victim)(const world::Subjects& subject) = nullptr;
    /// The number of the world that an input is played in; null: there is one.
    std::size_t (*world_of)(std::span<const std::byte> input) = nullptr;
    /// Its world has tasks, which stand on fibers' stacks.
    bool fibers = true;

    bool takes_subject() const { return has_victim != nullptr; }
    /// A subject must suit().
    std::unique_ptr<Play> make(SubjectPtr subject = nullptr) const { return make_play(std::move(subject)); }
};

std::span<const BlkTarget> blk_targets();
/// Null when there is none of that name.
const BlkTarget* find_blk_target(std::string_view name);

/// EINVAL when the subject has not the role that is attacked, or the target takes none.
Result<> suits(const BlkTarget& target, const world::Subjects& subject);

std::string token_of(const BlkTarget& target, std::span<const std::byte> input, bool of_subject = false);
struct Replayable {
    const BlkTarget* target;
    std::vector<std::byte> input;
    /// It was made with a subject, whose library a replay needs.
    bool of_subject = false;
};
/// EINVAL when it is damaged, of another version, or no fuzz input's.
Result<Replayable> read_token(const std::string& token);
/// Is it the token of a fuzz input?
bool is_fuzz_token(std::string_view token);

}  // namespace xenrig::fuzz
