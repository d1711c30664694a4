// The requests of the wire protocol: what each takes, who may send it, and the answer (core.c, domain.c).
#include <array>
#include <cstdlib>
#include <string>

#include "sim/xenstore/daemon_impl.h"
#include "sim/xenstore/path.h"

namespace xenrig::xenstore {
namespace {

using namespace std::string_view_literals;

struct Call {
    Daemon::Impl& daemon;
    Caller caller;
    std::string_view payload;

    Connection& connection() const { return caller.connection; }
    Store& store() const { return daemon.store; }
    std::uint32_t type() const { return caller.connection.request().type; }

    Answer<> reply(std::string_view bytes) const {
        connection().reply(type(), bytes);
        return {};
    }
    /// "OK", or the operation's error.
    Answer<> acknowledge(const Answer<>& done) const { return done ? reply("OK\0"sv) : done; }
    Answer<> reply_string(std::string text) const {
        text.push_back('\0');
        return reply(text);
    }
};

constexpr auto refuse(Errno error) { return std::unexpected(error); }

Answer<DomId> parse_domain(std::string_view text) {
    const std::string number(text);
    char* end = nullptr;
    const unsigned long id = std::strtoul(number.c_str(), &end, 10);
    if (*end != '\0' || id > UINT16_MAX) return refuse(Errno::inval);
    return DomId(static_cast<std::uint16_t>(id));
}

Answer<DomId> only_domain(std::string_view payload) {
    std::string_view text;
    if (!one_string(payload, text)) return refuse(Errno::inval);
    return parse_domain(text);
}

Answer<> do_read(const Call& call) {
    std::string_view path;
    if (!one_string(call.payload, path)) return refuse(Errno::inval);
    const auto value = call.store().read(call.caller, path);
    return value ? call.reply(*value) : refuse(value.error());
}

Answer<> do_directory(const Call& call) {
    std::string_view path;
    if (!one_string(call.payload, path)) return refuse(Errno::inval);
    const auto names = call.store().directory(call.caller, path);
    return names ? call.reply(*names) : refuse(names.error());
}

Answer<> do_directory_part(const Call& call) {
    const auto strings = strings_of(call.payload);
    if (strings.size() != 2) return refuse(Errno::inval);
    const auto offset = static_cast<std::uint32_t>(leading_number(strings[1]));
    const auto part = call.store().directory_part(call.caller, strings[0], offset);
    return part ? call.reply(*part) : refuse(part.error());
}

Answer<> do_write(const Call& call) {
    const std::size_t nul = call.payload.find('\0');
    if (nul == std::string_view::npos) return refuse(Errno::inval);
    return call.acknowledge(call.store().write(call.caller, call.payload.substr(0, nul), call.payload.substr(nul + 1)));
}

Answer<> do_mkdir(const Call& call) {
    std::string_view path;
    if (!one_string(call.payload, path)) return refuse(Errno::inval);
    return call.acknowledge(call.store().mkdir(call.caller, path));
}

Answer<> do_rm(const Call& call) {
    std::string_view path;
    if (!one_string(call.payload, path)) return refuse(Errno::inval);
    return call.acknowledge(call.store().rm(call.caller, path));
}

Answer<> do_get_perms(const Call& call) {
    std::string_view path;
    if (!one_string(call.payload, path)) return refuse(Errno::inval);
    const auto perms = call.store().get_perms(call.caller, path);
    if (!perms) return refuse(perms.error());
    std::string text;
    append_perms(text, (*perms)->entries());
    return call.reply(text);
}

Answer<> do_set_perms(const Call& call) {
    const auto strings = strings_of(call.payload);
    if (strings.size() < 2) return refuse(Errno::inval);
    auto entries = call.store().parse_perms(call.connection(), std::span(strings).subspan(1));
    if (!entries) return refuse(entries.error());
    return call.acknowledge(call.store().set_perms(call.caller, strings[0], std::move(*entries)));
}

Answer<> do_watch(const Call& call) {
    const auto strings = strings_of(call.payload);
    Connection& connection = call.connection();
    const bool depths = connection.domain() == nullptr || (connection.domain()->features & kFeatureWatchDepth) != 0;
    int depth = -1;
    if (strings.size() == 3 && depths) {
        depth = static_cast<int>(leading_number(strings[2]));
        if (depth < 0) return refuse(Errno::inval);
    } else if (strings.size() != 2) {
        return refuse(Errno::inval);
    }
    const auto watch = call.store().watch(connection, strings[0], strings[1], depth);
    if (!watch) return refuse(watch.error());
    (void)call.reply("OK\0"sv);
    // The first event tells nothing but that the watch is there; it is not charged to the request.
    connection.event(std::string_view((*watch)->path).substr((*watch)->prefix), (*watch)->token, nullptr, {});
    return {};
}

Answer<> do_unwatch(const Call& call) {
    const auto strings = strings_of(call.payload);
    if (strings.size() != 2) return refuse(Errno::inval);
    return call.acknowledge(call.store().unwatch(call.connection(), strings[0], strings[1]));
}

Answer<> do_reset_watches(const Call& call) {
    call.store().drop_watches(call.connection());
    call.store().drop_transactions(call.connection());
    return call.reply("OK\0"sv);
}

Answer<> do_transaction_start(const Call& call) {
    const auto id = call.store().start(call.caller);
    return id ? call.reply_string(std::to_string(*id)) : refuse(id.error());
}

Answer<> do_transaction_end(const Call& call) {
    std::string_view how;
    if (!one_string(call.payload, how) || (how != "T" && how != "F")) return refuse(Errno::inval);
    return call.acknowledge(call.store().end(call.caller, how == "T"));
}

Answer<> do_introduce(const Call& call) {
    const auto strings = strings_of(call.payload);
    if (strings.size() < 3) return refuse(Errno::inval);
    const auto domain = parse_domain(strings[0]);
    if (!domain) return refuse(domain.error());
    // The frame is not needed: the page is granted by a fixed reference.
    const auto port = static_cast<std::int32_t>(leading_number(strings[2]));
    if (port <= 0) return refuse(Errno::inval);
    return call.acknowledge(call.daemon.introduce(*domain, Port(static_cast<std::uint32_t>(port))));
}

Answer<> do_release(const Call& call) {
    const auto domain = only_domain(call.payload);
    return domain ? call.acknowledge(call.daemon.release(*domain)) : refuse(domain.error());
}

Answer<> do_resume(const Call& call) {
    const auto domain = only_domain(call.payload);
    return domain ? call.acknowledge(call.daemon.resume(*domain)) : refuse(domain.error());
}

Answer<> do_set_target(const Call& call) {
    const auto strings = strings_of(call.payload);
    if (strings.size() < 2) return refuse(Errno::inval);
    const auto domain = parse_domain(strings[0]);
    if (!domain) return refuse(domain.error());
    const auto target = parse_domain(strings[1]);
    if (!target) return refuse(target.error());
    return call.acknowledge(call.daemon.set_target(*domain, *target));
}

Answer<> do_get_domain_path(const Call& call) {
    const auto domain = only_domain(call.payload);
    return domain ? call.reply_string(home_of(domain->value)) : refuse(domain.error());
}

Answer<> do_is_domain_introduced(const Call& call) {
    constexpr std::uint16_t kSelf = 0x7FF0;
    const auto domain = only_domain(call.payload);
    if (!domain) return refuse(domain.error());
    return call.reply(domain->value == kSelf || call.daemon.is_introduced(*domain) ? "T\0"sv : "F\0"sv);
}

Answer<> do_control(const Call& call) { return call.daemon.control(call.connection(), call.payload); }

Answer<Domain*> existing_domain(const Call& call, std::string_view text) {
    const auto id = parse_domain(text);
    if (!id) return refuse(id.error());
    Domain* domain = call.store().domains().find_existing(id->value, call.store().generation());
    if (domain == nullptr) return refuse(Errno::noent);
    return domain;
}

Answer<> do_get_feature(const Call& call) {
    const auto strings = strings_of(call.payload);
    const Domain* domain = call.connection().domain();
    if (!strings.empty()) {
        if (!call.connection().privileged()) return refuse(Errno::access);
        if (strings.size() > 1) return refuse(Errno::inval);
        const auto named = existing_domain(call, strings[0]);
        if (!named) return refuse(named.error());
        domain = *named;
    }
    return call.reply_string(std::to_string(domain != nullptr ? domain->features : kFeatures));
}

Answer<> do_set_feature(const Call& call) {
    const auto strings = strings_of(call.payload);
    if (strings.size() != 2) return refuse(Errno::inval);
    const auto domain = existing_domain(call, strings[0]);
    if (!domain) return refuse(domain.error());
    const auto features = static_cast<std::uint32_t>(leading_number(strings[1]));
    if ((*domain)->introduced) return refuse(Errno::busy);
    if ((features & ~kFeatures) != 0) return refuse(Errno::inval);
    (*domain)->features = features;
    return call.reply("OK\0"sv);
}

Answer<> do_get_quota(const Call& call) {
    const auto strings = strings_of(call.payload);
    if (strings.size() > 2) return refuse(Errno::inval);
    Limits* limits = &call.store().domains().global_limits;
    if (strings.empty()) {
        std::string names;
        const auto add = [&](std::string_view prefix, std::string_view name) {
            if (!names.empty()) names.push_back(' ');
            names.append(prefix).append(name);
        };
        for (std::size_t i = 0; i < kQuotas; ++i) {
            if (limits->hard[i] != kQuotaDisabled) add("", kQuotaNames[i].name);
            if (limits->soft[i] != kQuotaDisabled) add("soft-", kQuotaNames[i].name);
        }
        return call.reply_string(names);
    }
    if (strings.size() == 2) {
        const auto domain = existing_domain(call, strings[0]);
        if (!domain) return refuse(domain.error());
        limits = &(*domain)->limits;
    }
    const std::uint32_t* limit = limits->find(strings.back());
    return limit != nullptr ? call.reply_string(std::to_string(*limit)) : refuse(Errno::inval);
}

Answer<> do_set_quota(const Call& call) {
    const auto strings = strings_of(call.payload);
    if (strings.size() < 2 || strings.size() > 3) return refuse(Errno::inval);
    Limits* limits = &call.store().domains().global_limits;
    if (strings.size() == 3) {
        const auto domain = existing_domain(call, strings[0]);
        if (!domain) return refuse(domain.error());
        limits = &(*domain)->limits;
    }
    const auto value = static_cast<std::uint32_t>(leading_number(strings.back()));
    std::uint32_t* limit = limits->find(strings[strings.size() - 2]);
    if (limit == nullptr || value == kQuotaDisabled) return refuse(Errno::inval);
    *limit = value;
    return call.reply("OK\0"sv);
}

enum class Needs : std::uint8_t { nothing, privilege, no_transaction };

struct Operation {
    Answer<> (*run)(const Call&) = nullptr;
    Needs needs = Needs::nothing;
};

constexpr std::size_t kOperations = kSetQuota + 1;

constexpr std::array<Operation, kOperations> kTable = [] {
    std::array<Operation, kOperations> t{};
    t[XS_CONTROL] = {do_control, Needs::privilege};
    t[XS_DIRECTORY] = {do_directory};
    t[XS_READ] = {do_read};
    t[XS_GET_PERMS] = {do_get_perms};
    t[XS_WATCH] = {do_watch, Needs::no_transaction};
    t[XS_UNWATCH] = {do_unwatch, Needs::no_transaction};
    t[XS_TRANSACTION_START] = {do_transaction_start};
    t[XS_TRANSACTION_END] = {do_transaction_end};
    t[XS_INTRODUCE] = {do_introduce, Needs::privilege};
    t[XS_RELEASE] = {do_release, Needs::privilege};
    t[XS_GET_DOMAIN_PATH] = {do_get_domain_path};
    t[XS_WRITE] = {do_write};
    t[XS_MKDIR] = {do_mkdir};
    t[XS_RM] = {do_rm};
    t[XS_SET_PERMS] = {do_set_perms};
    t[XS_IS_DOMAIN_INTRODUCED] = {do_is_domain_introduced, Needs::privilege};
    t[XS_RESUME] = {do_resume, Needs::privilege};
    t[XS_SET_TARGET] = {do_set_target, Needs::privilege};
    t[XS_RESET_WATCHES] = {do_reset_watches};
    t[XS_DIRECTORY_PART] = {do_directory_part};
    t[kGetFeature] = {do_get_feature};
    t[kSetFeature] = {do_set_feature, Needs::privilege};
    t[kGetQuota] = {do_get_quota, Needs::privilege};
    t[kSetQuota] = {do_set_quota, Needs::privilege};
    return t;
}();

Answer<> run(Daemon::Impl& daemon, Connection& connection) {
    const xsd_sockmsg& header = connection.request();
    if (header.type >= kOperations || kTable[header.type].run == nullptr) return refuse(Errno::nosys);
    const Operation& operation = kTable[header.type];
    if (operation.needs == Needs::privilege && !connection.privileged()) return refuse(Errno::access);
    Transaction* transaction = nullptr;
    if (operation.needs != Needs::no_transaction && header.tx_id != 0) {
        const auto found = connection.transactions.find(header.tx_id);
        if (found == connection.transactions.end()) return refuse(Errno::noent);
        transaction = found->second.get();
    }
    return operation.run({daemon, {connection, transaction}, connection.payload()});
}

}  // namespace

void Daemon::Impl::answer(Connection& connection) {
    if (!connection.privileged()) connection.current = std::make_shared<Request>(Request{connection.domain_id()});
    const Answer<> done = run(*this, connection);
    if (done) return;
    std::string word(wire_name(done.error()));
    word.push_back('\0');
    connection.reply(XS_ERROR, word);
}

}  // namespace xenrig::xenstore
