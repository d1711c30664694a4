#include "sim/xenstore/state_image.h"

#include <bit>
#include <cstring>
#include <set>

#include "sim/xenstore/path.h"
#include "sim/xenstore/wire.h"

namespace xenrig::xenstore {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kIdent = "xenstore";
constexpr std::uint32_t kVersion = 2;
constexpr std::size_t kPreamble = 16;

enum class Record : std::uint32_t {
    end,
    global,
    connection,
    watch,
    transaction,
    node,
    global_quota,
    domain,
    watch_extended,
};

constexpr std::uint8_t kPermIgnored = 1;
constexpr char kLetters[] = {'n', 'r', 'w', 'b'};

class Writer {
public:
    template <class T>
    Writer& number(T value) {
        bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
        return *this;
    }
    Writer& text(std::string_view s) {
        bytes_.append(s);
        return *this;
    }
    Writer& string(std::string_view s) { return text(s).number<char>(0); }
    /// Appends the record, padded, to `out`.
    void finish(std::string& out, Record type) {
        bytes_.resize((bytes_.size() + 7) & ~std::size_t{7});
        const std::uint32_t header[] = {static_cast<std::uint32_t>(type), static_cast<std::uint32_t>(bytes_.size())};
        out.append(reinterpret_cast<const char*>(header), sizeof header).append(bytes_);
    }

private:
    std::string bytes_;
};

std::uint16_t u16(std::size_t n) { return static_cast<std::uint16_t>(n); }

using Quotas = std::vector<std::pair<std::string, std::uint32_t>>;

void write_quotas(Writer& w, const Quotas& quotas) {
    for (const auto& [name, value] : quotas) w.number(value);
    for (const auto& [name, value] : quotas) w.string(name);
}

/// Reads one record's body; what is not there is a damaged stream.
class Reader {
public:
    Reader(std::string_view body, std::size_t offset) : body_(body), offset_(offset) {}

    template <class T>
    T number() {
        T value{};
        if (body_.size() - at_ < sizeof value) return broken(), value;
        std::memcpy(&value, body_.data() + at_, sizeof value);
        at_ += sizeof value;
        return value;
    }
    std::string text(std::size_t length) {
        if (body_.size() - at_ < length) return broken(), std::string();
        at_ += length;
        return std::string(body_.substr(at_ - length, length));
    }
    /// `length` counts the nul, which must be its only one.
    std::string string(std::size_t length) {
        std::string s = text(length);
        if (s.empty() || s.find('\0') != s.size() - 1) return broken(), std::string();
        s.pop_back();
        return s;
    }
    std::string string() {
        const auto nul = body_.find('\0', at_);
        return nul == std::string_view::npos ? (broken(), std::string()) : string(nul + 1 - at_);
    }
    void require(bool holds) {
        if (!holds) broken();
    }
    bool ok() const { return ok_; }
    std::size_t offset() const { return offset_ + at_; }

private:
    void broken() { ok_ = false; }

