#include "tests/model/recording.h"

#include <cstdint>
#include <nlohmann/json.hpp>
// Takes its number types from whoever includes it.
#include <xen/io/xs_wire.h>

namespace xenrig::model {
namespace {

using nlohmann::json;

std::string hex_of(const std::string& bytes) {
    constexpr const char* kDigits = "0123456789abcdef";
    std::string hex;
    for (const char c : bytes) {
        hex += kDigits[static_cast<unsigned char>(c) >> 4];
        hex += kDigits[c & 15];
    }
    return hex;
}

std::string from_hex(const std::string& hex) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    return bytes;
}

json with_payload(json object, const std::string& payload) {
    object["payload_hex"] = hex_of(payload);
    object["payload"] = printable(payload);
    return object;
}

json request(const Request& r, const std::string& connection, int& req_id) {
    json object = {{"conn", connection}, {"op", name_of(r.type)}, {"type", r.type}, {"req_id", ++req_id}};
    if (r.transaction.empty())
        object["tx"] = 0;
    else
        object["tx"] = r.transaction;
    if (!r.save.empty()) object["save"] = r.save;
    return with_payload(object, r.payload);
}

json step_of(const Step& step, int& req_id) {
    switch (step.kind) {
        case Step::Kind::open:
            return {{"action", "open"}, {"conn", step.connection}};
        case Step::Kind::close:
            return {{"action", "close"}, {"conn", step.connection}};
        case Step::Kind::exist:
            return {{"action", "exist"}, {"domid", step.domain}};
        case Step::Kind::dying:
            return {{"action", "dying"}, {"domid", step.domain}};
        case Step::Kind::shutdown:
            return {{"action", "shutdown"}, {"domid", step.domain}};
        case Step::Kind::requests:
            break;
    }
    if (step.requests.size() == 1) return request(step.requests.front(), step.connection, req_id);
    json all = json::array();
    for (const Request& r : step.requests) all.push_back(request(r, step.connection, req_id));
    return {{"action", "pipeline"}, {"conn", step.connection}, {"steps", all}};
}

Request request_from(const json& step) {
    Request r{step["type"], from_hex(step["payload_hex"]), "", step.value("save", "")};
    if (step["tx"].is_string())
        r.transaction = step["tx"];
    else if (step["tx"] != 0)
        r.transaction = "none";
    if (r.type == XS_TRANSACTION_START && r.save.empty()) r.save = "unnamed";
    return r;
}

}  // namespace

std::string to_json(const Conversation& conversation, Player& expected, const std::string& name,
                    const std::string& column) {
    json steps = json::array(), results = json::array();
    int req_id = 0;
    bool guests = false;
    expected.run({Step::Kind::open, "A", 0, {}});
    for (const Step& step : conversation) {
        guests |= step.kind == Step::Kind::exist;
        const int before = req_id;
        steps.push_back(step_of(step, req_id));
        json messages = json::array();
        int answered = before;
        for (const auto& [connection, heard] : expected.run(step)) {
            for (const Message& m : heard) {
                const bool event = m.type == XS_WATCH_EVENT;
                const std::size_t number = event ? 0 : static_cast<std::size_t>(answered++ - before);
                json object = {{"conn", connection}, {"type", m.type}, {"op", name_of(m.type)}};
                object["req_id"] = event ? 0 : answered;
                const bool in_one =
                    !event && number < step.requests.size() && !step.requests[number].transaction.empty();
                object["tx_id"] = in_one ? 1 : 0;
                messages.push_back(with_payload(object, m.payload));
            }
        }
        results.push_back(messages);
    }
    return json{{"name", name},     {"group", "model"}, {"note", ""},
                {"guests", guests}, {"steps", steps},   {"results", {{column, results}}}}
        .dump(-1, ' ', false, json::error_handler_t::replace);
}

Conversation from_json(const std::string& line) {
    Conversation all;
    for (const json& step : json::parse(line)["steps"]) {
        const std::string action = step.value("action", "");
        Step made{Step::Kind::requests, step.value("conn", ""), step.value("domid", std::uint16_t{0}), {}};
        if (action.empty()) {
            made.requests.push_back(request_from(step));
        } else if (action == "pipeline") {
            for (const json& part : step["steps"]) made.requests.push_back(request_from(part));
        } else if (action == "open" || action == "close" || action == "exist" || action == "dying" ||
                   action == "shutdown") {
            made.kind = action == "open"    ? Step::Kind::open
                        : action == "close" ? Step::Kind::close
                        : action == "exist" ? Step::Kind::exist
                        : action == "dying" ? Step::Kind::dying
                                            : Step::Kind::shutdown;
        } else {
            continue;
        }
        all.push_back(std::move(made));
    }
    return all;
}

}  // namespace xenrig::model
