#include "sim/conformance/pages.h"

#include <ostream>

namespace xenrig::conformance {

const std::vector<PageCounts>& page_counts() {
    static const std::vector<PageCounts> all = {
        {"ring", {33, 6}, {5, 1}, {0, 2}, {0, 9}},
        {"xenbus", {11, 1}, {1, 0}, {0, 3}, {0, 1}},
        {"blkif", {100, 3}, {12, 5}, {11, 8}, {0, 12}},
    };
    return all;
}

void print_page_counts(std::ostream& out) {
    for (const PageCounts& page : page_counts()) {
        out << page.protocol << ": ";
        const auto part = [&](const char* level, const ClauseCount& n) {
            out << n.checked << " of " << n.checked + n.unchecked << ' ' << level;
        };
        part("must, ", page.must);
        part("should, ", page.should);
        part("may", page.may);
        out << " have a check\n";
    }
}

}  // namespace xenrig::conformance
