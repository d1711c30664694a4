#include "sim/conformance/store_history.h"

#include "sim/xenstore/store.h"

namespace xenrig::conformance {

Nodes StoreHistory::look(const std::string& path) const {
    Nodes nodes;
    if (const xenstore::Node* directory = store_.tree().find(path))
        directory->children.for_each([&](const xenstore::Node& node) {
            nodes.emplace(node.name(), node.value());
            return true;
        });
    return nodes;
}

void StoreHistory::sample() {
    if (store_.generation() == generation_) return;
    generation_ = store_.generation();
    StoreMoment now{look(frontend_), look(backend_)};
    if (!moments_.empty() && moments_.back().frontend == now.frontend && moments_.back().backend == now.backend) return;
    moments_.push_back(std::move(now));
}

std::vector<std::string> StoreHistory::values(Nodes StoreMoment::* whose, const std::string& node) const {
    std::vector<std::string> list;
    for (const StoreMoment& m : moments_) {
        const auto found = (m.*whose).find(node);
        if (found == (m.*whose).end()) continue;
        if (list.empty() || list.back() != found->second) list.push_back(found->second);
    }
    return list;
}

const StoreMoment* StoreHistory::first(Nodes StoreMoment::* whose, const std::string& states) const {
    for (const StoreMoment& m : moments_) {
        const auto state = (m.*whose).find("state");
        if (state == (m.*whose).end() || state->second.size() != 1) continue;
        if (states.find(state->second) != std::string::npos) return &m;
    }
    return nullptr;
}

std::string value_of(const Nodes& nodes, const std::string& name) {
    const auto found = nodes.find(name);
    return found == nodes.end() ? "" : found->second;
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& w : words) text += (text.empty() ? "" : " ") + w;
    return text;
}

}  // namespace xenrig::conformance
