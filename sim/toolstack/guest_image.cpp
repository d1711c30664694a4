#include "sim/toolstack/guest_image.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <string>
#include <utility>

#include "sim/image/checksum.h"
#include "sim/image/hvm_context.h"
#include "sim/image/reader.h"
#include "sim/image/store_records.h"
#include "sim/image/visitor.h"
#include "sim/toolstack/pv_source.h"
#include "sim/xenstore/state_image.h"
#include "xenrig/platform/scheduler.h"
#include "xenrig/shared/raw.h"

extern "C" {
// xen.h first: the others lean on its types.
#include <xen/xen.h>

#include <xen/hvm/params.h>
}

namespace xenrig::toolstack {

namespace {

using Frame = std::array<std::byte, kPageSize>;

/// Frames copied before others may run.
constexpr std::size_t kBatch = 8;

/// Numbers of frames; a port is the new host's to give.
constexpr unsigned kParams[] = {HVM_PARAM_STORE_PFN, HVM_PARAM_CONSOLE_PFN};

/// CPUID leaf 1 of a Skylake server, which no simulated guest asks for.
constexpr std::uint32_t kCpuid = 0x50654;
constexpr std::uint32_t kTscKhz = 1'000'000;

bool read_frame(Host& host, DomId domain, Gfn gfn, Frame& into) {
    const auto mfn = host.xen().lookup(domain, gfn);
    if (mfn) shared::raw::copy_from_page(host.xen().memory().page(*mfn), into.data(), kPageSize);
    return mfn.has_value();
}

bool is_zero(const Frame& frame) {
    return std::all_of(frame.begin(), frame.end(), [](std::byte b) { return b == std::byte{0}; });
}

std::uint64_t sum_of(const Frame& frame) {
    image::Checksum sum;
    sum.add(frame);
    return sum.value();
}

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

/// The domain's quotas are left out: they are the host's affair.
image::StoreRecords records_of(const xenstore::StateImage& store) {
    image::StoreRecords records;
    for (const auto& c : store.connections)
        records.connections.push_back(
            {c.id, DomId{c.domain}, DomId{c.target}, Port{c.port}, c.unprocessed, c.unwritten, 0});
    for (const auto& w : store.watches)
        records.watches.push_back({w.connection, w.path, w.token,
                                   w.depth < 0 ? image::StoreWatch::kAnyDepth : static_cast<std::uint16_t>(w.depth)});
    for (const auto& n : store.nodes) {
        image::StoreNode node{.path = n.path, .value = n.value};
        for (const auto& p : n.perms)
            node.perms.push_back({"nrwb" [p.access & 3], DomId { static_cast<std::uint16_t>(p.domain) }, p.ignored});
        records.nodes.push_back(std::move(node));
    }
    return records;
}

class Restorer final : public image::Visitor {
public:
    Restorer(Host& host, DomId domain, std::string_view guest) : host_(host), domain_(domain), guest_(guest) {}

