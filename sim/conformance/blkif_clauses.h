// The tables of blkif.h's checks, by end and by what they look at: the store, requests, optional features, transport.
#pragma once

#include <vector>

#include "sim/conformance/clause.h"

namespace xenrig::conformance {

const std::vector<Clause>& blkif_frontend_store_clauses();
const std::vector<Clause>& blkif_frontend_request_clauses();
const std::vector<Clause>& blkif_frontend_feature_clauses();
const std::vector<Clause>& blkif_frontend_transport_clauses();
const std::vector<Clause>& blkif_backend_store_clauses();
const std::vector<Clause>& blkif_backend_request_clauses();
const std::vector<Clause>& blkif_backend_feature_clauses();
const std::vector<Clause>& blkif_backend_indirect_clauses();
const std::vector<Clause>& blkif_backend_grant_clauses();
const std::vector<Clause>& blkif_backend_transport_clauses();
// For both ends.
const std::vector<Clause>& blkif_info_clauses();
const std::vector<Clause>& blkif_anew_clauses();

}  // namespace xenrig::conformance
