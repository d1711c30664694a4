#include "sim/xenstore/tree.h"

#include "sim/xenstore/path.h"
#include "xenrig/abi/check.h"

namespace xenrig::xenstore {
namespace {

void own(Ref<Node>& node) {
    if (!node.unique()) node = node->clone();
}

}  // namespace

Tree::Tree()
    : root_(Node::make("", "", make_perms({Perm{}}))),
      introduce_domain_(Node::make("", "", root_->perms)),
      release_domain_(Node::make("", "", make_perms({Perm{}, Perm{.domain = kDomIdAny, .access = kRead}}))) {}

const Node* Tree::find(std::string_view path) const {
    if (path.front() == '@') {
        if (path == kIntroduceDomain) return introduce_domain_.get();
        return path == kReleaseDomain ? release_domain_.get() : nullptr;
    }
    const Node* node = root_.get();
    for (Components rest(path); node != nullptr && !rest.done();) {
        const std::string_view name = rest.next();
        node = node->children.find(name, hash_name(name));
    }
    return node;
}

Ref<Node>& Tree::edit(std::string_view path) {
    if (path.front() == '@') {
        Ref<Node>& special = path == kIntroduceDomain ? introduce_domain_ : release_domain_;
        own(special);
        return special;
    }
    own(root_);
    Ref<Node>* node = &root_;
    for (Components rest(path); !rest.done();) {
        const std::string_view name = rest.next();
        node = (*node)->children.edit(name, hash_name(name));
        check(node != nullptr, "a node that is changed exists");
    }
    return *node;
}

Ref<Node>& Tree::create(std::string_view parent, std::string_view name, std::string_view value, Perms perms) {
    Node& above = *edit(parent);
    above.children.append(Node::make(name, value, std::move(perms)));
    return *above.children.edit(name, hash_name(name));
}

Ref<Node> Tree::erase(std::string_view path) {
    if (path == "/" || find(path) == nullptr) return {};
    const std::string_view name = base_name(path);
    return edit(parent_of(path))->children.erase(name, hash_name(name));
}

}  // namespace xenrig::xenstore
