// xenrig replay, of a fuzz target's input.
#include <cstdio>
#include <memory>

#include "commands.h"
#include "sim/fuzz/blk_target.h"
#include "xenrig/world/subject.h"

namespace xenrig::cli {

namespace {

/// Null for an empty path; the one that the token asks for.
Result<fuzz::SubjectPtr> find_fuzz_subject(const fuzz::Replayable& run, const std::string& path) {
    if (run.of_subject == path.empty())
        return fail(Errno::inval, path.empty() ? "this token was made with a subject: give its library with --subject"
                                               : "this token was made without a subject: leave --subject out");
    if (path.empty()) return nullptr;
    auto loaded = world::load_subject(path);
    if (!loaded) return std::unexpected(loaded.error());
    if (auto good = fuzz::suits(*run.target, *loaded); !good) return std::unexpected(good.error());
    return std::make_shared<const world::Subjects>(std::move(*loaded));
}

}  // namespace

int replay_fuzz(const std::string& token, const std::string& library, bool trace) {
    const auto run = fuzz::read_token(token);
    if (!run) return complain(run.error().message);
    const auto subject = find_fuzz_subject(*run, library);
    if (!subject) return complain(subject.error().message);
    const fuzz::PlayReport report = run->target->make(*subject)->run(run->input);
    for (const engine::Problem& p : report.problems)
        std::printf("%s (step %llu): %s\n", p.oracle.c_str(), static_cast<unsigned long long>(p.step), p.text.c_str());
    if (trace)
        for (const std::string& line : report.trace_tail) std::printf("    %s\n", line.c_str());
    if (report.ok()) std::printf("well\n");
    std::printf("  %zu bytes, %u acts of the hostile peer, %llu steps", run->input.size(), report.acts,
                static_cast<unsigned long long>(report.steps));
    if (report.accesses != 0)
        std::printf(", %llu door accesses; the device's state is '%s'",
                    static_cast<unsigned long long>(report.accesses), report.state.c_str());
    std::printf("\n");
    std::printf("  trace hash %016llx\n", static_cast<unsigned long long>(report.hash));
    return report.ok() ? kWell : kFoundWrong;
}

}  // namespace xenrig::cli
