#include "sample.h"

#include <algorithm>
#include <cstring>

#include "sim/image/checksum.h"
#include "sim/image/hvm_context.h"
#include "sim/image/reader.h"

namespace xenrig::image::sample {

Bytes page_of(std::size_t seed) {
    Bytes page(kPageSize);
    for (std::size_t i = 0; i < page.size(); ++i)
        page[i] = static_cast<std::byte>((i * 7 + seed * 31 + i / 256) & 0xff);
    return page;
}

Bytes text(const char* s) {
    const auto bytes = std::as_bytes(std::span(s, std::strlen(s)));
    return {bytes.begin(), bytes.end()};
}

StoreRecords store() {
    StoreRecords s;
    s.connections.push_back({1, DomId{7}, DomId{0x7ff4}, Port{3}, "half a req", "rest and more", 4});
    s.watches.push_back({1, "device/vbd/0/state", "token-1"});
    s.transactions.push_back({1, 12});
    s.nodes.push_back({"/local/domain/7", "", {{'n', DomId{7}}, {'r', DomId{0}}}});
    s.nodes.push_back({"/local/domain/7/name", "web", {{'n', DomId{0}}, {'r', DomId{7}, true}}});
    s.nodes.push_back({"/local/domain/7/data", std::string("a\0b", 3), {{'n', DomId{7}}}, 1, 12, 3});
    return s;
}

namespace {

void write_hvm_around(Writer& w, std::span<const Page> batch, std::span<const Page> again) {
    w.begin({});
    w.pages(batch);
    w.pages(again);
    const HvmParam params[] = {{1, 0xfeffc}, {2, 3}};
    w.hvm_params(params);
    w.machine_state(MachineState::hvm_context, minimal_hvm_context(0x306a9, 2'400'000));
    w.xenstore_records(store());
    w.guest_context(text("guest-0017"));
    w.end();
}

void write_pv_around(Writer& w, std::span<const Page> batch) {
    const Bytes shared = page_of(4), tsc(24), leaf(48), msr(32);
    w.begin({GuestType::pv, 4, 17, 12});
    w.pv_info({8, 4});
    w.machine_state(MachineState::cpuid_policy, leaf);
    w.machine_state(MachineState::msr_policy, msr);
    const Gfn frames[] = {Gfn{100}, Gfn{101}};
    w.p2m_frames(0, 600, frames);
    w.pages(batch);
    w.machine_state(MachineState::tsc_info, tsc);
    w.machine_state(MachineState::shared_info, shared);
    for (const std::uint32_t vcpu : {0u, 1u}) {
        w.machine_state(MachineState::vcpu_basic, text("registers"), VcpuId{vcpu});
        w.machine_state(MachineState::vcpu_extended, text("callbacks and more"), VcpuId{vcpu});
        w.machine_state(MachineState::vcpu_xsave, text("ymm"), VcpuId{vcpu});
        w.machine_state(MachineState::vcpu_msrs, text("msrs...."), VcpuId{vcpu});
    }
    w.xenstore_records(store());
    w.guest_context(text("guest-0018"));
    w.end();
}

}  // namespace

void write_hvm(Writer& w) {
    const Bytes a = page_of(1), zero(kPageSize), c = page_of(3);
    const Page batch[] = {{Gfn{0}, a.data()}, {Gfn{1}, nullptr, PageType::allocate_only}, {Gfn{0xfeffc}, zero.data()}};
    const Page again[] = {{Gfn{0}, c.data()}, {Gfn{9}, nullptr, PageType::invalid}};
    write_hvm_around(w, batch, again);
}

void write_small_hvm(Writer& w) {
    const Bytes a = page_of(1);
    const Page batch[] = {{Gfn{0}, a.data()}, {Gfn{1}, nullptr, PageType::allocate_only}};
    const Page again[] = {{Gfn{9}, nullptr, PageType::invalid}};
    write_hvm_around(w, batch, again);
}

void write_pv(Writer& w) {
    const Bytes a = page_of(1), table = page_of(2);
    const Page batch[] = {{Gfn{5}, a.data()}, {Gfn{6}, table.data(), PageType::l4_pinned}};
    write_pv_around(w, batch);
}

void write_small_pv(Writer& w) {
    const Page batch[] = {{Gfn{5}, nullptr, PageType::broken}};
    write_pv_around(w, batch);
}

Bytes image(const std::function<void(Writer&)>& write) {
    Bytes out;
    Writer w([&out](std::span<const std::byte> bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); });
    write(w);
    return out;
}