    std::string_view body_;
    std::size_t offset_;
    std::size_t at_ = 0;
    bool ok_ = true;
};

Quotas read_quotas(Reader& r, std::size_t count) {
    Quotas quotas;
    std::vector<std::uint32_t> values;
    for (std::size_t i = 0; i < count && r.ok(); ++i) values.push_back(r.number<std::uint32_t>());
    for (std::size_t i = 0; i < values.size() && r.ok(); ++i) quotas.emplace_back(r.string(), values[i]);
    return quotas;
}

bool are_whole_messages(std::string_view bytes) {
    while (!bytes.empty()) {
        xsd_sockmsg header;
        if (bytes.size() < sizeof header) return false;
        std::memcpy(&header, bytes.data(), sizeof header);
        if (bytes.size() - sizeof header < header.len) return false;
        bytes.remove_prefix(sizeof header + header.len);
    }
    return true;
}

ConnectionImage read_connection(Reader& r) {
    ConnectionImage c;
    c.id = r.number<std::uint32_t>();
    const auto type = r.number<std::uint16_t>();
    r.number<std::uint16_t>();
    r.require(c.id != 0 && type <= 1);
    c.socket = type == 1;
    if (c.socket) {
        r.number<std::uint64_t>();
    } else {
        c.domain = r.number<std::uint16_t>();
        c.target = r.number<std::uint16_t>();
        c.port = r.number<std::uint32_t>();
    }
    const auto in = r.number<std::uint16_t>();
    c.half_written = r.number<std::uint16_t>();
    const auto out = r.number<std::uint32_t>();
    r.require(c.half_written <= out);
    c.unprocessed = r.text(in);
    c.unwritten = r.text(out);
    r.require(!r.ok() || are_whole_messages(std::string_view(c.unwritten).substr(c.half_written)));
    return c;
}

WatchImage read_watch(Reader& r, bool extended) {
    WatchImage w;
    w.connection = r.number<std::uint32_t>();
    const auto path = r.number<std::uint16_t>();
    const auto token = r.number<std::uint16_t>();
    if (extended) w.depth = r.number<std::uint16_t>();
    w.path = r.string(path);
    w.token = r.string(token);
    return w;
}

NodeImage read_node(Reader& r, bool& pending) {
    NodeImage n;
    pending = r.number<std::uint32_t>() != 0;
    r.number<std::uint32_t>();
    const auto path = r.number<std::uint16_t>();
    const auto value = r.number<std::uint16_t>();
    r.number<std::uint16_t>();
    const auto perms = r.number<std::uint16_t>();
    r.require(pending || perms != 0);
    for (unsigned i = 0; i < perms && r.ok(); ++i) {
        const char letter = r.number<char>();
        const auto flags = r.number<std::uint8_t>();
        Perm perm{.domain = r.number<std::uint16_t>(), .ignored = (flags & kPermIgnored) != 0};
        const std::string_view letters(kLetters, sizeof kLetters);
        r.require(letters.find(letter) != std::string_view::npos);
        perm.access = static_cast<std::uint8_t>(letters.find(letter) & 3);
        n.perms.push_back(perm);
    }
    n.path = r.string(path);
    n.value = r.text(value);
    r.require(!r.ok() || n.path.starts_with('@') || (n.path.starts_with('/') && well_formed(n.path)));
    return n;
}

std::unexpected<Error> damaged(std::size_t offset, const char* what) {
    return fail(Errno::badmsg, "xenstore state, offset " + std::to_string(offset) + ": " + what);
}

}  // namespace

std::string encode(const StateImage& image) {
    std::string out(kIdent);
    const std::uint32_t preamble[] = {std::byteswap(kVersion), 0};
    out.append(reinterpret_cast<const char*>(preamble), sizeof preamble);
    Writer().number<std::int32_t>(-1).number<std::int32_t>(-1).finish(out, Record::global);
    if (!image.quotas.empty()) {
        Writer w;
        w.number(u16(image.quotas.size())).number<std::uint16_t>(0);
        write_quotas(w, image.quotas);
        w.finish(out, Record::global_quota);
    }
    for (const ConnectionImage& c : image.connections) {
        Writer w;
        w.number(c.id).number<std::uint16_t>(c.socket ? 1 : 0).number<std::uint16_t>(0);
        if (c.socket)
            w.number<std::int32_t>(-1).number<std::uint32_t>(0);
        else
            w.number(c.domain).number(c.target).number(c.port);
        w.number(u16(c.unprocessed.size())).number(c.half_written);
        w.number(static_cast<std::uint32_t>(c.unwritten.size())).text(c.unprocessed).text(c.unwritten);
        w.finish(out, Record::connection);
    }
    for (const WatchImage& watch : image.watches) {
        Writer w;
        w.number(watch.connection).number(u16(watch.path.size() + 1)).number(u16(watch.token.size() + 1));
        if (watch.depth >= 0) w.number(static_cast<std::uint16_t>(watch.depth));
        w.string(watch.path).string(watch.token);
        w.finish(out, watch.depth >= 0 ? Record::watch_extended : Record::watch);
    }
    for (const TransactionImage& t : image.transactions)
        Writer().number(t.connection).number(t.id).finish(out, Record::transaction);
    for (const NodeImage& node : image.nodes) {
        Writer w;
        w.number<std::uint32_t>(0).number<std::uint32_t>(0);
        w.number(u16(node.path.size() + 1)).number(u16(node.value.size()));
        w.number<std::uint16_t>(0).number(u16(node.perms.size()));
        for (const Perm& perm : node.perms)
            w.number(kLetters[perm.access & 3])
                .number<std::uint8_t>(perm.ignored ? kPermIgnored : 0)
                .number(u16(perm.domain));
        w.string(node.path).text(node.value);
        w.finish(out, Record::node);
    }
    for (const DomainImage& domain : image.domains) {
        Writer w;
        w.number(domain.id).number(u16(domain.quotas.size())).number(domain.features);
        write_quotas(w, domain.quotas);
        w.finish(out, Record::domain);
    }
    Writer().finish(out, Record::end);
    return out;
}

