// The requests of misc/xenstore.txt: their payloads and replies.
#include <charconv>

#include "text.h"
#include "xenrig/abi/check.h"
#include "xenstore_request.h"

namespace xenrig::guest {

namespace {

std::string_view type_name(std::uint32_t type) {
    switch (type) {
        case XS_DIRECTORY:
            return "DIRECTORY";
        case XS_READ:
            return "READ";
        case XS_GET_PERMS:
            return "GET_PERMS";
        case XS_WATCH:
            return "WATCH";
        case XS_UNWATCH:
            return "UNWATCH";
        case XS_TRANSACTION_START:
            return "TRANSACTION_START";
        case XS_TRANSACTION_END:
            return "TRANSACTION_END";
        case XS_WRITE:
            return "WRITE";
        case XS_MKDIR:
            return "MKDIR";
        case XS_RM:
            return "RM";
        case XS_SET_PERMS:
            return "SET_PERMS";
        case XS_DIRECTORY_PART:
            return "DIRECTORY_PART";
        default:
            return "request";
    }
}

std::string first_string(std::string_view payload) { return std::string(payload.substr(0, payload.find('\0'))); }

/// The errors that the daemon has names for (xsd_errors).
constexpr Errno kNamed[] = {Errno::inval, Errno::access, Errno::exist,    Errno::isdir, Errno::noent, Errno::nomem,
                            Errno::nospc, Errno::io,     Errno::notempty, Errno::nosys, Errno::rofs,  Errno::busy,
                            Errno::again, Errno::isconn, Errno::toobig,   Errno::perm};

Error malformed(const std::string& what) { return Error{Errno::io, what + ": xenstored's reply makes no sense"}; }

Result<StorePerm> parse_perm(const std::string& text) {
    StorePerm perm{};
    if (text.empty()) return std::unexpected(malformed("GET_PERMS"));
    switch (text[0]) {
        case 'n':
            break;
        case 'r':
            perm.read = true;
            break;
        case 'w':
            perm.write = true;
            break;
        case 'b':
            perm.read = perm.write = true;
            break;
        default:
            return std::unexpected(malformed("GET_PERMS"));
    }
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + 1, end, perm.domain.value);
    if (parsed.ec != std::errc{} || parsed.ptr != end) return std::unexpected(malformed("GET_PERMS"));
    return perm;
}

std::string perm_text(const StorePerm& perm) {
    const char access = perm.read && perm.write ? 'b' : perm.read ? 'r' : perm.write ? 'w' : 'n';
    return access + dec(perm.domain.value);
}

}  // namespace

XenstoreClient::Request::Request(std::uint32_t type, std::string_view payload)
    : what(std::string(type_name(type)) + " " + first_string(payload)), done("xenstored's answer to " + what) {}

Error XenstoreClient::Request::error() const {
    const std::string spelled = first_string(reply);
    for (const Errno e : kNamed)
        if (name(e) == spelled) return Error{e, what};
    return Error{Errno::inval, what + ": xenstored answered '" + spelled + "'"};
}

bool split_strings(std::string_view body, std::vector<std::string>& out) {
    while (!body.empty()) {
        const auto end = body.find('\0');
        if (end == std::string_view::npos) return false;
        out.emplace_back(body.substr(0, end));
        body.remove_prefix(end + 1);
    }
    return true;
}

Result<std::string> XenstoreClient::read(StoreTx tx, const std::string& path) {
    const Use use(*this);
    return talk(XS_READ, tx, with_nul(path));
}

Result<> XenstoreClient::write(StoreTx tx, const std::string& path, std::string_view value) {
    return talk_ok(XS_WRITE, tx, with_nul(path).append(value));
}

Result<> XenstoreClient::mkdir(StoreTx tx, const std::string& path) { return talk_ok(XS_MKDIR, tx, with_nul(path)); }

Result<> XenstoreClient::rm(StoreTx tx, const std::string& path) { return talk_ok(XS_RM, tx, with_nul(path)); }

