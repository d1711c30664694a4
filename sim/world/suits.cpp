// Which scenarios somebody's drivers can play in.
#include <algorithm>

#include "xenrig/world/run.h"
#include "xenrig/world/subject.h"

namespace xenrig::world {

Result<> suits(const Scenario& scenario, const Subjects& subjects) {
    const auto refuse = [&](const std::string& why) {
        return fail(Errno::inval, "scenario '" + scenario.name + "' can't be run with '" + subjects.name + "': " + why);
    };
    if (!scenario.changes.empty())
        return refuse("it has a [[change]], which only Xenrig's own drivers follow; take one without");
    if (subjects.frontend && !scenario.migrations.empty() && !subjects.frontend_suspends)
        return refuse("its guest moves, and the subject has no suspend and resume (xenrig/c/blk.h)");
    if (subjects.frontend &&
        std::ranges::any_of(scenario.faults, [](const FaultSpec& f) { return f.kind == FaultKind::backend_dies; }))
        return refuse("its disk is taken away and comes back, which a subject's users can't follow; take one without");
    if (subjects.backend && !scenario.drivers.empty())
        return refuse("it has a [driver], and a subject's backend runs in the control domain only");
    return {};
}

}  // namespace xenrig::world
