// How many clauses the pages of docs/conformance have, and how many of them have a check. A test counts the pages.
#pragma once

#include <iosfwd>
#include <vector>

namespace xenrig::conformance {

struct ClauseCount {
    unsigned checked = 0, unchecked = 0;
    bool operator==(const ClauseCount&) const = default;
};

/// By what the header says: must, should, may; a definition asks nothing.
struct PageCounts {
    const char* protocol;
    ClauseCount must, should, may, definition;
};

const std::vector<PageCounts>& page_counts();

/// A line for each page.
void print_page_counts(std::ostream& out);

}  // namespace xenrig::conformance