Result<StateImage> decode(std::string_view stream) {
    if (stream.size() < kPreamble || !stream.starts_with(kIdent)) return damaged(0, "this is no xenstore state");
    std::uint32_t preamble[2];
    std::memcpy(preamble, stream.data() + kIdent.size(), sizeof preamble);
    const std::uint32_t version = std::byteswap(preamble[0]);
    if (version == 0 || version > kVersion) return damaged(8, "the version is not 1 or 2");
    if (preamble[1] != 0) return damaged(12, "the stream is big-endian, or has flags that are not known");

    StateImage image;
    std::set<std::uint32_t> connections;
    std::set<std::string> nodes{""};
    for (std::size_t at = kPreamble;;) {
        if (stream.size() - at < 8) return damaged(at, "the stream ends without an END record");
        std::uint32_t header[2];
        std::memcpy(header, stream.data() + at, sizeof header);
        const std::size_t body = at + sizeof header;
        const std::size_t length = header[1];
        if (length % 8 != 0 || length > stream.size() - body)
            return damaged(at + 4, "the record's length is impossible");
        Reader r(stream.substr(body, length), body);
        const auto knows = [&](std::uint32_t id) { r.require(!r.ok() || connections.contains(id)); };
        switch (static_cast<Record>(header[0])) {
            case Record::end:
                if (body + length != stream.size()) return damaged(body, "there is more after the END record");
                return image;
            case Record::connection: {
                ConnectionImage c = read_connection(r);
                r.require(connections.insert(c.id).second);
                image.connections.push_back(std::move(c));
                break;
            }
            case Record::watch:
            case Record::watch_extended: {
                WatchImage w = read_watch(r, static_cast<Record>(header[0]) == Record::watch_extended);
                knows(w.connection);
                image.watches.push_back(std::move(w));
                break;
            }
            case Record::transaction: {
                TransactionImage t;
                t.connection = r.number<std::uint32_t>();
                t.id = r.number<std::uint32_t>();
                knows(t.connection);
                r.require(t.id != 0);
                image.transactions.push_back(t);
                break;
            }
            case Record::node: {
                bool pending = false;
                NodeImage n = read_node(r, pending);
                if (pending || !r.ok()) break;
                const bool special = n.path.starts_with('@');
                // A part of a store may begin anywhere; the rest hangs below what came before.
                r.require(special || image.nodes.empty() || nodes.contains(std::string(parent_of(n.path))));
                r.require(nodes.insert(n.path).second);
                image.nodes.push_back(std::move(n));
                break;
            }
            case Record::global_quota: {
                const auto count = r.number<std::uint16_t>();
                const auto global = r.number<std::uint16_t>();
                image.quotas = read_quotas(r, std::size_t{count} + global);
                break;
            }
            case Record::domain: {
                DomainImage d;
                d.id = r.number<std::uint16_t>();
                const auto count = r.number<std::uint16_t>();
                d.features = r.number<std::uint32_t>();
                d.quotas = read_quotas(r, count);
                image.domains.push_back(std::move(d));
                break;
            }
            default:
                break;
        }
        if (!r.ok()) return damaged(r.offset(), "the record is cut short, or says what cannot be");
        at = body + length;
    }
}

}  // namespace xenrig::xenstore
