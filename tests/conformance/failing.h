// Which checks a subject fails, for tests that know which it must.
#pragma once

#include <set>
#include <string>

#include "sim/conformance/check.h"
#include "sim/conformance/subject.h"

namespace xenrig::conformance {

using Ids = std::set<std::string>;

/// The checks of this end that do not succeed. Those that are expected to are played in full, the rest once each, with
/// the mildest choices. `told`: why.
Ids failing(const Subjects& subjects, Role role, const Ids& expected, std::string& told);
/// All of them in full.
Ids failing_in_full(const Subjects& subjects, Role role, std::string& told);

}  // namespace xenrig::conformance
