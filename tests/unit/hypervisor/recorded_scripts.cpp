#include "recorded_scripts.h"

#include <algorithm>
#include <string>

namespace xenrig::hypercalls {

std::vector<Recorded> recorded_scripts() {
    const std::filesystem::path folder = XENRIG_SOURCE_DIR "/fixtures/xen-answers/scripts";
    std::vector<Recorded> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() != ".ops") continue;
        const std::string name = entry.path().stem().string();
        for (const KernelKind& kind : kernel_kinds()) {
            const bool first = &kind == &kernel_kinds().front();
            const auto answers = folder / (name + (first ? "" : "." + std::string(kind.name)) + ".answers");
            if (std::filesystem::exists(answers)) found.push_back({entry.path(), answers, &kind});
        }
    }
    std::ranges::sort(found, {}, &Recorded::answers);
    return found;
}

}  // namespace xenrig::hypercalls
