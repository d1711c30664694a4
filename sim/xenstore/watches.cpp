#include "sim/xenstore/watches.h"

#include <algorithm>
#include <tuple>

#include "sim/xenstore/connection.h"

namespace xenrig::xenstore {
namespace {

/// What is left of a path below the root of its kind.
std::string_view components(std::string_view path) { return path.front() == '/' ? path.substr(1) : path; }

std::string_view take(std::string_view& rest) {
    const std::size_t slash = rest.find('/');
    const std::string_view component = rest.substr(0, slash);
    rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
    return component;
}

bool wants(const Watch& watch, Match match, int distance) {
    switch (match) {
        case Match::exact:
            return distance == 0;
        case Match::subtree:
            return watch.depth < 0 || distance <= watch.depth;
        case Match::depth:
            return distance == 0 || (watch.depth > 0 && distance <= watch.depth);
        case Match::no_depth:
            return distance == 0 && watch.depth < 0;
    }
    return false;
}

}  // namespace

void WatchIndex::add(Watch& watch) {
    Place* place = watch.path.front() == '@' ? &special_ : &root_;
    for (std::string_view rest = components(watch.path); !rest.empty();) {
        auto& below = place->below[std::string(take(rest))];
        if (!below) below = std::make_unique<Place>();
        place = below.get();
    }
    place->here.push_back(&watch);
    ++count_;
}

bool WatchIndex::remove_below(Place& place, std::string_view rest, const Watch& watch) {
    if (rest.empty()) {
        std::erase(place.here, &watch);
    } else {
        const auto found = place.below.find(take(rest));
        if (remove_below(*found->second, rest, watch)) place.below.erase(found);
    }
    return place.here.empty() && place.below.empty();
}

void WatchIndex::remove(Watch& watch) {
    remove_below(watch.path.front() == '@' ? special_ : root_, components(watch.path), watch);
    --count_;
}

const std::vector<Watch*>& WatchIndex::matching(std::string_view path, Match match) {
    matching_.clear();
    if (count_ == 0) return matching_;
    const Place* place = path.front() == '@' ? &special_ : &root_;
    std::string_view rest = components(path);
    int distance = 1 + static_cast<int>(std::count(rest.begin(), rest.end(), '/'));
    if (rest.empty()) distance = 0;
    for (;;) {
        for (Watch* watch : place->here)
            if (wants(*watch, match, distance)) matching_.push_back(watch);
        if (rest.empty() || place->below.empty()) break;
        const auto below = place->below.find(take(rest));
        if (below == place->below.end()) break;
        place = below->second.get();
        --distance;
    }
    std::sort(matching_.begin(), matching_.end(), [](const Watch* a, const Watch* b) {
        return std::tuple(a->owner->id(), a->order) < std::tuple(b->owner->id(), b->order);
    });
    return matching_;
}

std::vector<Watch*> WatchIndex::down_to(std::string_view path) const {
    std::vector<Watch*> watches;
    const Place* place = &root_;
    for (std::string_view rest = components(path);;) {
        watches.insert(watches.end(), place->here.rbegin(), place->here.rend());
        if (rest.empty()) return watches;
        const auto below = place->below.find(take(rest));
        if (below == place->below.end()) return watches;
        place = below->second.get();
    }
}

void WatchIndex::collect_below(const Place& place, std::vector<Watch*>& watches) {
    std::vector<std::pair<std::string_view, const Place*>> places;
    places.reserve(place.below.size());
    for (const auto& [name, below] : place.below) places.emplace_back(name, below.get());
    std::sort(places.begin(), places.end());
    for (const auto& [name, below] : places) {
        watches.insert(watches.end(), below->here.rbegin(), below->here.rend());
        collect_below(*below, watches);
    }
}

std::vector<Watch*> WatchIndex::below(std::string_view path) const {
    std::vector<Watch*> watches;
    const Place* place = &root_;
    for (std::string_view rest = components(path); !rest.empty();) {
        const auto below = place->below.find(take(rest));
        if (below == place->below.end()) return watches;
        place = below->second.get();
    }
    collect_below(*place, watches);
    return watches;
}

const std::vector<Watch*>* WatchIndex::at(std::string_view path) const {
    const Place* place = path.front() == '@' ? &special_ : &root_;
    for (std::string_view rest = components(path); !rest.empty();) {
        const auto below = place->below.find(take(rest));
        if (below == place->below.end()) return nullptr;
        place = below->second.get();
    }
    return &place->here;
}

}  // namespace xenrig::xenstore
