// Runs checks and tells what came of it: on the terminal, as JUnit, as JSON.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "sim/conformance/check.h"
#include "xenrig/abi/error.h"

namespace xenrig::conformance {

struct Selection {
    /// "blkif"; empty for all.
    std::string protocol;
    /// Of ids, with * and ?; empty for all.
    std::string filter;
};

/// Does `text` match a pattern of letters, `*` (any run) and `?` (any one)?
bool glob_matches(std::string_view pattern, std::string_view text);

/// EINVAL when nothing is selected, with what there is.
Result<std::vector<const Check*>> select(const std::vector<Check>& all, const Selection& selection);

struct CheckResult {
    const Check* check;
    Outcome outcome;
    std::string text, token;
};

struct Report {
    std::vector<CheckResult> results;
    std::size_t count(Outcome o) const;
    /// 0: all well (skips too). 1: a failure. 2: an error.
    int exit_code() const;
};

CheckResult run_one(const Check& check);

/// The same in a process of its own, for a subject that may crash or spin: either is a failure of the clause that was
/// being checked. The child may use so many seconds of processor time.
CheckResult run_apart(const Check& check, unsigned seconds_max = 60);

/// `done` is told of each as it ends.
Report run(const std::vector<const Check*>& selected, const std::function<void(const CheckResult&)>& done,
           const std::function<CheckResult(const Check&)>& runner = run_one);

void print(std::ostream& out, const CheckResult& result);
void print_summary(std::ostream& out, const Report& report);
/// The schema that Jenkins and GitLab read: one testsuite a protocol, one testcase a check.
void write_junit(std::ostream& out, const Report& report);
/// {"checks": [{"id", "header", "line", "clause", "outcome", "text", "token"}…],
///  "clauses": {"blkif": {"must": {"checked": n, "unchecked": n}, …}…}, "success": n, …}
void write_json(std::ostream& out, const Report& report);

}  // namespace xenrig::conformance
