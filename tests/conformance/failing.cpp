#include "failing.h"

#include <functional>

#include "sim/conformance/checks.h"

namespace xenrig::conformance {

namespace {

Ids failing_where(const Subjects& subjects, Role role, const std::function<bool(const std::string&)>& in_full,
                  std::string& told) {
    Ids ids;
    const auto once = checks_against(subjects, Effort::once), full = checks_against(subjects, Effort::full);
    const Role other = role == Role::backend ? Role::frontend : Role::backend;
    for (std::size_t i = 0; i < full.size(); ++i) {
        const Check& check = in_full(full[i].id) ? full[i] : once[i];
        if (check.subject == other) continue;
        Verdict verdict;
        check.run(verdict);
        if (verdict.outcome() == Outcome::success || verdict.outcome() == Outcome::skip) continue;
        ids.insert(check.id);
        told += check.id + ": " + std::string(name(verdict.outcome())) + ": " + verdict.text() + "\n";
    }
    return ids;
}

}  // namespace

Ids failing(const Subjects& subjects, Role role, const Ids& expected, std::string& told) {
    return failing_where(subjects, role, [&](const std::string& id) { return expected.contains(id); }, told);
}

Ids failing_in_full(const Subjects& subjects, Role role, std::string& told) {
    return failing_where(subjects, role, [](const std::string&) { return true; }, told);
}

}  // namespace xenrig::conformance
