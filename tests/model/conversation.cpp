#include "tests/model/conversation.h"

#include <cstdlib>
#include <iterator>

namespace xenrig::model {

bool is_ring(const std::string& connection) { return connection.front() == 'd'; }

std::uint16_t domain_of(const std::string& ring) {
    return static_cast<std::uint16_t>(std::strtoul(ring.c_str() + 1, nullptr, 10));
}

std::string name_of(std::uint32_t type) {
    static const char* const kNames[] = {"CONTROL",
                                         "DIRECTORY",
                                         "READ",
                                         "GET_PERMS",
                                         "WATCH",
                                         "UNWATCH",
                                         "TRANSACTION_START",
                                         "TRANSACTION_END",
                                         "INTRODUCE",
                                         "RELEASE",
                                         "GET_DOMAIN_PATH",
                                         "WRITE",
                                         "MKDIR",
                                         "RM",
                                         "SET_PERMS",
                                         "WATCH_EVENT",
                                         "ERROR",
                                         "IS_DOMAIN_INTRODUCED",
                                         "RESUME",
                                         "SET_TARGET",
                                         nullptr,
                                         "RESET_WATCHES",
                                         "DIRECTORY_PART",
                                         "GET_FEATURE",
                                         "SET_FEATURE",
                                         "GET_QUOTA",
                                         "SET_QUOTA"};
    if (type < std::size(kNames) && kNames[type] != nullptr) return kNames[type];
    return "op " + std::to_string(type);
}

std::string printable(const std::string& payload) {
    constexpr std::size_t kLongest = 160;
    std::string text;
    for (const char c : payload.substr(0, kLongest)) {
        if (c == '\0')
            text += '|';
        else if (c >= ' ' && c <= '~')
            text += c;
        else
            text += '?';
    }
    if (payload.size() > kLongest) text += "... " + std::to_string(payload.size()) + " bytes";
    return text;
}

std::string show(const Step& step) {
    const std::string number = std::to_string(step.domain);
    switch (step.kind) {
        case Step::Kind::open:
            return step.connection + " connects";
        case Step::Kind::close:
            return step.connection + " hangs up";
        case Step::Kind::exist:
            return "domain " + number + " exists";
        case Step::Kind::dying:
            return "domain " + number + " dies";
        case Step::Kind::shutdown:
            return "domain " + number + " shuts down";
        case Step::Kind::requests:
            break;
    }
    std::string text = step.connection;
    const char* between = " ";
    for (const Request& r : step.requests) {
        text += between + name_of(r.type) + " " + printable(r.payload);
        if (!r.transaction.empty()) text += " in " + r.transaction;
        if (!r.save.empty()) text += " as " + r.save;
        between = "\n    at once: ";
    }
    return text;
}

std::string show(const Heard& heard) {
    std::string text;
    for (const auto& [connection, messages] : heard)
        for (const Message& m : messages)
            text += "    " + connection + " hears " + name_of(m.type) + " " + printable(m.payload) +
                    (m.late ? " (to another request)" : "") + "\n";
    return text.empty() ? "    nobody hears anything\n" : text;
}

std::string show(const Conversation& conversation) {
    std::string text;
    for (const Step& step : conversation) text += "  " + show(step) + "\n";
    return text;
}

}  // namespace xenrig::model
