#include "sim/conformance/clause.h"

namespace xenrig::conformance {

namespace {

void play(const Clause& clause, Role subject, const Subjects& subjects, Effort effort, Verdict& verdict) {
    const auto once = [&](Conditions c) {
        for (const DiskShape& disk : clause.runs.disks)
            for (const auto script : clause.scripts) {
                if (verdict.failed()) return;
                c.disk = disk;
                Stage stage(verdict, subjects, subject, c);
                stage.play(script);
            }
    };
    once({});
    if (effort == Effort::once) return;
    for (unsigned seed = 1; seed <= clause.runs.seeds; ++seed)
        for (const engine::Model model : clause.runs.models) once({.seed = seed, .model = model});
    for (unsigned seed = 1; seed <= clause.runs.late_seeds; ++seed)
        for (const engine::Model model : clause.runs.models) once({.seed = seed, .model = model, .stores_late = true});
}

}  // namespace

std::vector<Check> checks_of(const char* header, std::span<const Clause> clauses, const Subjects& subjects,
                             Effort effort) {
    std::vector<Check> checks;
    for (const Clause& clause : clauses) {
        const bool backend = clause.subject != Role::frontend && subjects.backend;
        const bool frontend = clause.subject != Role::backend && subjects.frontend;
        if (!backend && !frontend) continue;
        const auto run = [clause, subjects, effort, backend, frontend](Verdict& verdict) {
            if (backend) play(clause, Role::backend, subjects, effort, verdict);
            if (frontend && !verdict.failed()) play(clause, Role::frontend, subjects, effort, verdict);
        };
        checks.push_back({clause.id, header, clause.line, clause.subject, clause.words, run});
    }
    return checks;
}

}  // namespace xenrig::conformance
