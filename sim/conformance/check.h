// A conformance check: one clause of a protocol's header, played against a subject.
//
// Four outcomes, after the Xen Test Framework: success; skip (the clause doesn't apply to this subject); error (the
// check itself could not do its work); failure (the subject breaks the clause). A check that expects nothing is an
// error.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace xenrig::conformance {

enum class Outcome : std::uint8_t { success, skip, error, failure };

std::string_view name(Outcome o);

/// What a check finds out. The first failure counts; the check should then return.
class Verdict {
public:
    /// `what` is the clause as a sentence; `seen` is what the peer saw instead, asked for only when it does not hold.
    bool expect(bool holds, std::string_view what, const std::function<std::string()>& seen = {});
    void skip(std::string why);
    void error(std::string why);
    /// What replays the run that failed, where one was recorded.
    void token(std::string t) { token_ = std::move(t); }

    bool failed() const { return outcome_ != Outcome::success; }
    /// Error when nothing was expected.
    Outcome outcome() const;
    const std::string& text() const { return text_; }
    const std::string& token() const { return token_; }
    unsigned expectations() const { return expectations_; }

private:
    Outcome outcome_ = Outcome::success;
    std::string text_, token_;
    unsigned expectations_ = 0;
};

/// Who plays the other end of the check: the subject is what is checked.
enum class Role : std::uint8_t { frontend, backend, both };

std::string_view name(Role r);

struct Check {
    /// "blkif.read-returns-data": the protocol, a dot, and what holds.
    std::string id;
    /// The header, and the line of its clause in libxen-dev 4.17.
    std::string header;
    unsigned line = 0;
    Role subject = Role::both;
    /// The clause in our words.
    std::string clause;
    std::function<void(Verdict&)> run;

    std::string protocol() const { return id.substr(0, id.find('.')); }
};

/// All that exist, in the order of the documents: ring, xenbus, blkif.
const std::vector<Check>& checks();

}  // namespace xenrig::conformance
