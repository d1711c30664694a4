// The checks that exist, a list for each header: docs/conformance/<header>.md says what each does and why.
#pragma once

#include <vector>

#include "sim/conformance/check.h"
#include "sim/conformance/subject.h"

namespace xenrig::conformance {

/// All that a check is to be played with, or the mildest choices alone.
enum class Effort : std::uint8_t { full, once };

std::vector<Check> ring_checks(const Subjects& subjects = own_drivers(), Effort effort = Effort::full);
std::vector<Check> xenbus_checks(const Subjects& subjects = own_drivers(), Effort effort = Effort::full);
std::vector<Check> blkif_checks(const Subjects& subjects = own_drivers(), Effort effort = Effort::full);

/// All of them, for the roles that these subjects have.
std::vector<Check> checks_against(const Subjects& subjects, Effort effort = Effort::full);

}  // namespace xenrig::conformance
