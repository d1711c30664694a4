#include <algorithm>
#include <bit>
#include <string_view>

#include "sim/image/format.h"
#include "sim/image/store_format.h"
#include "sim/image/store_records.h"

namespace xenrig::image {

namespace {

using store_format::Record;

std::string_view name(Record r) {
    switch (r) {
        case Record::end:
            return "END";
        case Record::global_data:
            return "GLOBAL_DATA";
        case Record::connection:
            return "CONNECTION_DATA";
        case Record::watch:
            return "WATCH_DATA";
        case Record::transaction:
            return "TRANSACTION_DATA";
        case Record::node:
            return "NODE_DATA";
        case Record::global_quota:
            return "GLOBAL_QUOTA_DATA";
        case Record::domain:
            return "DOMAIN_DATA";
        case Record::watch_extended:
            return "WATCH_DATA_EXTENDED";
    }
    return "a record of an unknown type";
}

/// One record's body, taken from the front; taking more than there is makes it bad for good.
class Body {
public:
    explicit Body(std::span<const std::byte> bytes) : rest_(bytes) {}

    template <class T>
    T take() {
        const auto bytes = take_bytes(sizeof(T));
        return bad_ ? T{} : read_as<T>(bytes);
    }
    std::string text(std::size_t length) {
        const auto bytes = take_bytes(length);
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }
    /// `length` counts the nul at the end, and there is no other.
    std::string path(std::size_t length) {
        std::string s = text(length);
        if (s.empty() || s.find('\0') != s.size() - 1) bad_ = true;
        if (!bad_) s.pop_back();
        return s;
    }
    bool whole() const { return !bad_ && rest_.empty(); }
    bool bad() const { return bad_; }

private:
    std::span<const std::byte> take_bytes(std::size_t n) {
        if (bad_ || n > rest_.size()) {
            bad_ = true;
            return {};
        }
        const auto bytes = rest_.first(n);
        rest_ = rest_.subspan(n);
        return bytes;
    }

    std::span<const std::byte> rest_;
    bool bad_ = false;
};

/// Null when all is well, else what is wrong with the record.
using Verdict = const char*;

constexpr Verdict kMisfit = "its lengths do not fit its body";

class Decoder {
public:
    explicit Decoder(std::uint32_t version) : version_(version) {}

    Verdict record(Record type, Body body) {
        switch (type) {
            case Record::end:
                return body.whole() ? nullptr : "it has a body";
            case Record::connection:
                return connection(body);
            case Record::watch:
                return watch(body, false);
            case Record::watch_extended:
                return version_ < 2 ? "it needs version 2 of the stream" : watch(body, true);
            case Record::transaction:
                return transaction(body);
            case Record::node:
                return node(body);
            // A domain's own quota: optional, and no domain of ours has one.
            case Record::domain:
                return nullptr;
            case Record::global_data:
            case Record::global_quota:
                return "it belongs to a live update, not to a saved domain";
        }
        return "no specification knows it";
    }
    StoreRecords take() { return std::move(out_); }

private:
    bool knows(std::uint32_t connection) const {
        return std::ranges::find(out_.connections, connection, &StoreConnection::id) != out_.connections.end();
    }

    Verdict connection(Body& body) {
        const auto fixed = body.take<store_format::Connection>();
        if (body.bad()) return kMisfit;
        if (fixed.id == 0 || knows(fixed.id)) return "its conn-id is 0 or taken";
        if (fixed.type != store_format::kSharedRing) return "a saved domain's connection is a shared ring";
        if (fixed.out_response_length > fixed.out_length) return "out-resp-len is larger than out-data-len";
        std::string in = body.text(fixed.in_length);
        std::string out = body.text(fixed.out_length);
        if (!body.whole()) return kMisfit;
        out_.connections.push_back({fixed.id, DomId{fixed.domid}, DomId{fixed.tdomid}, Port{fixed.evtchn},
                                    std::move(in), std::move(out), fixed.out_response_length});
        return nullptr;
    }

