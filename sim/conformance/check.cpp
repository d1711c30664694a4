#include "sim/conformance/check.h"

namespace xenrig::conformance {

std::string_view name(Outcome o) {
    switch (o) {
        case Outcome::success:
            return "success";
        case Outcome::skip:
            return "skip";
        case Outcome::error:
            return "error";
        case Outcome::failure:
            return "failure";
    }
    return "?";
}

std::string_view name(Role r) {
    switch (r) {
        case Role::frontend:
            return "frontend";
        case Role::backend:
            return "backend";
        case Role::both:
            return "both";
    }
    return "?";
}

bool Verdict::expect(bool holds, std::string_view what, const std::function<std::string()>& seen) {
    ++expectations_;
    if (holds || failed()) return holds;
    outcome_ = Outcome::failure;
    text_ = what;
    if (seen) text_ += "\n  seen: " + seen();
    return false;
}

void Verdict::skip(std::string why) {
    if (failed()) return;
    outcome_ = Outcome::skip;
    text_ = std::move(why);
}

void Verdict::error(std::string why) {
    if (failed()) return;
    outcome_ = Outcome::error;
    text_ = std::move(why);
}

Outcome Verdict::outcome() const {
    return outcome_ == Outcome::success && expectations_ == 0 ? Outcome::error : outcome_;
}

}  // namespace xenrig::conformance
