// Loads a subject's library, and looks whether it is one.
#include <dlfcn.h>

#include <cstddef>
#include <filesystem>

#include "c_backend.h"
#include "c_frontend.h"
#include "xenrig/c/subject.h"
#include "xenrig/world/subject.h"

namespace xenrig::world {

namespace {

constexpr const char* kSymbol = "xenrig_subject";

using Library = std::shared_ptr<void>;

Result<Library> open_library(const std::string& path) {
    if (!std::filesystem::exists(path))
        return fail(Errno::noent, path + ": there is no such file; give the path of the subject's shared library");
    // Not the name alone, which would be looked for where the system's libraries are.
    void* const handle = dlopen(std::filesystem::absolute(path).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return fail(Errno::inval, std::string(dlerror()) +
                                      ": it can't be loaded; a subject is a shared library (cc -shared -fPIC) that "
                                      "needs no symbol of Xenrig's");
    return Library(handle, [](void* h) { dlclose(h); });
}

struct Needed {
    const char* name;
    bool there;
};

/// EINVAL names the first one that is missing.
Result<> complete(const std::string& path, const char* table, std::uint32_t size, std::size_t known,
                  std::initializer_list<Needed> calls) {
    if (size < known)
        return fail(Errno::inval, path + ": " + table + ".size is " + std::to_string(size) + ", not sizeof(struct " +
                                      table + ") = " + std::to_string(known) +
                                      ": set it, and build with the headers of this Xenrig");
    for (const Needed& n : calls)
        if (!n.there)
            return fail(Errno::inval,
                        path + ": " + table + "." + n.name + " is NULL; see xenrig/c/blk.h for what it does");
    return {};
}

Result<> check_frontend(const std::string& path, const xenrig_blkfront& f) {
    if ((f.suspend == nullptr) != (f.resume == nullptr))
        return fail(Errno::inval, path + ": xenrig_blkfront has only one of suspend and resume: give both, or neither");
    return complete(path, "xenrig_blkfront", f.size, sizeof f,
                    {{"create", f.create != nullptr},
                     {"start", f.start != nullptr},
                     {"stop", f.stop != nullptr},
                     {"destroy", f.destroy != nullptr},
                     {"wait_connected", f.wait_connected != nullptr},
                     {"transfer", f.transfer != nullptr},
                     {"flush", f.flush != nullptr}});
}

Result<> check_backend(const std::string& path, const xenrig_blkback& b) {
    return complete(path, "xenrig_blkback", b.size, sizeof b,
                    {{"create", b.create != nullptr},
                     {"start", b.start != nullptr},
                     {"stop", b.stop != nullptr},
                     {"destroy", b.destroy != nullptr}});
}

}  // namespace

Result<Subjects> load_subject(const std::string& path) {
    auto opened = open_library(path);
    if (!opened) return std::unexpected(opened.error());
    const Library library = std::move(*opened);
    const auto* const subject = static_cast<const xenrig_subject*>(dlsym(library.get(), kSymbol));
    if (!subject)
        return fail(Errno::inval, path + ": it exports no symbol '" + kSymbol +
                                      "': define `XENRIG_EXPORT const struct xenrig_subject xenrig_subject` "
                                      "(xenrig/c/subject.h)");
    if (subject->abi != XENRIG_C_ABI)
        return fail(Errno::inval, path + ": it was built for version " + std::to_string(subject->abi) +
                                      " of the C interface, and this Xenrig has version " +
                                      std::to_string(XENRIG_C_ABI) + ": build it again with this Xenrig's headers");
    if (auto whole = complete(path, "xenrig_subject", subject->size, sizeof *subject, {}); !whole)
        return std::unexpected(whole.error());
    const xenrig_blkfront* const frontend = subject->blkfront;
    const xenrig_blkback* const backend = subject->blkback;
    if (!frontend && !backend)
        return fail(Errno::inval, path + ": xenrig_subject names neither a blkfront nor a blkback: set one of them");
    Subjects made{.name = subject->name ? subject->name : path, .frontend = {}, .backend = {}};
    if (frontend) {
        if (auto good = check_frontend(path, *frontend); !good) return std::unexpected(good.error());
        made.frontend_suspends = frontend->suspend != nullptr;
        made.frontend = [frontend, library](Platform& platform, unsigned device) {
            return std::make_unique<subjects::CFrontend>(platform, device, *frontend, library);
        };
    }
    if (backend) {
        if (auto good = check_backend(path, *backend); !good) return std::unexpected(good.error());
        made.backend = [backend, library](Platform& platform, blk::StorageFactory storage) {
            return std::make_unique<subjects::CBackend>(platform, std::move(storage), *backend, library);
        };
    }
    return made;
}

}  // namespace xenrig::world
