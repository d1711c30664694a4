// The ways in which the checks must be able to fail: each a driver that is wrong in one way, and the checks that it
// fails, no others.
#pragma once

#include <string>
#include <vector>

#include "tamper.h"

namespace xenrig::conformance {

struct Flaw {
    /// What it does wrong, in a test's name.
    const char* name;
    Tamper (*tamper)();
    std::set<std::string> fails;
};

const std::vector<Flaw>& frontend_flaws();
const std::vector<Flaw>& backend_flaws();
// Parts of them.
std::vector<Flaw> backend_request_flaws();
std::vector<Flaw> backend_feature_flaws();

// What many flaws do.

/// A node reads as something else, or as not there; whose it is says the protocol.
inline auto reads_as(std::string node, Tamper::Text as) {
    return [node = std::move(node), as = std::move(as)](const std::string& name, Tamper::Text is, bool) {
        return name == node ? as : is;
    };
}
/// The peer's state reads as another where it is `is`; "" where it has none.
inline auto reads_state_as(std::string is, std::string as) {
    return [is = std::move(is), as = std::move(as)](const std::string& name, Tamper::Text value, bool own) {
        return name == "state" && !own && value.value_or("") == is ? Tamper::Text(as) : value;
    };
}
inline auto writes_as(std::string node, Tamper::Text as) {
    return [node = std::move(node), as = std::move(as)](const std::string& name, std::string is) {
        return name == node ? as : Tamper::Text(std::move(is));
    };
}
/// The own state is written as another, or not at all, where it should be `is`.
inline auto writes_state_as(std::string is, Tamper::Text as) {
    return [is = std::move(is), as = std::move(as)](const std::string& name, std::string value) {
        return name == "state" && value == is ? as : Tamper::Text(std::move(value));
    };
}

}  // namespace xenrig::conformance
