// docs/fidelity.md says of each sub-operation from which kinds of guest its answers were compared with Xen's. This
// holds it against the recorded scripts: what it claims, some script must have asked.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "recorded_scripts.h"
#include "sim/hypercalls/interpreter.h"
#include "sub_operation_names.h"

namespace xenrig::hypercalls {
namespace {

enum class Compared { no, refusals, yes };
constexpr std::size_t kColumns = 4;
constexpr const char* kHeading = "| sub-operation | dom0 | PV domU | 32-bit | PVH | beside that |";
using Cells = std::array<Compared, kColumns>;

std::vector<std::size_t> columns_of(const KernelKind& kind) {
    std::vector<std::size_t> columns;
    if (kind.bits == 32) columns.push_back(2);
    if (kind.type == hypervisor::GuestType::pvh)
        columns.push_back(3);
    else if (kind.bits == 64)
        columns.push_back(kind.privileged ? 0 : 1);
    return columns;
}

using Key = std::pair<unsigned, std::uint32_t>;

/// What the recorded scripts ask, by who asks.
std::map<Key, Cells> coverage() {
    std::map<Key, Cells> all;
    for (const Recorded& recorded : recorded_scripts()) {
        Interpreter interpreter(*recorded.kind);
        std::ifstream script(recorded.script);
        for (std::string line; std::getline(script, line);) {
            const auto op = parse_line(line);
            if (!op) continue;
            const bool well = interpreter.run(*op).well;
            BareKernel& who = op->by_control ? interpreter.scene().control() : interpreter.scene().subject();
            for (const BareKernel::Asked& asked : who.take_asked())
                for (const std::size_t column : columns_of(who.kind())) {
                    Compared& cell = all[{asked.number, asked.operation}][column];
                    cell = std::max(cell, well && asked.answer >= 0 ? Compared::yes : Compared::refusals);
                }
        }
    }
    return all;
}

struct Row {
    std::string hypercall, name, beside;
    Cells cells{};
};

std::vector<std::string> split(const std::string& line) {
    std::vector<std::string> cells;
    for (std::size_t at = 1; at < line.size();) {
        const std::size_t end = std::min(line.find('|', at), line.size());
        const std::string cell = line.substr(at, end - at);
        const std::size_t first = cell.find_first_not_of(' ');
        cells.push_back(first == std::string::npos ? "" : cell.substr(first, cell.find_last_not_of(' ') - first + 1));
        at = end + 1;
    }
    return cells;
}

std::optional<Compared> cell_of(const std::string& text) {
    if (text == "yes") return Compared::yes;
    if (text == "refusals") return Compared::refusals;
    if (text == "-") return Compared::no;
    return std::nullopt;
}

/// The rows of the tables that have our columns.
std::vector<Row> table() {
    std::vector<Row> rows;
    std::ifstream document(XENRIG_SOURCE_DIR "/docs/fidelity.md");
    std::string heading;
    bool inside = false;
    for (std::string line; std::getline(document, line);) {
        if (line.starts_with("## ")) heading = line.substr(3);
        if (!line.starts_with("|")) inside = false;
        if (line == kHeading) {
            inside = true;
            std::getline(document, line);
            continue;
        }
        if (!inside) continue;
        const auto cells = split(line);
        if (cells.size() != kColumns + 2) {
            ADD_FAILURE() << "not six cells: " << line;
            continue;
        }
        Row row{heading, cells[0], cells.back(), {}};
        for (std::size_t i = 0; i < kColumns; ++i) {
            const auto cell = cell_of(cells[i + 1]);
            EXPECT_TRUE(cell.has_value()) << "yes, refusals or -: " << line;
            row.cells[i] = cell.value_or(Compared::no);
        }
        rows.push_back(row);
    }
    return rows;
}

const SubOperation* find(const Row& row) {
    for (const SubOperation& each : sub_operations())
        if (each.hypercall == row.hypercall && each.name == row.name) return &each;
    return nullptr;
}

TEST(FidelityTable, ClaimsNoMoreThanRecordedScriptsHaveAsked) {
    const auto asked = coverage();
    const auto rows = table();
    ASSERT_FALSE(rows.empty());
    const char* const words[] = {"-", "refusals", "yes"};
    for (const Row& row : rows) {
        const SubOperation* known = find(row);
        ASSERT_NE(known, nullptr) << row.hypercall << ": " << row.name << " is not in sub_operation_names.cpp";
        const auto found = asked.find({known->number, known->operation});
        const Cells shown = found == asked.end() ? Cells{} : found->second;
        std::string right = row.name;
        bool claims_more = false;
        for (std::size_t i = 0; i < kColumns; ++i) {
            right += std::string(" | ") + words[static_cast<std::size_t>(shown[i])];
            claims_more = claims_more || row.cells[i] > shown[i];
        }
        EXPECT_FALSE(claims_more) << "the recorded scripts show: " << right;
        RecordProperty(row.hypercall + "." + row.name, right);
    }
}

TEST(FidelityTable, NamesTheSourceOfWhatIsNotCompared) {
    for (const Row& row : table()) {
        const bool compared = std::ranges::any_of(row.cells, [](Compared c) { return c != Compared::no; });
        EXPECT_TRUE(compared || row.beside.find("source read: ") != std::string::npos)
            << row.hypercall << ": " << row.name;
    }
}

TEST(FidelityTable, HasARowForEverySubOperationOfAHypercallThatItHas) {
    const auto rows = table();
    for (const SubOperation& each : sub_operations()) {
        EXPECT_TRUE(std::ranges::any_of(
            rows, [&](const Row& row) { return row.hypercall == each.hypercall && row.name == each.name; }))
            << each.hypercall << ": " << each.name;
    }
}

TEST(FidelityTable, FourFifthsAreComparedSomewhere) {
    const auto rows = table();
    const auto compared = static_cast<std::size_t>(std::ranges::count_if(rows, [](const Row& row) {
        return std::ranges::any_of(row.cells, [](Compared c) { return c != Compared::no; });
    }));
    RecordProperty("rows", std::to_string(rows.size()));
    RecordProperty("compared", std::to_string(compared));
    EXPECT_GE(compared * 5, rows.size() * 4) << compared << " of " << rows.size();
}

}  // namespace
}  // namespace xenrig::hypercalls
