#include "sim/conformance/clause.h"

namespace xenrig::conformance {

namespace {

void play(const Clause& clause, Role subject, const Subjects& subjects, Verdict& verdict) {
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
    for (unsigned seed = 1; seed <= clause.runs.seeds; ++seed)
        for (const engine::Model model : clause.runs.models) once({.seed = seed, .model = model});
}

}  // namespace

std::vector<Check> checks_of(const char* header, std::span<const Clause> clauses, const Subjects& subjects) {
    std::vector<Check> checks;
    for (const Clause& clause : clauses) {
        const bool backend = clause.subject != Role::frontend && subjects.backend;
        const bool frontend = clause.subject != Role::backend && subjects.frontend;
        if (!backend && !frontend) continue;
        const auto run = [clause, subjects, backend, frontend](Verdict& verdict) {
            if (backend) play(clause, Role::backend, subjects, verdict);
            if (frontend && !verdict.failed()) play(clause, Role::frontend, subjects, verdict);
        };
        checks.push_back({clause.id, header, clause.line, clause.subject, clause.words, run});
    }
    return checks;
}

}  // namespace xenrig::conformance
