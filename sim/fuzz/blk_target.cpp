#include "sim/fuzz/blk_target.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "sim/engine/token.h"
#include "xenrig/world/subject.h"

namespace xenrig::fuzz {

namespace {

constexpr std::string_view kPrefix = "fuzz-";
/// Another one when the same bytes mean something else.
constexpr std::string_view kVersion = "/2";
constexpr std::string_view kBytes = "bytes=", kOfSubject = ",subject";
constexpr std::size_t kBytesMax = 1 << 20;

constexpr std::array kTargets = {
    BlkTarget{"blkback", "a hostile guest's block frontend against blkback in the control domain", make_blkback_play,
              [](const world::Subjects& s) { return static_cast<bool>(s.backend); }},
    BlkTarget{"blkfront", "a hostile driver domain's block backend against a guest's blkfront", make_blkfront_play,
              [](const world::Subjects& s) { return static_cast<bool>(s.frontend); }},
    BlkTarget{"hypercall", "a hostile domain's hypercalls, with any struct and any pointer", make_hypercall_play,
              nullptr, hypercall_world_of, /*fibers=*/false}};

std::uint32_t version_of(const BlkTarget& target) {
    return engine::stream_key(std::string(target.name) + std::string(kVersion));
}

engine::StreamKey input_stream() { return engine::stream_key("fuzz.input"); }

}  // namespace

std::span<const BlkTarget> blk_targets() { return kTargets; }

const BlkTarget* find_blk_target(std::string_view name) {
    const auto found = std::ranges::find(kTargets, name, &BlkTarget::name);
    return found == kTargets.end() ? nullptr : &*found;
}

bool is_fuzz_token(std::string_view token) { return token.starts_with("x1.fuzz-"); }

Result<> suits(const BlkTarget& target, const world::Subjects& subject) {
    if (!target.takes_subject())
        return fail(Errno::inval, "no subject stands in the place of the hypervisor: " + std::string(target.name) +
                                      " attacks our own");
    if (target.has_victim(subject)) return {};
    return fail(Errno::inval, "the subject '" + subject.name + "' has no " + std::string(target.name) +
                                  " to attack: xenrig_subject." + std::string(target.name) +
                                  " is NULL (xenrig/c/subject.h)");
}

std::string token_of(const BlkTarget& target, std::span<const std::byte> input, bool of_subject) {
    engine::Token token{std::string(kPrefix) + std::string(target.name),
                        version_of(target),
                        std::string(kBytes) + std::to_string(input.size()) + std::string(of_subject ? kOfSubject : ""),
                        {}};
    for (std::size_t i = 0; i < input.size(); ++i)
        if (input[i] != std::byte{0}) token.picks.push_back({input_stream(), static_cast<std::uint8_t>(input[i]), i});
    return engine::encode(token);
}

Result<Replayable> read_token(const std::string& text) {
    const auto token = engine::decode(text);
    if (!token) return std::unexpected(token.error());
    const BlkTarget* target =
        token->scenario.starts_with(kPrefix) ? find_blk_target(token->scenario.substr(kPrefix.size())) : nullptr;
    if (!target) return fail(Errno::inval, "this is no token of a fuzz input: there is no '" + token->scenario + "'");
    if (token->scenario_hash != version_of(*target))
        return fail(Errno::inval, "this token was made by another version of the fuzz target '" +
                                      std::string(target->name) + "': run it at the commit that printed it");
    std::string_view options = token->options;
    const bool of_subject = options.ends_with(kOfSubject);
    if (of_subject) options.remove_suffix(kOfSubject.size());
    std::size_t bytes = 0;
    const char* const end = options.data() + options.size();
    const auto parsed = options.starts_with(kBytes) ? std::from_chars(options.data() + kBytes.size(), end, bytes)
                                                    : std::from_chars_result{end, std::errc::invalid_argument};
    if (parsed.ec != std::errc{} || parsed.ptr != end || bytes > kBytesMax)
        return fail(Errno::inval, "this token should say bytes=N, not '" + token->options + "'");
    Replayable run{target, std::vector<std::byte>(bytes), of_subject};
    for (const engine::Pick& p : token->picks) {
        if (p.key != input_stream() || p.ordinal >= bytes || p.value > 0xff)
            return fail(Errno::inval, "this token has bytes that its input has not: copy all of it");
        run.input[static_cast<std::size_t>(p.ordinal)] = static_cast<std::byte>(p.value);
    }
    return run;
}

}  // namespace xenrig::fuzz
