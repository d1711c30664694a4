#include "tests/unit/xenstore/conversation.h"

#include <fstream>
#include <nlohmann/json.hpp>

namespace xenrig::xenstore::test {
namespace {

using nlohmann::json;

std::string from_hex(const std::string& hex) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    return bytes;
}

std::string printable(const std::string& bytes) {
    std::string text;
    for (const char c : bytes.substr(0, 200)) {
        if (c == '\0')
            text += '|';
        else if (c >= ' ' && c <= '~')
            text += c;
        else
            text += "\\x" + std::string(1, "0123456789abcdef"[static_cast<unsigned char>(c) >> 4]) +
                    "0123456789abcdef"[c & 15];
    }
    if (bytes.size() > 200) text += "... " + std::to_string(bytes.size()) + " bytes";
    return text;
}

std::string describe(const Seen& m) {
    return "type " + std::to_string(m.type) + " req " + std::to_string(m.req_id) + " tx " + std::to_string(m.tx_id) +
           " '" + printable(m.payload) + "'";
}

using ByConnection = std::map<std::string, std::vector<std::string>>;

class Replay {
public:
    Replay(Stage& stage, bool exact) : stage_(stage), exact_(exact) {}

    /// What every connection saw in this step, as text.
    ByConnection run(const json& step) {
        const std::string action = step.value("action", "");
        if (action == "exist") {
            stage_.set_state(step["domid"], DomainState::alive);
        } else if (action == "dying" || action == "shutdown") {
            stage_.set_state(step["domid"], action == "dying" ? DomainState::dying : DomainState::shutdown);
        } else if (action == "open") {
            open(step["conn"]);
        } else if (action == "close") {
            open_.erase(std::string(step["conn"]));
            stage_.close(step["conn"]);
        } else if (action == "raw") {
            const std::string bytes = from_hex(step["hex"]);
            if (!step.value("bytewise", false)) {
                send(step["conn"], bytes);
            } else {
                for (const char c : bytes) {
                    send(step["conn"], std::string(1, c));
                    stage_.settle();
                }
            }
        } else if (action == "pipeline") {
            std::string bytes;
            for (const json& part : step["steps"]) bytes += request(part, -1);
            send(step["conn"], bytes);
        } else if (action == "bulk") {
            return bulk(step);
        } else {
            send(step["conn"], request(step, -1));
        }
        stage_.settle();
        return collect(step.value("save", ""), step.value("conn", ""));
    }

    ByConnection expected(const json& messages) {
        ByConnection by;
        for (const json& m : messages) {
            if (m.contains("timeout")) continue;
            auto& lines = by[m["conn"]];
            if (m.contains("closed"))
                lines.push_back("closed");
            else if (m.contains("bulk"))
                lines.push_back(tally(m["ok"], m["errors"], m["watch_events"], first_error(m["first_error"]),
                                      m["other_events"].get<std::map<std::string, int>>()));
            else
                lines.push_back(line({m["type"], m["req_id"], m["tx_id"], from_hex(m["payload_hex"])}));
        }
        return by;
    }

private:
    std::string line(Seen m) const {
        if (!exact_) {
            if (m.tx_id != 0) m.tx_id = 1;
            if (m.type == XS_TRANSACTION_START) m.payload = "(id)";
            if (m.type == XS_DIRECTORY_PART) m.payload.erase(0, m.payload.find('\0'));
        }
        return describe(m);
    }

    void open(const std::string& name) {
        if (open_.emplace(name, false).second) stage_.open(name);
    }

    std::string request(const json& step, int i) const {
        std::uint32_t tx = 0;
        if (step["tx"].is_string())
            tx = saved_.at(step["tx"]);
        else
            tx = step["tx"];
        std::string payload = from_hex(step["payload_hex"]);
        if (const auto at = payload.find("{i}"); i >= 0 && at != std::string::npos)
            payload.replace(at, 3, std::to_string(i));
        return message(step["type"], step["req_id"], tx, payload);
    }

