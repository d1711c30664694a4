// store.h. The struct of a handle that C code never looks into is the handle itself.
#include <cstring>

#include "home.h"

struct xenrig_watch : xenrig::c::Handle {
    xenrig::Watch watch;
};

namespace xenrig::c {

namespace {

Store& store_of(const xenrig_platform* xen) { return Home::of(xen).platform().store(); }

int read(const xenrig_platform* xen, xenrig_tx tx, const char* path, char* out, std::size_t room) {
    const auto value = store_of(xen).read(StoreTx{tx}, path);
    if (!value) return answer(value);
    if (value->size() >= room) return -XENRIG_ERANGE;
    std::memcpy(out, value->c_str(), value->size() + 1);
    return static_cast<int>(value->size());
}

int write(const xenrig_platform* xen, xenrig_tx tx, const char* path, const char* value) {
    return answer(store_of(xen).write(StoreTx{tx}, path, value));
}

int make_directory(const xenrig_platform* xen, xenrig_tx tx, const char* path) {
    return answer(store_of(xen).mkdir(StoreTx{tx}, path));
}

int remove(const xenrig_platform* xen, xenrig_tx tx, const char* path) {
    return answer(store_of(xen).rm(StoreTx{tx}, path));
}

int directory(const xenrig_platform* xen, xenrig_tx tx, const char* path, char* out, std::size_t room) {
    const auto names = store_of(xen).directory(StoreTx{tx}, path);
    if (!names) return answer(names);
    for (const std::string& name : *names) {
        if (name.size() >= room) return -XENRIG_ERANGE;
        std::memcpy(out, name.c_str(), name.size() + 1);
        out += name.size() + 1;
        room -= name.size() + 1;
    }
    return static_cast<int>(names->size());
}

int get_perms(const xenrig_platform* xen, xenrig_tx tx, const char* path, xenrig_perm* out, unsigned room) {
    const auto perms = store_of(xen).get_perms(StoreTx{tx}, path);
    if (!perms) return answer(perms);
    if (perms->size() > room) return -XENRIG_ERANGE;
    for (const StorePerm& p : *perms) *out++ = {p.domain.value, p.read, p.write};
    return static_cast<int>(perms->size());
}

int set_perms(const xenrig_platform* xen, xenrig_tx tx, const char* path, const xenrig_perm* perms, unsigned count) {
    std::vector<StorePerm> list;
    list.reserve(count);
    for (unsigned i = 0; i < count; ++i)
        list.push_back({DomId{perms[i].domain}, perms[i].read != 0, perms[i].write != 0});
    return answer(store_of(xen).set_perms(StoreTx{tx}, path, list));
}

int start(const xenrig_platform* xen, xenrig_tx* out) {
    const auto tx = store_of(xen).start();
    if (tx) *out = static_cast<xenrig_tx>(*tx);
    return answer(tx);
}

int end_transaction(const xenrig_platform* xen, xenrig_tx tx, int commit) {
    return answer(store_of(xen).end(StoreTx{tx}, commit != 0));
}

int watch(const xenrig_platform* xen, const char* path, xenrig_watch_handler handler, void* context,
          xenrig_watch** out) {
    auto watch = store_of(xen).watch(
        path, [handler, context](const std::string& changed) { handler(context, changed.c_str()); });
    if (!watch) return answer(watch);
    auto handle = std::make_unique<xenrig_watch>();
    handle->watch = std::move(*watch);
    *out = Home::of(xen).keep(std::move(handle));
    return 0;
}

void unwatch(const xenrig_platform* xen, xenrig_watch* watch) { end<xenrig_watch>(xen, watch); }

}  // namespace

const xenrig_store store_calls = {.size = sizeof(xenrig_store),
                                  .read = read,
                                  .write = write,
                                  .mkdir = make_directory,
                                  .rm = remove,
                                  .directory = directory,
                                  .get_perms = get_perms,
                                  .set_perms = set_perms,
                                  .start = start,
                                  .end = end_transaction,
                                  .watch = watch,
                                  .unwatch = unwatch};

}  // namespace xenrig::c
