#include "sim/fuzz/reset/subject_library.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "sim/fuzz/reset/library_image.h"
#include "sim/fuzz/reset/world_heap.h"
#include "xenrig/world/subject.h"

namespace xenrig::fuzz {

namespace {

constexpr std::size_t kAlign = 16;
/// What fresh memory holds: the same in every run, and nothing to rely on.
constexpr int kFresh = 0xa5;

void* allocate_aligned(std::size_t align, std::size_t bytes) {
    void* const made = WorldHeap::allocate(bytes, align);
    if (made) std::memset(made, kFresh, bytes);
    return made;
}
void* allocate(std::size_t bytes) { return allocate_aligned(kAlign, bytes); }
void* allocate_zeroed(std::size_t count, std::size_t bytes) {
    if (bytes != 0 && count > SIZE_MAX / bytes) return nullptr;
    void* const made = WorldHeap::allocate(count * bytes, kAlign);
    if (made) std::memset(made, 0, count * bytes);
    return made;
}
void* allocate_again(void* at, std::size_t bytes) {
    if (!at) return allocate(bytes);
    if (!WorldHeap::holds(at)) return std::realloc(at, bytes);
    void* const made = allocate(bytes);
    if (made) std::memcpy(made, at, std::min(bytes, WorldHeap::size_of(at)));
    WorldHeap::free(at);
    return made;
}
int allocate_posix(void** out, std::size_t align, std::size_t bytes) {
    *out = allocate_aligned(align, bytes);
    return *out ? 0 : ENOMEM;
}
void free_all(void* at) { WorldHeap::free(at); }
void free_sized(void* at, std::size_t) { WorldHeap::free(at); }

struct Replaced {
    std::string_view name;
    void* by;
};
template <class F>
void* address(F* function) {
    return reinterpret_cast<void*>(function);
}
const std::array kReplaced = {Replaced{"malloc", address(allocate)}, Replaced{"calloc", address(allocate_zeroed)},
                              Replaced{"realloc", address(allocate_again)}, Replaced{"free", address(free_all)},
                              Replaced{"aligned_alloc", address(allocate_aligned)},
                              Replaced{"posix_memalign", address(allocate_posix)},
                              // operator new and delete.
                              Replaced{"_Znwm", address(allocate)}, Replaced{"_Znam", address(allocate)},
                              Replaced{"_ZdlPv", address(free_all)}, Replaced{"_ZdaPv", address(free_all)},
                              Replaced{"_ZdlPvm", address(free_sized)}, Replaced{"_ZdaPvm", address(free_sized)}};

/// Functions that keep nothing from call to call.
constexpr std::array<std::string_view, 66> kStateless = {"memcpy",
                                                         "memmove",
                                                         "memset",
                                                         "memcmp",
                                                         "memchr",
                                                         "memrchr",
                                                         "strlen",
                                                         "strnlen",
                                                         "strcpy",
                                                         "strncpy",
                                                         "stpcpy",
                                                         "strcat",
                                                         "strncat",
                                                         "strcmp",
                                                         "strncmp",
                                                         "strcasecmp",
                                                         "strncasecmp",
                                                         "strchr",
                                                         "strrchr",
                                                         "strstr",
                                                         "strspn",
                                                         "strcspn",
                                                         "strpbrk",
                                                         "strtok_r",
                                                         "strtol",
                                                         "strtoul",
                                                         "strtoll",
                                                         "strtoull",
                                                         "__isoc23_strtol",
                                                         "__isoc23_strtoul",
                                                         "atoi",
                                                         "atol",
                                                         "atoll",
                                                         "snprintf",
                                                         "vsnprintf",
                                                         "sprintf",
                                                         "sscanf",
                                                         "qsort",
                                                         "bsearch",
                                                         "abs",
                                                         "abort",
                                                         "__assert_fail",
                                                         "isdigit",
                                                         "isspace",
                                                         "isalpha",
                                                         "isalnum",
                                                         "toupper",
                                                         "tolower",
                                                         "__ctype_b_loc",
                                                         "__errno_location",
                                                         "__stack_chk_fail",
                                                         "__memcpy_chk",
                                                         "__memmove_chk",
                                                         "__memset_chk",
                                                         "__strcpy_chk",
                                                         "__strncpy_chk",
                                                         "__strcat_chk",
                                                         "__snprintf_chk",
                                                         "__vsnprintf_chk",
                                                         "__sprintf_chk",
                                                         "__cxa_finalize",
                                                         "__gmon_start__",
                                                         "_ITM_registerTMCloneTable",
                                                         "_ITM_deregisterTMCloneTable",
                                                         "_Unwind_Resume",
                                                         "__gcc_personality_v0"};

bool stateless(std::string_view name) {
    for (const std::string_view prefix : {"__asan_", "__ubsan_", "__sanitizer_", "__sancov_"})
        if (name.starts_with(prefix)) return true;
    return std::ranges::find(kStateless, name) != kStateless.end();
}

}  // namespace

Result<SubjectLibrary> SubjectLibrary::load(const BlkTarget& target, const std::string& path) {
    SubjectLibrary made;
    WorldHeap::resume();
    auto loaded = world::load_subject(path);
    if (loaded) made.subject_ = std::make_shared<const world::Subjects>(std::move(*loaded));
    WorldHeap::pause();
    if (!loaded) return std::unexpected(loaded.error());
    if (auto good = suits(target, *made.subject_); !good) return std::unexpected(good.error());

    const LibraryImage image(path);
    if (!image.found()) made.why_not_ = "it is loaded in an unknown way";
    for (const LibraryImage::Import& import : image.imports()) {
        const auto replaced = std::ranges::find(kReplaced, import.name, &Replaced::name);
        if (import.place && (replaced != kReplaced.end() || stateless(import.name))) continue;
        made.why_not_ = import.place ? "it calls " + std::string(import.name)
                                     : "it has thread-local data, " + std::string(import.name);
    }
    if (!made.why_not_.empty()) return made;
    image.make_imports_writable();
    for (const LibraryImage::Import& import : image.imports()) {
        const auto replaced = std::ranges::find(kReplaced, import.name, &Replaced::name);
        if (replaced != kReplaced.end()) *import.place = replaced->by;
    }
    made.data_ = image.data();
    made.counters_ = image.section("__sancov_cntrs");
    return made;
}

}  // namespace xenrig::fuzz