    void send(const std::string& name, const std::string& bytes) {
        open(name);
        stage_.send(name, bytes);
    }

    ByConnection collect(const std::string& save, const std::string& saver) {
        ByConnection by;
        for (auto& [name, hung_up] : open_) {
            for (const Seen& m : stage_.take(name)) {
                if (!save.empty() && name == saver && m.type == XS_TRANSACTION_START)
                    saved_[save] = static_cast<std::uint32_t>(std::stoul(m.payload));
                by[name].push_back(line(m));
            }
            if (!hung_up && stage_.has_hung_up(name)) {
                hung_up = true;
                by[name].push_back("closed");
            }
        }
        return by;
    }

    static std::string tally(int ok, int errors, int events, const std::string& first,
                             const std::map<std::string, int>& others) {
        std::string text = "ok " + std::to_string(ok) + " errors " + std::to_string(errors) + " events " +
                           std::to_string(events) + " first error " + first;
        for (const auto& [name, count] : others) text += " " + name + ": " + std::to_string(count);
        return text;
    }

    std::string first_error(const json& m) const {
        if (m.is_null()) return "none";
        return std::to_string(int(m["index"])) + " " + printable(from_hex(m["payload_hex"]));
    }

    ByConnection bulk(const json& step) {
        int ok = 0, errors = 0, events = 0;
        std::string first = "none";
        std::map<std::string, int> others;
        const std::string asked = step["conn"];
        for (int i = 0; i < int(step["n"]); ++i) {
            send(asked, request(step, i));
            stage_.settle();
            for (const auto& [name, hung_up] : open_) {
                for (const Seen& m : stage_.take(name)) {
                    if (name != asked) {
                        ++others[name];
                    } else if (m.type == XS_WATCH_EVENT) {
                        ++events;
                    } else if (m.type != XS_ERROR) {
                        ++ok;
                    } else if (errors++ == 0) {
                        first = std::to_string(i) + " " + printable(m.payload);
                    }
                }
            }
        }
        return {{asked, {tally(ok, errors, events, first, others)}}};
    }

    Stage& stage_;
    std::map<std::string, bool> open_;  ///< and whether it has been hung up on
    std::map<std::string, std::uint32_t> saved_;
    bool exact_;
};

std::string difference(const json& step, std::size_t number, const ByConnection& expected, const ByConnection& got) {
    std::string text = "step " + std::to_string(number) + ": " +
                       step.dump(-1, ' ', false, json::error_handler_t::replace).substr(0, 300) + "\n";
    for (const auto& [which, by] : {std::pair("recorded", &expected), std::pair("answered", &got)})
        for (const auto& [name, lines] : *by)
            for (const std::string& l : lines) text += std::string("    ") + which + " " + name + ": " + l + "\n";
    return text;
}

}  // namespace

std::vector<Recorded> recorded_conversations() {
    std::vector<Recorded> all;
    std::ifstream in(XENRIG_SOURCE_DIR "/fixtures/xenstore/conversations.jsonl");
    for (std::string line; std::getline(in, line);) {
        const json conversation = json::parse(line);
        all.push_back({conversation["group"], conversation["name"], conversation.value("guests", false), line});
    }
    return all;
}

std::string replay(const Recorded& conversation, Stage& stage, Personality personality, bool exact) {
    const json whole = json::parse(conversation.json);
    const json& results = whole["results"][personality == Personality::c ? "h" : "o"];
    Replay run(stage, exact);
    const json first = {{"action", "open"}, {"conn", "A"}};
    run.run(first);
    for (std::size_t i = 0; i < whole["steps"].size() && i < results.size(); ++i) {
        const json& step = whole["steps"][i];
        const ByConnection got = run.run(step);
        const ByConnection expected = run.expected(results[i]);
        if (got != expected) return difference(step, i, expected, got);
    }
    return {};
}

}  // namespace xenrig::xenstore::test
