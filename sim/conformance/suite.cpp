#include "sim/conformance/suite.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>

#include "sim/conformance/pages.h"

namespace xenrig::conformance {

namespace {

std::string xml(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '&':
                out += "&amp;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\n':
                out += "&#10;";
                break;
            default:
                out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
        }
    }
    return out;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view text) {
    if (pattern.empty()) return text.empty();
    if (pattern.front() == '*')
        return glob_matches(pattern.substr(1), text) || (!text.empty() && glob_matches(pattern, text.substr(1)));
    return !text.empty() && (pattern.front() == '?' || pattern.front() == text.front()) &&
           glob_matches(pattern.substr(1), text.substr(1));
}

Result<std::vector<const Check*>> select(const std::vector<Check>& all, const Selection& selection) {
    std::vector<const Check*> selected;
    std::set<std::string> protocols;
    for (const Check& c : all) {
        protocols.insert(c.protocol());
        if (!selection.protocol.empty() && c.protocol() != selection.protocol) continue;
        if (!selection.filter.empty() && !glob_matches(selection.filter, c.id)) continue;
        selected.push_back(&c);
    }
    if (!selected.empty()) return selected;
    std::string known;
    for (const std::string& p : protocols) known += " " + p;
    if (!selection.protocol.empty() && !protocols.contains(selection.protocol))
        return fail(Errno::inval, "there is no protocol '" + selection.protocol + "'; there are:" + known);
    return fail(Errno::inval, "no check matches '" + selection.filter + "'; see `xenrig conformance --list`");
}

std::size_t Report::count(Outcome o) const {
    return static_cast<std::size_t>(
        std::count_if(results.begin(), results.end(), [o](const CheckResult& r) { return r.outcome == o; }));
}

int Report::exit_code() const {
    if (results.empty() || count(Outcome::error) != 0) return 2;
    return count(Outcome::failure) != 0 ? 1 : 0;
}

CheckResult run_one(const Check& check) {
    Verdict verdict;
    check.run(verdict);
    CheckResult result{&check, verdict.outcome(), verdict.text(), verdict.token()};
    if (result.outcome == Outcome::error && result.text.empty()) result.text = "the check expected nothing";
    return result;
}

Report run(const std::vector<const Check*>& selected, const std::function<void(const CheckResult&)>& done,
           const std::function<CheckResult(const Check&)>& runner) {
    Report report;
    for (const Check* check : selected) {
        CheckResult result = runner(*check);
        done(result);
        report.results.push_back(std::move(result));
    }
    return report;
}

void print(std::ostream& out, const CheckResult& r) {
    out << name(r.outcome) << std::string(9 - name(r.outcome).size(), ' ') << r.check->id << '\n';
    if (r.outcome == Outcome::success) return;
    if (r.outcome == Outcome::failure)
        out << "  " << r.check->header << ":" << r.check->line << ": " << r.check->clause << '\n';
    std::string_view rest = r.text;
    while (!rest.empty()) {
        const auto end = rest.find('\n');
        out << "  " << rest.substr(0, end) << '\n';
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    }
    if (!r.token.empty()) out << "  replay: xenrig replay " << r.token << '\n';
}

void print_summary(std::ostream& out, const Report& report) {
    out << report.results.size() << " checks: " << report.count(Outcome::success) << " success, "
        << report.count(Outcome::skip) << " skip, " << report.count(Outcome::error) << " error, "
        << report.count(Outcome::failure) << " failure\n";
}

void write_junit(std::ostream& out, const Report& report) {
    std::vector<std::string> protocols;
    for (const CheckResult& r : report.results)
        if (protocols.empty() || protocols.back() != r.check->protocol()) protocols.push_back(r.check->protocol());

    out << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"xenrig conformance\" tests=\""
        << report.results.size() << "\" failures=\"" << report.count(Outcome::failure) << "\" errors=\""
        << report.count(Outcome::error) << "\" skipped=\"" << report.count(Outcome::skip) << "\">\n";
    for (const std::string& protocol : protocols) {
        Report part;
        for (const CheckResult& r : report.results)
            if (r.check->protocol() == protocol) part.results.push_back(r);
        out << "  <testsuite name=\"" << xml(protocol) << "\" tests=\"" << part.results.size() << "\" failures=\""
            << part.count(Outcome::failure) << "\" errors=\"" << part.count(Outcome::error) << "\" skipped=\""
            << part.count(Outcome::skip) << "\">\n";
        for (const CheckResult& r : part.results) {
            out << "    <testcase classname=\"" << xml(protocol) << "\" name=\"" << xml(r.check->id) << "\"";
            if (r.outcome == Outcome::success) {
                out << "/>\n";
                continue;
            }
            const char* element = r.outcome == Outcome::skip      ? "skipped"
                                  : r.outcome == Outcome::failure ? "failure"
                                                                  : "error";
            out << ">\n      <" << element << " message=\"" << xml(first_line(r.text)) << "\"";
            if (r.outcome == Outcome::skip) {
                out << "/>\n    </testcase>\n";
                continue;
            }
            out << ">" << xml(r.text) << (r.token.empty() ? "" : "&#10;replay: xenrig replay " + xml(r.token)) << "</"
                << element << ">\n    </testcase>\n";
        }
        out << "  </testsuite>\n";
    }
    out << "</testsuites>\n";
}

void write_json(std::ostream& out, const Report& report) {
    nlohmann::ordered_json all;
    auto& list = all["checks"] = nlohmann::ordered_json::array();
    for (const CheckResult& r : report.results) {
        nlohmann::ordered_json entry{{"id", r.check->id},         {"header", r.check->header},
                                     {"line", r.check->line},     {"subject", name(r.check->subject)},
                                     {"clause", r.check->clause}, {"outcome", name(r.outcome)}};
        if (!r.text.empty()) entry["text"] = r.text;
        if (!r.token.empty()) entry["token"] = r.token;
        list.push_back(std::move(entry));
    }
    for (const PageCounts& page : page_counts()) {
        auto& counts = all["clauses"][page.protocol];
        const auto part = [&](const char* level, const ClauseCount& n) {
            counts[level] = {{"checked", n.checked}, {"unchecked", n.unchecked}};
        };
        part("must", page.must);
        part("should", page.should);
        part("may", page.may);
    }
    for (const Outcome o : {Outcome::success, Outcome::skip, Outcome::error, Outcome::failure})
        all[std::string(name(o))] = report.count(o);
    out << all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
}

}  // namespace xenrig::conformance