    Verdict watch(Body& body, bool extended) {
        const auto fixed = body.take<store_format::Watch>();
        const std::uint16_t depth = extended ? body.take<store_format::WatchDepth>().depth : StoreWatch::kAnyDepth;
        std::string path = body.path(fixed.path_length);
        std::string token = body.path(fixed.token_length);
        if (!body.whole()) return kMisfit;
        if (!knows(fixed.connection)) return "no CONNECTION_DATA before it has its conn-id";
        out_.watches.push_back({fixed.connection, std::move(path), std::move(token), depth});
        return nullptr;
    }

    Verdict transaction(Body& body) {
        const auto fixed = body.take<store_format::Transaction>();
        if (!body.whole()) return kMisfit;
        if (!knows(fixed.connection)) return "no CONNECTION_DATA before it has its conn-id";
        out_.transactions.push_back({fixed.connection, fixed.id});
        return nullptr;
    }

    Verdict node(Body& body) {
        const auto fixed = body.take<store_format::Node>();
        StoreNode n;
        for (unsigned i = 0; i < fixed.perm_count && !body.bad(); ++i) {
            const auto p = body.take<store_format::Perm>();
            const char access = static_cast<char>(p.access);
            if (!body.bad() && std::string_view("rwbn").find(access) == std::string_view::npos)
                return "a permission is none of r, w, b, n";
            n.perms.push_back({access, DomId{p.domid}, (p.flags & store_format::kStale) != 0});
        }
        n.path = body.path(fixed.path_length);
        n.value = body.text(fixed.value_length);
        if (!body.whole()) return kMisfit;
        if (!n.path.starts_with('/')) return "its path is not absolute";
        if (fixed.connection == 0) {
            if (n.perms.empty()) return "a node has an owner";
            out_.nodes.push_back(std::move(n));
            return nullptr;
        }
        n.connection = fixed.connection;
        n.transaction = fixed.transaction;
        n.access = fixed.access;
        const StoreTransaction own{n.connection, n.transaction};
        if (std::ranges::find(out_.transactions, own) == out_.transactions.end())
            return "no TRANSACTION_DATA before it has its conn-id and tx-id";
        out_.nodes.push_back(std::move(n));
        return nullptr;
    }

    std::uint32_t version_;
    StoreRecords out_;
};

std::unexpected<Error> bad(std::size_t offset, std::string_view record, std::string_view what) {
    return fail(Errno::badmsg, "store's stream, offset " + std::to_string(offset) + ", " + std::string(record) + ": " +
                                   std::string(what));
}

}  // namespace

Result<StoreRecords> decode(std::span<const std::byte> stream) {
    if (stream.size() < sizeof(store_format::StreamHeader)) return bad(0, "header", "the stream ends inside it");
    const auto header = read_as<store_format::StreamHeader>(stream);
    const std::uint32_t version = std::byteswap(header.version);
    if (std::byteswap(header.ident) != store_format::kIdent) return bad(0, "header", "it does not say 'xenstore'");
    if (version == 0 || version > store_format::kVersionMax) return bad(0, "header", "its version is neither 1 nor 2");
    if (header.flags != 0)
        return bad(0, "header", "a flag is set: the stream is not little endian, or newer than we know");

    Decoder decoder(version);
    for (std::size_t offset = sizeof header;;) {
        const std::size_t left = stream.size() - offset;
        if (left < sizeof(RecordHeader)) return bad(offset, "record header", "the stream ends before END");
        const auto record = read_as<RecordHeader>(stream.subspan(offset));
        const auto type = static_cast<Record>(record.type);
        if (padded(record.length) > left - sizeof record) return bad(offset, name(type), "the stream ends inside it");
        const Body body(stream.subspan(offset + sizeof record, record.length));
        if (Verdict wrong = decoder.record(type, body)) return bad(offset, name(type), wrong);
        offset += sizeof record + padded(record.length);
        if (type == Record::end)
            return offset == stream.size() ? Result<StoreRecords>(decoder.take())
                                           : bad(offset, "END", "bytes follow it");
    }
}

}  // namespace xenrig::image
