// What most scripts do: one request and its response, one transfer of a user's and its completion.
#pragma once

#include <functional>
#include <optional>

#include "sim/conformance/stage.h"

namespace xenrig::conformance {

/// Puts the request, lets the world settle, and takes the one response that there should be.
std::optional<blkif_response_t> send(Stage& s, const blkif_request_t& request);
/// The same on another of its rings.
std::optional<blkif_response_t> send(Stage& s, blk::RawFrontend& queue, const blkif_request_t& request);

inline bool is_okay(const std::optional<blkif_response_t>& r) { return r && r->status == BLKIF_RSP_OKAY; }

/// Does the subject, a backend, say so by a number other than 0?
bool offers(Stage& s, const char* feature);
/// The number in a node of the subject's, a backend; 0 when there is none.
std::uint64_t offered(Stage& s, const char* node);

/// Answered once, as bad, with its id and operation; a read after it works.
void refused(Stage& s, const blkif_request_t& request, const std::string& what);

/// send() of a read of one sector brings its pattern.
bool read_works(Stage& s, std::uint64_t sector = 7);

/// Serves whatever the subject's frontend asks, until the call is over or nothing moves any more. What was on the ring.
std::vector<blkif_request_t> serve(Stage& s, const UserCallPtr& call);

/// Starts the subject, a backend, has the frontend publish what `nodes` does after the usual way, and become
/// Initialised.
void publish_and_wait(Stage& s, const std::function<void()>& nodes);
/// The subject, a backend, closed the device, and neither maps nor binds anything.
void closed_for(Stage& s, const std::string& what);

/// A user's read, served as it should be, completes with the sectors' patterns.
bool user_read_works(Stage& s, std::uint64_t sector = 7, unsigned sectors = 1);

/// "the status is -1": for a report.
std::string number(const char* what, std::int64_t n);
std::string shown(const std::optional<blkif_response_t>& response);

/// Digits alone, no zero before others, at most `digits` of them.
bool is_decimal(const std::string& text, unsigned digits);

}  // namespace xenrig::conformance