Result<std::vector<std::string>> XenstoreClient::directory(StoreTx tx, const std::string& path) {
    const Use use(*this);
    const auto reply = talk(XS_DIRECTORY, tx, with_nul(path));
    if (!reply) {
        // More than fits into one message.
        if (reply.error().code == Errno::toobig) return directory_in_parts(tx, path);
        return std::unexpected(reply.error());
    }
    std::vector<std::string> children;
    if (!split_strings(*reply, children)) return std::unexpected(malformed("DIRECTORY " + path));
    return children;
}

Result<std::vector<std::string>> XenstoreClient::directory_in_parts(StoreTx tx, const std::string& path) {
    std::string list;
    std::string generation;
    for (;;) {
        const auto reply = talk(XS_DIRECTORY_PART, tx, with_nul(path) + with_nul(dec(list.size())));
        if (!reply) {
            // A daemon that can't: the directory is too big, which is what it said first.
            const bool unknown = reply.error().code == Errno::nosys;
            return unknown ? fail(Errno::toobig, "DIRECTORY " + path) : std::unexpected(reply.error());
        }
        const auto end = reply->find('\0');
        if (end == std::string::npos || end + 1 == reply->size())
            return std::unexpected(malformed("DIRECTORY_PART " + path));
        const std::string now = reply->substr(0, end);
        if (!list.empty() && now != generation) {
            // The node changed between two parts: all over again.
            list.clear();
            continue;
        }
        generation = now;
        list.append(*reply, end + 1);
        // The last part ends with an empty name.
        if (list.back() != '\0') return std::unexpected(malformed("DIRECTORY_PART " + path));
        if (list.size() == 1 || list[list.size() - 2] == '\0') break;
    }
    list.pop_back();
    std::vector<std::string> children;
    (void)split_strings(list, children);
    return children;
}

Result<std::vector<StorePerm>> XenstoreClient::get_perms(StoreTx tx, const std::string& path) {
    const Use use(*this);
    const auto reply = talk(XS_GET_PERMS, tx, with_nul(path));
    if (!reply) return std::unexpected(reply.error());
    std::vector<std::string> texts;
    if (!split_strings(*reply, texts)) return std::unexpected(malformed("GET_PERMS " + path));
    std::vector<StorePerm> perms;
    for (const std::string& text : texts) {
        const auto perm = parse_perm(text);
        if (!perm) return std::unexpected(perm.error());
        perms.push_back(*perm);
    }
    return perms;
}

Result<> XenstoreClient::set_perms(StoreTx tx, const std::string& path, const std::vector<StorePerm>& perms) {
    std::string payload = with_nul(path);
    for (const StorePerm& perm : perms) payload += with_nul(perm_text(perm));
    return talk_ok(XS_SET_PERMS, tx, payload);
}

Result<StoreTx> XenstoreClient::start() {
    const Use use(*this);
    const auto reply = talk(XS_TRANSACTION_START, StoreTx::none, std::string_view("", 1));
    if (!reply) return std::unexpected(reply.error());
    std::uint32_t id = 0;
    const auto parsed = std::from_chars(reply->data(), reply->data() + reply->size(), id);
    if (parsed.ec != std::errc{} || id == 0) return std::unexpected(malformed("TRANSACTION_START"));
    const StoreTx tx{id};
    const std::lock_guard held(lock_);
    transactions_.insert(tx);
    return tx;
}

Result<> XenstoreClient::end(StoreTx tx, bool commit) {
    const Use use(*this);
    const auto reply = talk(XS_TRANSACTION_END, tx, with_nul(commit ? "T" : "F"));
    // Whatever the answer, the daemon knows it no more.
    const std::lock_guard held(lock_);
    transactions_.erase(tx);
    if (!reply) return std::unexpected(reply.error());
    return {};
}

std::size_t XenstoreClient::transactions_open() const {
    const std::lock_guard held(lock_);
    return transactions_.size();
}

}  // namespace xenrig::guest
