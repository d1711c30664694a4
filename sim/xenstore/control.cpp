// CONTROL: the commands of xenstore-control (control.c). The daemon writes no log and no file, so the commands that
// concern them only answer as if it did.
#include <array>
#include <cstdio>
#include <span>

#include "sim/xenstore/daemon_impl.h"

namespace xenrig::xenstore {
namespace {

using Arguments = std::span<const std::string_view>;

struct Command {
    const char* name;
    const char* parameters;
    Answer<std::string> (*run)(Daemon::Impl&, Arguments);
};

const std::string kOk = "OK";

template <class... A>
std::string line(const char* format, A... a) {
    char text[160];
    const int n = std::snprintf(text, sizeof text, format, a...);
    return {text, static_cast<std::size_t>(n)};
}

const char* name_of(std::size_t quota) { return kQuotaNames[quota].name.data(); }

Answer<std::string> ok_without(Daemon::Impl&, Arguments arguments) {
    if (!arguments.empty()) return std::unexpected(Errno::inval);
    return kOk;
}

Answer<std::string> ok_with_one(Daemon::Impl&, Arguments arguments) {
    if (arguments.size() != 1) return std::unexpected(Errno::inval);
    return kOk;
}

Answer<std::string> ok_with_at_most_one(Daemon::Impl&, Arguments arguments) {
    if (arguments.size() > 1) return std::unexpected(Errno::inval);
    return kOk;
}

constexpr std::array<const char*, 5> kLogSwitches{"obj", "io", "wrl", "acc", "tdb"};

Answer<std::string> log(Daemon::Impl&, Arguments arguments) {
    if (arguments.empty()) {
        std::string text = "Log switch settings:\n";
        for (const std::string_view name : kLogSwitches) {
            const bool on = name == "obj" || name == "io";
            text.append(name).append(8 - name.size(), ' ').append(on ? ": on\n" : ": off\n");
        }
        return text;
    }
    if (arguments.size() != 1) return std::unexpected(Errno::inval);
    std::string_view word = arguments[0];
    if (word == "on" || word == "off") return kOk;
    if (word.empty() || (word.front() != '+' && word.front() != '-')) return std::unexpected(Errno::inval);
    word.remove_prefix(1);
    for (const std::string_view name : kLogSwitches)
        if (name == word) return kOk;
    return std::unexpected(Errno::inval);
}

std::string settings(const std::array<std::uint32_t, kQuotas>& limits) {
    std::string text = "Quota settings:\n";
    for (std::size_t i = 0; i < kQuotas; ++i)
        if (limits[i] != kQuotaDisabled)
            text += line("%-17s: %8d %s\n", name_of(i), static_cast<int>(limits[i]), kQuotaNames[i].description);
    return text;
}

Answer<std::string> set(std::array<std::uint32_t, kQuotas>& limits, Arguments arguments) {
    if (arguments.size() != 2) return std::unexpected(Errno::inval);
    const long value = leading_number(arguments[1]);
    if (value < 1) return std::unexpected(Errno::inval);
    for (std::size_t i = 0; i < kQuotas; ++i) {
        if (kQuotaNames[i].name != arguments[0] || limits[i] == kQuotaDisabled) continue;
        limits[i] = static_cast<std::uint32_t>(value);
        return kOk;
    }
    return std::unexpected(Errno::inval);
}

Answer<std::string> most_used(Daemon::Impl& daemon, Arguments arguments) {
    Domains& domains = daemon.store.domains();
    if (arguments.size() > 1 || (arguments.size() == 1 && arguments[0] != "-r")) return std::unexpected(Errno::inval);
    std::array<std::uint32_t, kQuotas> most{};
    for (std::uint32_t id = 0; id < domains.end(); ++id) {
        Domain* domain = domains.find(id);
        if (domain == nullptr) continue;
        if (!arguments.empty()) domain->usage.max = domain->usage.value;
        if (domain->privileged() || !arguments.empty()) continue;
        for (std::size_t i = 0; i < kQuotas; ++i)
            if (domain->usage.max[i] > most[i]) most[i] = domain->usage.max[i];
    }
    std::string text = "Max. seen accounting values:\n";
    for (std::size_t i = 0; i < kQuotas; ++i) text += line("%-17s: %8u\n", name_of(i), most[i]);
    return text;
}

Answer<std::string> used(Daemon::Impl& daemon, Arguments arguments) {
    if (arguments.size() != 1) return std::unexpected(Errno::inval);
    const auto id = static_cast<std::uint32_t>(leading_number(arguments[0]));
    const Domain* domain = daemon.store.domains().find(id);
    if (domain == nullptr) return std::unexpected(Errno::noent);
    std::string text = line("Domain %u:\n", id);
    for (std::size_t i = 0; i < kQuotas; ++i)
        text += line("%-17s: %8u (max %8u)\n", name_of(i), domain->usage.value[i], domain->usage.max[i]);
    return text;
}

Answer<std::string> quota(Daemon::Impl& daemon, Arguments arguments) {
    auto& limits = daemon.store.domains().global_limits.hard;
    if (arguments.empty()) return settings(limits);
    if (arguments[0] == "set") return set(limits, arguments.subspan(1));
    if (arguments[0] == "max") return most_used(daemon, arguments.subspan(1));
    return used(daemon, arguments);
}

Answer<std::string> quota_soft(Daemon::Impl& daemon, Arguments arguments) {
    auto& limits = daemon.store.domains().global_limits.soft;
    if (arguments.empty()) return settings(limits);
    if (arguments[0] == "set") return set(limits, arguments.subspan(1));
    return std::unexpected(Errno::inval);
}

Answer<std::string> help(Daemon::Impl&, Arguments arguments);

constexpr std::array kCommands{
    Command{"check", "", ok_without},
    Command{"log", "[on|off|+<switch>|-<switch>]", log},
    Command{"live-update",
            "[-c <cmdline>] [-F] [-t <timeout>] [-v <version>] <file>\n"
            "    Default timeout is 60 seconds, default version is 2.",
            nullptr},
    Command{"logfile", "<file>", ok_with_one},
    Command{"memreport", "[<file>]", ok_with_at_most_one},
    Command{"print", "<string>", ok_with_one},
    Command{"quota", "[set <name> <val>|<domid>|max [-r]]", quota},
    Command{"quota-soft", "[set <name> <val>]", quota_soft},
    Command{"help", "", help},
};

Answer<std::string> help(Daemon::Impl&, Arguments arguments) {
    if (!arguments.empty()) return std::unexpected(Errno::inval);
    std::string text;
    for (const Command& command : kCommands) text += line("%-15s %s\n", command.name, command.parameters);
    return text;
}

}  // namespace

Answer<> Daemon::Impl::control(Connection& connection, std::string_view payload) {
    const auto strings = strings_of(payload);
    if (strings.empty()) return std::unexpected(Errno::inval);
    for (const Command& command : kCommands) {
        if (command.name != strings[0]) continue;
        const Arguments arguments = std::span(strings).subspan(1);
        auto text = command.run != nullptr ? command.run(*this, arguments) : live_update(connection, arguments);
        if (!text) return std::unexpected(text.error());
        text->push_back('\0');
        connection.reply(XS_CONTROL, *text);
        return {};
    }
    return std::unexpected(Errno::inval);
}

}  // namespace xenrig::xenstore
