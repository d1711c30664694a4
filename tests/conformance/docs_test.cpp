// The pages of docs/conformance and the checks that exist are held together: every id of a page is a check, every check
// stands on its page, and each check names a line of a clause that names it.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "sim/conformance/check.h"
#include "sim/conformance/pages.h"

namespace xenrig::conformance {
namespace {

const std::string kDocs = XENRIG_SOURCE_DIR "/docs/conformance/";

struct Row {
    std::vector<std::string> cells;
};

std::vector<Row> rows_of(const std::string& page, const std::string& section) {
    std::ifstream in(kDocs + page);
    EXPECT_TRUE(in) << page;
    std::vector<Row> rows;
    bool inside = false;
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with("## ")) inside = line == "## " + section;
        if (!inside || !line.starts_with("| ") || line.starts_with("| line |") || line.starts_with("| id |")) continue;
        Row row;
        std::istringstream cells(line.substr(2));
        for (std::string cell; std::getline(cells, cell, '|');) {
            while (!cell.empty() && cell.front() == ' ') cell.erase(0, 1);
            while (!cell.empty() && cell.back() == ' ') cell.pop_back();
            row.cells.push_back(cell);
        }
        rows.push_back(row);
    }
    return rows;
}

/// What stands in backquotes and looks like an id.
std::vector<std::string> ids_in(const std::string& text) {
    std::vector<std::string> ids;
    for (std::size_t at = text.find('`'); at != std::string::npos;) {
        const std::size_t end = text.find('`', at + 1);
        const std::string word = text.substr(at + 1, end - at - 1);
        if (word.find('.') != std::string::npos && word.find('-') != std::string::npos) ids.push_back(word);
        at = text.find('`', end + 1);
    }
    return ids;
}

/// "45-48" and "45".
bool covers(const std::string& lines, unsigned line) {
    const unsigned long from = std::stoul(lines);
    const auto dash = lines.find('-');
    const unsigned long to = dash == std::string::npos ? from : std::stoul(lines.substr(dash + 1));
    return line >= from && line <= to;
}

const std::map<std::string, std::string> kPages = {{"ring", "ring.md"}, {"xenbus", "xenbus.md"}, {"blkif", "blkif.md"}};

std::map<std::string, const Check*> registered() {
    std::map<std::string, const Check*> all;
    for (const Check& c : checks()) EXPECT_TRUE(all.emplace(c.id, &c).second) << c.id << " is registered twice";
    return all;
}

TEST(ConformanceDocs, EveryIdOfAPageIsARegisteredCheck) {
    const auto known = registered();
    for (const auto& [protocol, page] : kPages)
        for (const char* section : {"Clauses", "Checks"})
            for (const Row& row : rows_of(page, section))
                for (const std::string& cell : row.cells)
                    for (const std::string& id : ids_in(cell)) EXPECT_TRUE(known.contains(id)) << page << ": " << id;
}

TEST(ConformanceDocs, EveryRegisteredCheckStandsOnItsPageWithItsSubject) {
    for (const auto& [protocol, page] : kPages) {
        std::map<std::string, std::string> subjects;
        for (const Row& row : rows_of(page, "Checks"))
            for (const std::string& id : ids_in(row.cells.at(0)))
                EXPECT_TRUE(subjects.emplace(id, row.cells.at(1)).second) << page << " has " << id << " twice";
        for (const Check& c : checks()) {
            if (c.protocol() != protocol) continue;
            ASSERT_TRUE(subjects.contains(c.id)) << page << " does not say what " << c.id << " does";
            EXPECT_EQ(subjects[c.id], name(c.subject)) << c.id;
        }
    }
}

TEST(ConformanceDocs, ClausesAreCountedAsThePagesHaveThem) {
    ASSERT_EQ(page_counts().size(), kPages.size());
    for (const PageCounts& page : page_counts()) {
        std::map<std::string, ClauseCount> counts;
        for (const Row& row : rows_of(kPages.at(page.protocol), "Clauses")) {
            ClauseCount& count = counts[row.cells.at(1)];
            ++(row.cells.at(4).starts_with("none:") ? count.unchecked : count.checked);
        }
        EXPECT_EQ(counts["must"], page.must) << page.protocol;
        EXPECT_EQ(counts["should"], page.should) << page.protocol;
        EXPECT_EQ(counts["may"], page.may) << page.protocol;
        EXPECT_EQ(counts["definition"], page.definition) << page.protocol;
    }
}

TEST(ConformanceDocs, EachCheckNamesALineOfAClauseThatNamesIt) {
    for (const auto& [protocol, page] : kPages) {
        const auto clauses = rows_of(page, "Clauses");
        EXPECT_FALSE(clauses.empty());
        for (const Check& c : checks()) {
            if (c.protocol() != protocol) continue;
            bool fits = false, named = false;
            for (const Row& row : clauses) {
                const std::string& cell = row.cells.at(4);
                if (cell.starts_with("none:") || cell.find('`' + c.id + '`') == std::string::npos) continue;
                named = true;
                fits = fits || covers(row.cells.at(0), c.line);
            }
            EXPECT_TRUE(named) << "no clause of " << page << " names " << c.id;
            EXPECT_TRUE(fits) << c.id << " says line " << c.line << ", and no clause at that line names it";
            EXPECT_EQ(c.header, "xen/io/" + page.substr(0, page.size() - 3) + ".h") << c.id;
        }
    }
}

}  // namespace
}  // namespace xenrig::conformance
