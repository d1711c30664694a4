#include "sim/conformance/blkif_clauses.h"
#include "sim/conformance/checks.h"

namespace xenrig::conformance {

std::vector<Check> blkif_checks(const Subjects& subjects, Effort effort) {
    std::vector<Check> all;
    for (const auto* table :
         {&blkif_frontend_store_clauses(), &blkif_frontend_request_clauses(), &blkif_frontend_feature_clauses(),
          &blkif_frontend_transport_clauses(), &blkif_backend_store_clauses(), &blkif_backend_request_clauses(),
          &blkif_backend_feature_clauses(), &blkif_backend_indirect_clauses(), &blkif_backend_grant_clauses(),
          &blkif_backend_transport_clauses(), &blkif_info_clauses(), &blkif_anew_clauses()})
        for (Check& c : checks_of("xen/io/blkif.h", *table, subjects, effort)) all.push_back(std::move(c));
    return all;
}

}  // namespace xenrig::conformance
