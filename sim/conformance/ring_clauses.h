// The tables of ring.h's checks, one for each end.
#pragma once

#include <vector>

#include "sim/conformance/clause.h"

namespace xenrig::conformance {

const std::vector<Clause>& ring_frontend_clauses();
const std::vector<Clause>& ring_backend_clauses();

}  // namespace xenrig::conformance