std::vector<Bytes> cut(std::span<const std::byte> image) {
    std::vector<Bytes> out;
    const auto piece = [&](std::size_t length) {
        out.emplace_back(image.begin(), image.begin() + static_cast<std::ptrdiff_t>(length));
        image = image.subspan(length);
    };
    piece(sizeof(LibxlHeader));
    for (bool libxc = false; !image.empty();) {
        const auto header = read_as<RecordHeader>(image);
        const bool context = !libxc && header.type == 1;
        piece(sizeof header + padded(header.length) + (context ? sizeof(ImageHeader) + sizeof(DomainHeader) : 0));
        libxc = context || (libxc && header.type != 0);
    }
    return out;
}

Bytes join(const std::vector<Bytes>& pieces) {
    Bytes out;
    for (const Bytes& p : pieces) out.insert(out.end(), p.begin(), p.end());
    return out;
}

Bytes record(std::uint32_t type, std::size_t length) {
    Bytes out(sizeof(RecordHeader) + padded(length));
    const RecordHeader header{type, static_cast<std::uint32_t>(length)};
    std::memcpy(out.data(), &header, sizeof header);
    return out;
}

Bytes join_sealed(const std::vector<Bytes>& pieces) {
    constexpr std::size_t kIdentAt = sizeof(RecordHeader) + sizeof(EmulatorHeader);
    Bytes out;
    for (const Bytes& p : pieces) {
        out.insert(out.end(), p.begin(), p.end());
        if (p.size() < kIdentAt + sizeof(GuestHeader)) continue;
        if (read_as<std::uint64_t>(std::span(p).subspan(kIdentAt)) != kGuestIdent) continue;
        const std::size_t at = out.size() - sizeof(std::uint64_t);
        Checksum sum;
        sum.add(std::span(out).first(at));
        const std::uint64_t value = sum.value();
        std::memcpy(out.data() + at, &value, sizeof value);
    }
    return out;
}

Result<> Kept::on_begin(const ImageInfo& i) {
    ++calls;
    info = i;
    return {};
}
Result<> Kept::on_pv_info(PvInfo i) {
    ++calls;
    pv_info.push_back(i);
    return {};
}
Result<> Kept::on_static_data_end() {
    ++calls;
    static_data_ended = true;
    return {};
}
Result<> Kept::on_p2m_frames(std::uint32_t first, std::uint32_t last, std::span<const Gfn> frames) {
    ++calls;
    p2m = {first, last};
    for (const Gfn f : frames) p2m.push_back(f.value);
    return {};
}
Result<> Kept::on_pages(std::span<const Page> batch) {
    ++calls;
    for (const Page& p : batch)
        pages[p.gfn] = {p.type, p.data == nullptr ? Bytes{} : Bytes(p.data, p.data + kPageSize)};
    return {};
}
Result<> Kept::on_hvm_params(std::span<const HvmParam> list) {
    ++calls;
    params.assign(list.begin(), list.end());
    return {};
}
Result<> Kept::on_machine_state(MachineState kind, VcpuId vcpu, std::span<const std::byte> state) {
    ++calls;
    states[{kind, vcpu}] = Bytes(state.begin(), state.end());
    return {};
}
Result<> Kept::on_xenstore_records(const StoreRecords& records) {
    ++calls;
    store = records;
    return {};
}
Result<> Kept::on_guest_context(std::span<const std::byte> bytes) {
    ++calls;
    guest.assign(bytes.begin(), bytes.end());
    return {};
}
Result<> Kept::on_end() {
    ++calls;
    ended = true;
    return {};
}

bool Kept::same_content(const Kept& o) const {
    return info == o.info && pv_info == o.pv_info && p2m == o.p2m && pages == o.pages && params == o.params &&
           states == o.states && store == o.store && guest == o.guest && static_data_ended == o.static_data_ended &&
           ended == o.ended;
}

Result<> read(std::span<const std::byte> image, Visitor& visitor, std::size_t piece) {
    Reader reader(visitor);
    while (!image.empty()) {
        const std::size_t n = std::min(piece, image.size());
        if (auto fed = reader.feed(image.first(n)); !fed) return fed;
        image = image.subspan(n);
    }
    return reader.finish();
}

}  // namespace xenrig::image::sample
