// The requests of the wire protocol as oxenstored takes and answers them.
#include "sim/xenstore/oxenstored/service.h"
#include "sim/xenstore/path.h"

namespace xenrig::xenstore::oxen {
namespace {

Response error(ErrorWord word) { return {Response::Kind::error, std::string(word) + '\0'}; }
Response reply(std::string_view payload) { return {Response::Kind::reply, std::string(payload)}; }

Response acknowledge(const Outcome<>& done) { return done ? Response{} : error(done.error()); }

/// What can be done again when a transaction is replayed; the last two are refused again.
bool is_simple(std::uint32_t type) {
    switch (type) {
        case XS_DIRECTORY:
        case XS_READ:
        case XS_GET_PERMS:
        case XS_GET_DOMAIN_PATH:
        case XS_WRITE:
        case XS_MKDIR:
        case XS_RM:
        case XS_SET_PERMS:
        case XS_WATCH_EVENT:
        case XS_ERROR:
            return true;
        default:
            return false;
    }
}

/// The directories above a path that are not there yet; they stay when what follows fails.
Outcome<> make_parents(Work& work, const Identity& who, std::string_view path) {
    const std::string_view parent = parent_of(path);
    if (work.version.tree.find(parent) != nullptr) return {};
    if (const auto made = make_parents(work, who, parent); !made) return made;
    return work.mkdir(who, parent, false);
}

struct Request {
    const Connection& connection;
    Work& work;
    std::string_view payload;
    Identity who;

