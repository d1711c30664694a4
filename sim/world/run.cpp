#include "xenrig/world/run.h"

#include <algorithm>
#include <charconv>
#include <memory>

#include "sim/engine/sources.h"
#include "sim/engine/token.h"
#include "sim/world/scenario_run.h"
#include "xenrig/world/subject.h"

namespace xenrig::world {

namespace {

using engine::Model;

std::optional<Model> model_named(std::string_view name) {
    for (const Model m : {Model::sc, Model::tso, Model::relaxed})
        if (engine::name(m) == name) return m;
    return std::nullopt;
}

Model choose_model(const RunOptions& options) {
    if (const auto m = model_named(options.model)) return *m;
    static constexpr Model kModels[] = {Model::sc, Model::tso, Model::relaxed};
    return options.seed ? kModels[*options.seed % 3] : Model::sc;
}

/// Which of the ends were somebody else's.
std::string roles_text(const Subjects* subjects) {
    if (!subjects) return {};
    return std::string(subjects->frontend ? ",subject-front" : "") + (subjects->backend ? ",subject-back" : "");
}

/// What of the options a token must carry to be the same run.
std::string options_text(const RunOptions& options, Model model) {
    std::string text = std::string("model=") + engine::name(model);
    if (options.migrate_at) text += ",migrate-at=" + std::to_string(*options.migrate_at);
    if (options.no_migration) text += ",stay";
    text += roles_text(options.subjects.get());
    return text;
}

Result<RunOptions> parse_options(std::string_view text, std::string& roles) {
    RunOptions options;
    while (!text.empty()) {
        const std::string_view one = text.substr(0, text.find(','));
        text.remove_prefix(std::min(text.size(), one.size() + 1));
        constexpr std::string_view kModel = "model=", kMigrate = "migrate-at=";
        std::uint64_t at = 0;
        if (one.starts_with(kModel) && model_named(one.substr(kModel.size()))) {
            options.model = one.substr(kModel.size());
        } else if (one.starts_with(kMigrate) &&
                   std::from_chars(one.data() + kMigrate.size(), one.data() + one.size(), at).ec == std::errc{}) {
            options.migrate_at = at;
        } else if (one == "stay") {
            options.no_migration = true;
        } else if (one == "subject-front" || one == "subject-back") {
            roles += "," + std::string(one);
        } else {
            return fail(Errno::inval, "this token has an option that is not known here: '" + std::string(one) + "'");
        }
    }
    return options;
}

/// The one run of this process that is under way.
struct Current {
    const Scenario& scenario;
    std::string options;
    ScenarioRun& run;

    std::string token() const { return engine::encode({scenario.name, scenario.hash(), options, run.picks()}); }
};
const Current* current = nullptr;

RunReport run_with(const Scenario& scenario, const RunOptions& options, engine::Source& source, Model model) {
    ScenarioRun run{scenario, options, source, model};
    const Current under_way{scenario, options_text(options, model), run};
    current = &under_way;
    RunReport report = run.run();
    current = nullptr;
    report.token = under_way.token();
    return report;
}

}  // namespace

std::optional<UnderWay> run_under_way() {
    if (!current) return std::nullopt;
    return UnderWay{current->token(), current->run.step(), current->run.running()};
}

RunReport run(const Scenario& scenario, const RunOptions& options) {
    const Model model = choose_model(options);
    if (!options.seed) {
        engine::MildSource mild;
        return run_with(scenario, options, mild, model);
    }
    engine::SeededSource seeded{*options.seed};
    return run_with(scenario, options, seeded, model);
}

Result<std::string> scenario_of(const std::string& token) {
    auto decoded = engine::decode(token);
    if (!decoded) return std::unexpected(decoded.error());
    return decoded->scenario;
}

Result<RunReport> replay(const Scenario& scenario, const std::string& text, std::shared_ptr<const Subjects> subjects) {
    const auto token = engine::decode(text);
    if (!token) return std::unexpected(token.error());
    if (token->scenario != scenario.name)
        return fail(Errno::inval,
                    "this token was made by scenario '" + token->scenario + "', not by '" + scenario.name + "'");
    if (token->scenario_hash != scenario.hash())
        return fail(Errno::inval, "this token was made by another version of scenario '" + scenario.name +
                                      "': run it at the commit that made it, or with the file as it was then");
    std::string roles;
    auto options = parse_options(token->options, roles);
    if (!options) return std::unexpected(options.error());
    if (roles != roles_text(subjects.get()))
        return fail(Errno::inval, roles.empty() ? "this token was made without a subject: leave --subject out"
                                                : "this token was made with a subject (" + roles.substr(1) +
                                                      "): give its library with --subject");
    options->subjects = std::move(subjects);
    engine::ReplaySource source{token->picks};
    return run_with(scenario, *options, source, choose_model(*options));
}

EveryReport migrate_everywhere(const Scenario& scenario, const RunOptions& options, std::uint64_t runs_max,
                               const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
    EveryReport every;
    RunOptions still = options;
    still.no_migration = true;
    const RunReport base = run(scenario, still);
    if (!base.ok()) {
        every.failures = 1;
        every.failed.push_back(base);
        return every;
    }
    every.points = base.points;
    const std::uint64_t runs = std::min(base.points, runs_max);
    for (std::uint64_t i = 0; i < runs; ++i) {
        RunOptions at = options;
        at.migrate_at = i * base.points / runs;
        RunReport report = run(scenario, at);
        ++every.runs;
        every.in_flight_at_suspend += report.in_flight_at_suspend;
        if (report.ok() && report.end_state != base.end_state)
            report.problems.push_back(
                {"end-state", "the disks end with other content than without a migration", report.steps});
        if (!report.ok()) {
            constexpr std::size_t kKept = 10;
            ++every.failures;
            if (every.failed.size() < kKept) every.failed.push_back(std::move(report));
        }
        progress(i + 1, runs);
    }
    return every;
}

}  // namespace xenrig::world
