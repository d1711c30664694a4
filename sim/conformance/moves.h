// What most scripts do: one request and its response, one transfer of a user's and its completion.
#pragma once

#include <optional>

#include "sim/conformance/stage.h"

namespace xenrig::conformance {

/// Puts the request, lets the world settle, and takes the one response that there should be.
std::optional<blkif_response_t> send(Stage& s, const blkif_request_t& request);

/// send() of a read of one sector brings its pattern.
bool read_works(Stage& s, std::uint64_t sector = 7);

/// Serves whatever the subject's frontend asks, until the call is over or nothing moves any more. What was on the ring.
std::vector<blkif_request_t> serve(Stage& s, const UserCallPtr& call);

/// A user's read, served as it should be, completes with the sectors' patterns.
bool user_read_works(Stage& s, std::uint64_t sector = 7, unsigned sectors = 1);

/// "the status is -1": for a report.
std::string number(const char* what, std::int64_t n);
std::string shown(const std::optional<blkif_response_t>& response);

/// Digits alone, no zero before others, at most `digits` of them.
bool is_decimal(const std::string& text, unsigned digits);

}  // namespace xenrig::conformance