    Outcome<std::string> path(std::string_view text) const { return parse_path(text, connection.home()); }
    /// The payload is a path and its nul.
    Outcome<std::string> only_path() const {
        const auto pieces = split(payload, 2);
        if (pieces.size() != 2 || !pieces[1].empty()) return refuse("EINVAL");
        return path(pieces[0]);
    }
};

Response do_read(const Request& r) {
    const auto path = r.only_path();
    if (!path) return error(path.error());
    const auto value = r.work.version.read(r.who, *path);
    if (!value) return error(value.error());
    r.work.note_read(*path);
    return reply(*value);
}

Response do_directory(const Request& r) {
    const auto path = r.only_path();
    if (!path) return error(path.error());
    const auto names = r.work.version.directory(r.who, *path);
    if (!names) return error(names.error());
    r.work.note_read(*path);
    return reply(*names);
}

Response do_get_perms(const Request& r) {
    const auto path = r.only_path();
    if (!path) return error(path.error());
    const auto perms = r.work.version.perms(r.who, *path);
    if (!perms) return error(perms.error());
    r.work.note_read(*path);
    return reply(perms_text(*perms));
}

Response do_write(const Request& r) {
    const auto pieces = split(r.payload, 2);
    if (pieces.size() != 2) return error("EINVAL");
    const auto path = r.path(pieces[0]);
    if (!path) return error(path.error());
    if (const auto made = make_parents(r.work, r.who, *path); !made) return error(made.error());
    return acknowledge(r.work.write(r.who, *path, pieces[1]));
}

Response do_mkdir(const Request& r) {
    const auto path = r.only_path();
    if (!path) return error(path.error());
    if (const auto made = make_parents(r.work, r.who, *path); !made) return error(made.error());
    const auto done = r.work.mkdir(r.who, *path, true);
    return !done && done.error() == "EEXIST" ? Response{} : acknowledge(done);
}

Response do_rm(const Request& r) {
    const auto path = r.only_path();
    return path ? acknowledge(r.work.rm(r.who, *path)) : error(path.error());
}

Response do_set_perms(const Request& r) {
    const auto pieces = split(r.payload, 2);
    if (pieces.size() != 2) return error("EINVAL");
    const auto perms = parse_perms(pieces[1]);
    const auto path = r.path(pieces[0]);
    if (!perms || !path) return error("EINVAL");
    return acknowledge(r.work.set_perms(r.who, *path, *perms));
}

Response do_get_domain_path(const Request& r) {
    const auto pieces = split(r.payload);
    if (pieces.size() != 2 || !pieces[1].empty()) return error("EINVAL");
    return reply("/local/domain/" + std::to_string(first_number(pieces[0])) + '\0');
}

Response do_introduce(Service& service, std::string_view payload) {
    const auto pieces = split(payload);
    if (pieces.size() < 3) return error("EINVAL");
    const auto port = int_of_string(pieces[2]);
    if (!port) return error("EINVAL");
    const auto frame = int_of_string(pieces[1]);
    if (!frame) return error("EIO");
    const auto id = int_of_string(pieces[0]);
    return id ? acknowledge(service.introduce(*id, *frame, *port)) : error("EINVAL");
}

Response do_release(Service& service, std::string_view payload) {
    const auto pieces = split(payload);
    const auto id = pieces.size() == 2 && pieces[1].empty() ? int_of_string(pieces[0]) : std::nullopt;
    return id ? acknowledge(service.release(*id)) : error("EINVAL");
}

Response do_resume(Service& service, std::string_view payload) {
    const auto id = int_of_string(split(payload)[0]);
    return id ? acknowledge(service.resume(*id)) : error("EINVAL");
}

Response do_set_target(Service& service, std::string_view payload) {
    const auto pieces = split(payload);
    if (pieces.size() != 3 || !pieces[2].empty()) return error("EINVAL");
    return acknowledge(service.set_target(first_number(pieces[0]), first_number(pieces[1])));
}

Response do_is_domain_introduced(const Service& service, std::string_view payload) {
    constexpr std::int64_t kSelf = 0x7FF0;
    const auto id = int_of_string(split(payload)[0]);
    if (!id) return error("EINVAL");
    return reply(*id == kSelf || service.is_introduced(*id) ? std::string_view("T\0", 2) : std::string_view("F\0", 2));
}

}  // namespace

Identity identity_of(const Connection& connection) {
    Identity who{connection.domain_id().value, std::nullopt};
    if (connection.target) who.target = connection.target->value;
    return who;
}

Outcome<std::uint32_t> Service::start_transaction(Connection& connection) {
    if (!identity_of(connection).dom0() && connection.snapshots.size() >= kLimits.transactions) return refuse("EQUOTA");
    constexpr std::uint32_t kEnd = 0x3FFFFFFF;  // so that a number is an int of OCaml on 32 bits
    std::uint32_t id = connection.next_transaction;
    while (id >= kEnd || connection.snapshots.contains(id)) id = id >= kEnd ? 1 : id + 1;
    connection.next_transaction = id + 1;
    connection.snapshots.emplace(id, std::make_shared<Transaction>(id, live()));
    return id;
}

bool Service::replay(Connection& connection, const Transaction& transaction) {
    // The attempt takes a number as every transaction does.
    const auto id = start_transaction(connection);
    if (!id) return false;
    const auto again = connection.snapshots.extract(*id).mapped();
    for (const Operation& operation : transaction.operations) {
        if (!is_simple(operation.type)) return false;
        if (respond(connection, operation.type, operation.payload, again->work) != operation.response) return false;
    }
    Version now = live();
    return again->merge(now);
}

Outcome<> Service::end_transaction(Connection& connection, Work& work, std::string_view payload) {
    const std::string_view how = split(payload)[0];
    if (how != "T" && how != "F") return refuse("EINVAL");
    const auto entry = connection.snapshots.find(work.id);
    if (entry == connection.snapshots.end()) return refuse("ENOENT");
    const auto transaction = connection.snapshots.extract(entry).mapped();
    if (how == "T" && transaction->restored) return refuse("EAGAIN");
    if (how == "F" || work.changes.empty()) return {};
    Version now = live();
    if (!transaction->merge(now) && !replay(connection, *transaction)) return refuse("EAGAIN");
    // It is committed even if this fails.
    if (!tell(&connection, work)) return refuse("EINVAL");
    return {};
}

Response Service::respond(Connection& connection, std::uint32_t type, std::string_view payload, Work& work) {
    const Identity who = identity_of(connection);
    const Request request{connection, work, payload, who};
    switch (type) {
        case XS_DIRECTORY:
            return do_directory(request);
        case XS_READ:
            return do_read(request);
        case XS_GET_PERMS:
            return do_get_perms(request);
        case XS_WRITE:
            return do_write(request);
        case XS_MKDIR:
            return do_mkdir(request);
        case XS_RM:
            return do_rm(request);
        case XS_SET_PERMS:
            return do_set_perms(request);
        case XS_GET_DOMAIN_PATH:
            return do_get_domain_path(request);
        case XS_CONTROL: {
            const std::string text = control(connection, payload, work.version);
            return text.empty() ? Response{} : reply(text);
        }
        case XS_UNWATCH: {
            const auto pieces = split(payload);
            if (pieces.size() != 3 || !pieces[2].empty()) return error("EINVAL");
            return acknowledge(unwatch(connection, pieces[0], pieces[1]));
        }
        case XS_RESET_WATCHES:
            daemon_.store.drop_watches(connection);
            connection.snapshots.clear();
            return {};
        case XS_TRANSACTION_START: {
            if (work.id != 0) return error("EBUSY");
            const auto id = start_transaction(connection);
            return id ? reply(std::to_string(*id) + '\0') : error(id.error());
        }
        case XS_TRANSACTION_END:
            return acknowledge(end_transaction(connection, work, payload));
        case XS_INTRODUCE:
        case XS_RELEASE:
        case XS_RESUME:
        case XS_SET_TARGET:
        case XS_IS_DOMAIN_INTRODUCED:
            break;
        default:
            return error("ENOSYS");
    }
    if (!who.dom0()) return error("EACCES");
    switch (type) {
        case XS_INTRODUCE:
            return do_introduce(*this, payload);
        case XS_RELEASE:
            return do_release(*this, payload);
        case XS_RESUME:
            return do_resume(*this, payload);
        case XS_SET_TARGET:
            return do_set_target(*this, payload);
        default:
            return do_is_domain_introduced(*this, payload);
    }
}

void Service::answer(Connection& connection) {
    const xsd_sockmsg header = connection.request();
    const std::string_view payload = connection.payload();
    const bool no_transaction = header.type == XS_WATCH || header.type == XS_UNWATCH;
    const std::uint32_t tx_id = no_transaction ? 0 : header.tx_id;
    const auto send = [&](const Response& response) {
        const bool failed = response.kind == Response::Kind::error;
        const bool ack = response.kind == Response::Kind::ack;
        connection.packet(failed ? std::uint32_t{XS_ERROR} : header.type, header.req_id, tx_id,
                          ack ? std::string_view("OK\0", 3) : std::string_view(response.payload));
    };
    if (header.type == XS_WATCH) {
        const auto pieces = split(payload);
        const bool three = pieces.size() == 3 && pieces[2].empty();
        const auto made = three ? watch(connection, pieces[0], pieces[1]) : refuse("EINVAL");
        send(made ? Response{} : error(made.error()));
        if (made) event(&connection, **made, (*made)->path);
        return;
    }
    if (tx_id == 0) {
        Work work(0, live());
        send(respond(connection, header.type, payload, work));
        if (!tell(&connection, work)) send(error("EIO"));
        return;
    }
    const auto found = connection.snapshots.find(tx_id);
    if (found == connection.snapshots.end()) return send(error("EIO"));
    // It may end with this request.
    const std::shared_ptr<Transaction> transaction = found->second;
    const bool limited = !identity_of(connection).dom0();
    if (limited && transaction->operations.size() >= kLimits.requests) return send(error("EQUOTA"));
    const Response response = respond(connection, header.type, payload, transaction->work);
    transaction->operations.push_back({header.type, std::string(payload), response});
    send(response);
}

}  // namespace xenrig::xenstore::oxen
