// Requests for nodes: read, write, create, remove, change permissions.
#include "tests/model/reference.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <utility>
// Takes its number types from whoever includes it.
#include <xen/io/xs_wire.h>

#include "tests/model/reference_text.h"

namespace xenrig::model {

Reference::Answer Reference::read(const std::string& written, std::uint32_t type, std::string_view offset) {
    const std::string path = absolute(written);
    if (!is_path(path, type == XS_GET_PERMS)) return fail("EINVAL");
    if (Answer refused = reach(path, kRead); refused.error) return refused;
    const Node& node = *look(path);
    if (type == XS_READ) return {node.value};
    std::string names;
    for (const std::string& child : node.children) names += with_nul(child);
    if (type == XS_DIRECTORY) return {names};
    if (type == XS_DIRECTORY_PART) {
        // As many whole names as fit, and one more nul when the end is among them.
        std::string part = with_nul(std::to_string(node.generation));
        const auto from = static_cast<std::uint32_t>(number_in(std::string(offset)));
        std::string rest = from < names.size() ? names.substr(from) : "";
        while (!rest.empty()) {
            const auto length = rest.find('\0') + 1;
            if (part.size() + length - 1 >= XENSTORE_PAYLOAD_MAX - 1) break;
            part += rest.substr(0, length);
            rest.erase(0, length);
        }
        return {rest.empty() ? with_nul(part) : part};
    }
    std::string perms;
    for (const Perm& perm : current(node.perms, node.generation))
        perms += with_nul(perm.letter + std::to_string(static_cast<std::int32_t>(perm.domain)));
    return {perms};
}

Reference::Answer Reference::write(const std::string& written, const std::string& value, bool directory) {
    const std::string path = absolute(written);
    if (!is_path(path, false)) return fail("EINVAL");
    Answer refused = reach(path, kWrite);
    if (refused.error && refused.payload != "ENOENT") return refused;
    if (!refused.error && directory) return ok();
    if (refused.error) {
        if (Answer made = create(path, value); made.error) return made;
    } else {
        const Node& node = *look(path);
        std::size_t size = 16 + 8 * node.perms.size() + value.size();
        for (const std::string& child : node.children) size += child.size() + 1;
        if (too_large(size)) return fail("ENOSPC");
        touch(path).value = value;
    }
    changed(path, nullptr);
    return ok();
}

Reference::Answer Reference::create(const std::string& path, const std::string& value) {
    std::vector<std::string> missing;
    std::string at = path;
    for (; look(at) == nullptr; at = parent_of(at)) missing.push_back(at);
    if (inside_ != nullptr) inside_->created = true;
    if (reaches_limit("nodes", owned_by(id_of(client_->name)) + std::size_t{1})) return fail("ENOSPC");

    // A new node has its parent's permissions; one that a guest makes is the guest's.
    const Node& parent = *look(at);
    Perms perms = current(parent.perms, parent.generation);
    if (is_ring(client_->name)) perms.front().domain = id_of(client_->name);
    const std::size_t empty = 16 + 8 * perms.size();
    if (too_large(empty + value.size())) return fail("ENOSPC");
    for (std::size_t i = 0; i + 1 < missing.size(); ++i)
        if (too_large(empty + name_in(missing[i]).size() + 1)) return fail("ENOSPC");
    std::size_t grown = 16 + 8 * parent.perms.size() + parent.value.size() + name_in(missing.back()).size() + 1;
    for (const std::string& child : parent.children) grown += child.size() + 1;
    if (too_large(grown)) return fail("ENOSPC");

    for (std::size_t i = 0; i < missing.size(); ++i) {
        Node node{i == 0 ? value : "", perms, {}, ++generation_};
        if (i != 0) node.children.push_back(name_in(missing[i - 1]));
        count_nodes(perms.front().domain, 1);
        put(missing[i], node);
    }
    touch(at).children.push_back(name_in(missing.back()));
    return ok();
}

Reference::Answer Reference::remove(const std::string& written) {
    const std::string path = absolute(written);
    if (!is_path(path, false)) return fail("EINVAL");
    if (Answer refused = reach(path, kWrite); refused.error) {
        // What is not there is removed already, if its parent is there.
        if (refused.payload == "ENOENT" && look(parent_of(path)) != nullptr) return ok();
        return refused;
    }
    if (path == "/") return fail("EINVAL");
    if (inside_ == nullptr) {
        erase_live(path);
        return ok();
    }
    if (look(parent_of(path)) == nullptr) return fail("EINVAL");
    // From the leaves up. A child that the list still has and that was removed outside is an error halfway.
    std::vector<std::pair<std::string, std::size_t>> open{{path, 0}};
    while (!open.empty()) {
        const std::string at = open.back().first;
        if (look(at) == nullptr) return fail("EIO");
        const std::vector<std::string> children = look(at)->children;
        // What was removed on the way up is not in the list any more, so the first is always the next.
        if (!children.empty()) {
            open.emplace_back(below(at, children.front()), 0);
            continue;
        }
        ++generation_;
        count_nodes(look(at)->perms.front().domain, -1);
        put(at, std::nullopt);
        auto& event = inside_->copies[at].event;
        event = open.size() == 1 || event.value_or(false);
        // The parent may have been looked at before somebody else made the child.
        const auto& siblings = look(parent_of(at))->children;
        if (std::find(siblings.begin(), siblings.end(), name_in(at)) == siblings.end()) return fail("EIO");
        erase_first(touch(parent_of(at)).children, name_in(at));
        open.pop_back();
    }
    return ok();
}

Reference::Answer Reference::set_perms(const std::string& written, const std::vector<std::string>& texts) {
    const bool guest = is_ring(client_->name);
    if (reaches_limit("node-permissions", texts.size())) return fail("ENOSPC");
    Perms perms;
    for (const std::string& text : texts) {
        if (text.empty() || std::string("nrwb").find(text[0]) == std::string::npos) return fail("EINVAL");
        char* end = nullptr;
        const long id = std::strtol(text.c_str() + 1, &end, 0);
        if (end == text.c_str() + 1 || *end != '\0') return fail("EINVAL");
        perms.push_back({static_cast<std::uint32_t>(id), text[0], false});
    }
    for (Perm& perm : perms) {
        if (perm.domain == kAnyDomain)
            perm.ignored = guest && (domains_.at(id_of(client_->name)).features & kFeatureAnyDomain) == 0;
        else
            perm.ignored = existing(perm.domain) == nullptr;
    }
    if (perms.front().ignored) return fail("ENOENT");
    const std::string path = absolute(written);
    if (!is_path(path, true)) return fail("EINVAL");
    if (Answer refused = reach(path, kWrite | kOwner); refused.error) return refused;
    const Node& node = *look(path);
    const Perms old = current(node.perms, node.generation);
    if (guest && perms.front().domain != old.front().domain) return fail("EPERM");
    std::size_t size = 16 + 8 * perms.size() + node.value.size();
    for (const std::string& child : node.children) size += child.size() + 1;
    if (too_large(size)) return fail("ENOSPC");
    count_nodes(old.front().domain, -1);
    count_nodes(perms.front().domain, 1);
    touch(path).perms = perms;
    changed(path, &old);
    return ok();
}

}  // namespace xenrig::model
