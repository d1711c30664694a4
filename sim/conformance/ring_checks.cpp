#include "sim/conformance/checks.h"
#include "sim/conformance/ring_clauses.h"

namespace xenrig::conformance {

std::vector<Check> ring_checks(const Subjects& subjects, Effort effort) {
    std::vector<Check> all = checks_of("xen/io/ring.h", ring_frontend_clauses(), subjects, effort);
    for (Check& c : checks_of("xen/io/ring.h", ring_backend_clauses(), subjects, effort)) all.push_back(std::move(c));
    return all;
}

}  // namespace xenrig::conformance
