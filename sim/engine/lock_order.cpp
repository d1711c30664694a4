#include "sim/engine/lock_order.h"

namespace xenrig::engine {

std::optional<std::string> LockOrder::add(std::string_view held, std::string_view taken) {
    if (held == taken) return std::nullopt;
    if (const auto known = after_.find(held); known != after_.end() && known->second.contains(taken))
        return std::nullopt;
    const std::string from{held}, to{taken};
    after_[from].insert(to);
    std::set<std::string> visited;
    if (!reaches(to, from, visited)) return std::nullopt;
    return "'" + to + "' is taken under '" + from + "', and elsewhere '" + from + "' under '" + to + "'";
}

bool LockOrder::reaches(const std::string& from, const std::string& to, std::set<std::string>& visited) const {
    if (from == to) return true;
    if (!visited.insert(from).second) return false;
    const auto next = after_.find(from);
    if (next == after_.end()) return false;
    for (const std::string& lock : next->second)
        if (reaches(lock, to, visited)) return true;
    return false;
}

}  // namespace xenrig::engine