    Result<> on_begin(const image::ImageInfo& info) override {
        if (info.type != image::GuestType::hvm) return fail(Errno::opnotsupp, "the image is of a PV guest");
        return {};
    }
    Result<> on_pages(std::span<const image::Page> batch) override {
        for (const image::Page& page : batch) {
            const auto mfn = host_.xen().lookup(domain_, page.gfn);
            if (!mfn) return fail(Errno::badmsg, "the domain has no frame at gfn " + std::to_string(page.gfn.value));
            if (page.data != nullptr) shared::raw::copy_to_page(host_.xen().memory().page(*mfn), page.data, kPageSize);
        }
        return {};
    }
    Result<> on_hvm_params(std::span<const image::HvmParam> params) override {
        for (const image::HvmParam& p : params)
            if (auto set = host_.xen().set_param(domain_, static_cast<unsigned>(p.index), p.value); !set) return set;
        return {};
    }
    Result<> on_guest_context(std::span<const std::byte> context) override {
        if (std::ranges::equal(context, bytes_of(guest_))) return {};
        return fail(Errno::badmsg, "the image is not of guest '" + std::string(guest_) + "'");
    }

private:
    Host& host_;
    DomId domain_;
    std::string_view guest_;
};

}  // namespace

GuestSaver::GuestSaver(Host& host, DomId domain, image::Writer::Sink sink)
    : host_(host), domain_(domain), writer_(std::move(sink)) {
    const auto info = host.xen().info(domain);
    if (info && info->type == hypervisor::GuestType::pv) pv_ = std::make_unique<PvSource>(host, domain);
}

GuestSaver::~GuestSaver() = default;

bool GuestSaver::may_begin() const { return !pv_ || pv_->ready(); }

Result<> GuestSaver::begin() {
    if (std::exchange(begun_, true)) return {};
    if (!pv_) {
        writer_.begin({.type = image::GuestType::hvm});
        return {};
    }
    if (auto mapped = pv_->map_list(); !mapped) return mapped;
    writer_.begin({.type = image::GuestType::pv});
    writer_.pv_info({.guest_width = 8, .pt_levels = 4});
    writer_.p2m_frames(0, static_cast<std::uint32_t>(pv_->last().value), pv_->list());
    return {};
}

/// Of a PV guest: what the copies are, and page tables as an image has them.
Result<> GuestSaver::translate(std::span<const Mfn> frames, std::span<image::Page> batch, std::span<Frame> copies) {
    const auto types = pv_->types(frames);
    if (!types) return std::unexpected(types.error());
    for (std::size_t i = 0; i < batch.size(); ++i) {
        image::Page& p = batch[i];
        if (p.data == nullptr && (*types)[i] == image::PageType::normal) continue;
        p.type = (*types)[i];
        if (!image::has_data(p.type)) {
            p.data = nullptr;
            continue;
        }
        // An empty table is one.
        p.data = copies[i].data();
        const auto done = pv_->normalise(copies[i], p.type);
        if (done) continue;
        if (done.error().code != Errno::again) return done;
        deferred_.push_back(p.gfn);
        p.type = image::PageType::invalid;
        p.data = nullptr;
    }
    return {};
}

std::vector<Gfn> GuestSaver::take_deferred() { return std::exchange(deferred_, {}); }

Result<> GuestSaver::copy(std::span<const Gfn> frames) {
    if (auto begun = begin(); !begun) return begun;
    std::vector<Frame> copies(std::min(frames.size(), kBatch));
    std::vector<image::Page> batch;
    std::vector<Mfn> mfns;
    while (!frames.empty()) {
        const std::size_t n = std::min(frames.size(), kBatch);
        batch.clear();
        mfns.clear();
        for (const Gfn gfn : frames.first(n)) {
            Frame& copy = copies[batch.size()];
            if (!read_frame(host_, domain_, gfn, copy)) continue;
            // A new domain's frames are zero, so a page that always was needs no bytes.
            const bool fresh = !sums_.contains(gfn) && is_zero(copy);
            sums_[gfn] = sum_of(copy);
            batch.push_back(
                {gfn, fresh ? nullptr : copy.data(), fresh ? image::PageType::allocate_only : image::PageType::normal});
            if (pv_) mfns.push_back(host_.xen().lookup(domain_, gfn).value_or(Mfn{}));
        }
        if (pv_ && !batch.empty())
            if (auto done = translate(mfns, batch, copies); !done) return done;
        if (!batch.empty()) writer_.pages(batch);
        frames = frames.subspan(n);
        if (!frames.empty()) scheduler->yield();
    }
    return {};
}

std::vector<Gfn> GuestSaver::changed() const {
    std::vector<Gfn> found;
    Frame now;
    for (const Gfn gfn : host_.xen().ram(domain_)) {
        const auto copied = sums_.find(gfn);
        if (copied == sums_.end() || !read_frame(host_, domain_, gfn, now) || sum_of(now) != copied->second)
            found.push_back(gfn);
    }
    return found;
}

void GuestSaver::finish_hvm() {
    std::vector<image::HvmParam> params;
    for (const unsigned index : kParams)
        if (const auto value = host_.xen().get_param(domain_, index); value && *value != 0)
            params.push_back({index, *value});
    writer_.hvm_params(params);
    writer_.machine_state(image::MachineState::hvm_context, image::minimal_hvm_context(kCpuid, kTscKhz));
}

Result<> GuestSaver::finish_pv() {
    writer_.machine_state(image::MachineState::shared_info, pv_->shared_info());
    const auto info = host_.xen().info(domain_);
    if (!info) return std::unexpected(info.error());
    for (std::uint32_t v = 0; v < info->vcpus; ++v) {
        const auto state = pv_->vcpu(VcpuId{v});
        if (!state) return std::unexpected(state.error());
        if (*state) writer_.machine_state(image::MachineState::vcpu_basic, **state, VcpuId{v});
    }
    return {};
}

Result<> GuestSaver::finish(std::string_view guest) {
    if (auto begun = begin(); !begun) return begun;
    if (!pv_)
        finish_hvm();
    else if (auto done = finish_pv(); !done)
        return done;

    xenstore::StateImage store;
    {
        const std::lock_guard held(host_.store().lock());
        store = host_.store().daemon().image(domain_);
    }
    writer_.xenstore_records(records_of(store));
    writer_.guest_context(bytes_of(guest));
    writer_.end();
    return {};
}

Result<> restore_guest(Host& host, DomId domain, std::span<const std::byte> saved, std::string_view guest) {
    Restorer restorer(host, domain, guest);
    image::Reader reader(restorer);
    if (auto fed = reader.feed(saved); !fed) return fed;
    return reader.finish();
}

}  // namespace xenrig::toolstack
