#include <algorithm>
#include <bit>
#include <limits>
#include <string_view>

#include "sim/image/format.h"
#include "sim/image/store_format.h"
#include "sim/image/store_records.h"
#include "xenrig/abi/check.h"

namespace xenrig::image {

namespace {

using store_format::Record;

class Encoder {
public:
    explicit Encoder(std::uint32_t version) {
        put(store_format::StreamHeader{std::byteswap(store_format::kIdent), std::byteswap(version), 0});
    }

    void begin(Record type) {
        record_ = out_.size();
        put(RecordHeader{static_cast<std::uint32_t>(type), 0});
    }
    template <class T>
    void put(const T& part) {
        put_bytes(bytes_of(part));
    }
    void put_text(std::string_view text) { put_bytes(std::as_bytes(std::span(text))); }
    void put_path(std::string_view text) {
        put_text(text);
        out_.push_back(std::byte{0});
    }
    void finish() {
        const auto length = static_cast<std::uint32_t>(out_.size() - record_ - sizeof(RecordHeader));
        std::ranges::copy(bytes_of(length), out_.begin() + static_cast<std::ptrdiff_t>(record_ + sizeof length));
        out_.resize(padded(out_.size()));
    }
    std::vector<std::byte> take() { return std::move(out_); }

private:
    void put_bytes(std::span<const std::byte> bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }

    std::vector<std::byte> out_;
    std::size_t record_ = 0;
};

std::uint16_t length16(std::size_t length) {
    check(length <= std::numeric_limits<std::uint16_t>::max(),
          "the store's own limits keep every length within 16 bits");
    return static_cast<std::uint16_t>(length);
}

void encode_connection(Encoder& out, const StoreConnection& c) {
    check(c.id != 0, "a connection's id is not 0");
    check(c.out_response <= c.out.size(), "the rest of a response is part of what waits to be written");
    out.begin(Record::connection);
    out.put(store_format::Connection{c.id, store_format::kSharedRing, 0, c.domain.value, c.target.value, c.port.value,
                                     length16(c.in.size()), c.out_response, static_cast<std::uint32_t>(c.out.size())});
    out.put_text(c.in);
    out.put_text(c.out);
    out.finish();
}

void encode_watch(Encoder& out, const StoreWatch& w) {
    const bool extended = w.depth != StoreWatch::kAnyDepth;
    out.begin(extended ? Record::watch_extended : Record::watch);
    out.put(store_format::Watch{w.connection, length16(w.path.size() + 1), length16(w.token.size() + 1)});
    if (extended) out.put(store_format::WatchDepth{w.depth, 0});
    out.put_path(w.path);
    out.put_path(w.token);
    out.finish();
}

void encode_node(Encoder& out, const StoreNode& n) {
    out.begin(Record::node);
    out.put(store_format::Node{n.connection, n.transaction, length16(n.path.size() + 1), length16(n.value.size()),
                               n.access, length16(n.perms.size())});
    for (const StorePerm& p : n.perms)
        out.put(store_format::Perm{static_cast<std::uint8_t>(p.access),
                                   p.stale ? store_format::kStale : std::uint8_t{0}, p.domain.value});
    out.put_path(n.path);
    out.put_text(n.value);
    out.finish();
}

}  // namespace

std::vector<std::byte> encode(const StoreRecords& records) {
    const bool depths =
        std::ranges::any_of(records.watches, [](const StoreWatch& w) { return w.depth != StoreWatch::kAnyDepth; });
    Encoder out(depths ? 2 : 1);
    for (const StoreConnection& c : records.connections) encode_connection(out, c);
    for (const StoreWatch& w : records.watches) encode_watch(out, w);
    for (const StoreTransaction& t : records.transactions) {
        out.begin(Record::transaction);
        out.put(store_format::Transaction{t.connection, t.id});
        out.finish();
    }
    for (const StoreNode& n : records.nodes) encode_node(out, n);
    out.begin(Record::end);
    out.finish();
    return out.take();
}

}  // namespace xenrig::image
