#include "sim/xenstore/oxenstored/transaction.h"

#include "sim/xenstore/path.h"

namespace xenrig::xenstore::oxen {
namespace {

std::string common_ancestor(std::string_view a, std::string_view b) {
    while (a != b) {
        std::string_view& longer = a.size() >= b.size() ? a : b;
        longer = parent_of(longer);
    }
    return std::string(a);
}

void lower(std::optional<std::string>& lowest, std::string_view path) {
    lowest = lowest ? common_ancestor(*lowest, path) : std::string(path);
}

/// Whether the permissions on the way down to `path`, and those of the node, are as they were.
bool same_perms(const Tree& before, const Tree& now, std::string_view path) {
    for (;; path = parent_of(path)) {
        const Node* a = before.find(path);
        const Node* b = now.find(path);
        if (a == nullptr || b == nullptr || perms_text(a->perms) != perms_text(b->perms)) return false;
        if (path == "/") return true;
    }
}

bool untouched(const Tree& before, const Tree& now, const std::optional<std::string>& path) {
    if (!path) return true;
    const Node* a = before.find(*path);
    const Node* b = now.find(*path);
    if (a == nullptr && b == nullptr) return now.find(parent_of(*path)) != nullptr;
    return a == b && same_perms(before, now, *path);
}

}  // namespace

void Work::note_read(std::string_view path) {
    if (id != 0) lower(lowest_read, path);
}

void Work::note_written(std::string_view path) {
    if (id != 0) lower(lowest_written, path);
}

Outcome<> Work::write(const Identity& who, std::string_view path, std::string_view value) {
    const bool exists = id != 0 && version.tree.find(path) != nullptr;
    if (const auto done = version.write(who, path, value); !done) return done;
    note_written(exists ? path : parent_of(path));
    changes.push_back({Change::write, std::string(path)});
    return {};
}

Outcome<> Work::mkdir(const Identity& who, std::string_view path, bool tells) {
    if (const auto done = version.mkdir(who, path); !done) return done;
    note_written(parent_of(path));
    if (tells) changes.push_back({Change::write, std::string(path)});
    return {};
}

Outcome<> Work::rm(const Identity& who, std::string_view path) {
    const auto removed = version.rm(who, path);
    if (!removed) return refuse(removed.error());
    if (!*removed) return {};
    note_written(parent_of(path));
    changes.push_back({Change::rm, std::string(path)});
    return {};
}

Outcome<> Work::set_perms(const Identity& who, std::string_view path, const Perms& perms) {
    if (const auto done = version.set_perms(who, path, perms); !done) return done;
    note_written(path);
    changes.push_back({Change::set_perms, std::string(path)});
    return {};
}

bool Transaction::merge(Version& live) const {
    if (work.before.root_ref().get() == live.tree.root_ref().get()) {
        live.tree = tree;
        live.counts = counts;
        return true;
    }
    if (!untouched(work.before, live.tree, work.lowest_read)) return false;
    if (!untouched(work.before, live.tree, work.lowest_written)) return false;
    const Node* made = work.lowest_written ? tree.find(*work.lowest_written) : nullptr;
    if (made == nullptr) return true;
    const std::string_view path = *work.lowest_written;
    if (live.tree.find(path) == nullptr) live.tree.create(parent_of(path), base_name(path), {}, made->perms);
    live.tree.edit(path) = made->share();
    for (const auto& [owner, count] : counts) {
        const auto had = counts_before.find(owner);
        const int change = count - (had != counts_before.end() ? had->second : 0);
        if (change == 0) continue;
        int& now = live.counts[owner];
        now += change;
        if (now == 0) live.counts.erase(owner);
    }
    return true;
}

}  // namespace xenrig::xenstore::oxen
