// Which locks were ever taken while which others were held: a cycle is a deadlock that some schedule will find.
//
// Locks are known by their names: two locks of one name are of one class, and are not ordered among themselves.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace xenrig::engine {

class LockOrder {
public:
    /// `taken` while `held` is held. The sentence that says which order contradicts, the first time.
    std::optional<std::string> add(std::string_view held, std::string_view taken);

private:
    bool reaches(const std::string& from, const std::string& to, std::set<std::string>& visited) const;

    std::map<std::string, std::set<std::string, std::less<>>, std::less<>> after_;
};

}  // namespace xenrig::engine
