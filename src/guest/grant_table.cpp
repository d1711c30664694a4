#include "xenrig/guest/grant_table.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <mutex>

#include "grant_status.h"
#include "text.h"
#include "xenrig/abi/check.h"
#include "xenrig/shared/door.h"

extern "C" {
#include <xen/grant_table.h>
#include <xen/xen.h>
}

namespace xenrig::guest {

namespace {

constexpr std::uint32_t kEntriesPerFrame = kPageSize / sizeof(grant_entry_v1_t);
/// How far the first reference moves from one epoch to the next, and where it comes round.
constexpr std::uint64_t kEpochShift = 61, kEpochRound = 251;
/// Deferred entries looked at in one go.
constexpr std::size_t kRetryBatch = 10;
constexpr unsigned kRetryTimersMax = 8;
constexpr Nanoseconds kFirstRetry = 10_ms;
/// The hypervisor changes the flags of an entry while the peer maps and unmaps; who always does may wait.
constexpr int kRevokeAttempts = 4;

constexpr std::size_t flags_at(GrantRef ref) { return ref.value % kEntriesPerFrame * sizeof(grant_entry_v1_t); }

}  // namespace

GrantTable::GrantTable(DomainLink& link, GuestMemory& memory, Discovery& discovery, GfnPool& unpopulated,
                       GuestClock& clock)
    : link_(link), memory_(memory), discovery_(discovery), unpopulated_(unpopulated), clock_(clock) {}

GrantTable::~GrantTable() {
    if (retry_armed_) clock_.cancel(retry_timer_);
}

Result<> GrantTable::start() {
    gnttab_query_size_t size{};
    size.dom = DOMID_SELF;
    const std::int64_t answer = link_.call(__HYPERVISOR_grant_table_op, GNTTABOP_query_size, &size, 1u);
    if (answer < 0) return std::unexpected(hypercall_error(answer, "GNTTABOP_query_size"));
    if (size.status != GNTST_okay) return std::unexpected(gntst_error(size.status, "GNTTABOP_query_size"));
    frames_max_ = size.max_nr_frames;
    frames_now_ = 0;
    free_.clear();
    if (auto grown = grow(); !grown) return grown;

    const std::uint64_t shift = (link_.epoch() - 1) * kEpochShift % kEpochRound;
    std::rotate(free_.begin(), free_.begin() + static_cast<std::ptrdiff_t>(shift), free_.end());
    return {};
}

Result<> GrantTable::grow() {
    if (frames_now_ == frames_max_)
        return fail(Errno::nospc, "the grant table is full, and may not grow beyond " + dec(frames_max_) + " frames");
    const auto gfn = discovery_.grant_frame(static_cast<unsigned>(frames_now_));
    if (!gfn) return std::unexpected(gfn.error());
    auto window = memory_.kernel_window(*gfn, "grant frame " + dec(frames_now_));
    if (!window) return std::unexpected(window.error());
    if (frames_.size() == frames_now_) frames_.emplace_back();
    frames_[frames_now_] = std::move(*window);

    const auto first = static_cast<std::uint32_t>(frames_now_ * kEntriesPerFrame);
    const std::uint32_t reserved = frames_now_ == 0 ? GNTTAB_NR_RESERVED_ENTRIES : 0;
    for (std::uint32_t i = reserved; i < kEntriesPerFrame; ++i) free_.push_back(GrantRef{first + i});
    ++frames_now_;
    return {};
}

void GrantTable::grant_store(DomId store, Gfn page) {
    const std::lock_guard held(lock_);
    const GrantRef ref{GNTTAB_RESERVED_XENSTORE};
    const auto flags = shared::load<std::uint16_t>(frames_[0], flags_at(ref), shared::Fetch::poll);
    if ((flags & GTF_type_mask) == GTF_invalid) write_entry(ref, store, page, GTF_permit_access);
}

void GrantTable::end_epoch(shared::LeaseEnd why) {
    for (auto& [handle, mapped] : mapped_) {
        if (mapped.lease->end == shared::LeaseEnd::none) mapped.lease->end = why;
        unpopulated_.give(mapped.gfn);
    }
    mapped_.clear();
    for (Deferred& waiting : deferred_) ended_.push_back(std::move(waiting.frame));
    deferred_.clear();
    free_.clear();
    granted_ = 0;
    frames_now_ = frames_max_ = 0;
}

void GrantTable::bury() {
    std::vector<FramePtr> ended;
    const std::lock_guard held(lock_);
    ended.swap(ended_);
}

// --- Granting --------------------------------------------------------------------------------------------------------

Result<Grant> GrantTable::grant(DomId peer, Gfn frame, Access access) {
    std::vector<FramePtr> let_go;
    const std::lock_guard held(lock_);
    if (!link_.alive()) return fail(Errno::srch, "the domain is dead");
    const std::uint64_t epoch = link_.epoch();
    let_go = retry_deferred();
    const auto ref = take_ref();
    if (!ref) return std::unexpected(ref.error());
    const unsigned flags = GTF_permit_access | (access == Access::read_only ? GTF_readonly : 0u);
    write_entry(*ref, peer, frame, static_cast<std::uint16_t>(flags));
    ++granted_;
    return Grant(*this, *ref, epoch);
}

Result<GrantRef> GrantTable::take_ref() {
    if (free_.empty()) {
        if (auto grown = grow(); !grown) return fail(Errno::nospc, grown.error().to_string());
    }
    const GrantRef ref = free_.front();
    free_.pop_front();
    return ref;
}

void GrantTable::write_entry(GrantRef ref, DomId peer, Gfn frame, std::uint16_t flags) {
    const shared::Window& table = frames_[ref.value / kEntriesPerFrame];
    const std::uint64_t name = discovery_.frame_name(frame);
    check(name <= 0xffffffff, "a version 1 entry names a frame by 32 bits");
    shared::store<std::uint32_t>(table, flags_at(ref) + offsetof(grant_entry_v1_t, frame),
                                 static_cast<std::uint32_t>(name));
    shared::store<std::uint16_t>(table, flags_at(ref) + offsetof(grant_entry_v1_t, domid), peer.value);
    shared::wmb();
    shared::store<std::uint16_t>(table, flags_at(ref), flags);
}

bool GrantTable::revoke(GrantRef ref) {
    const shared::Window& table = frames_[ref.value / kEntriesPerFrame];
    auto flags = shared::load<std::uint16_t>(table, flags_at(ref), shared::Fetch::poll);
    for (int i = 0; i < kRevokeAttempts; ++i) {
        if ((flags & (GTF_reading | GTF_writing)) != 0) return false;
        const auto found = shared::compare_exchange<std::uint16_t>(table, flags_at(ref), flags, 0);
        if (found == flags) return true;
        flags = found;
    }
    return false;
}

void GrantTable::end_grant(GrantRef ref, std::uint64_t epoch, FramePtr frame) {
    std::vector<FramePtr> let_go;
    const std::lock_guard held(lock_);
    if (!link_.current(epoch)) {
        let_go.push_back(std::move(frame));
        return;
    }
    let_go = retry_deferred();
    if (revoke(ref)) {
        free_.push_back(ref);
        --granted_;
        let_go.push_back(std::move(frame));
    } else {
        deferred_.push_back({ref, std::move(frame)});
        retries_ = 0;
        arm_retry();
    }
}

std::vector<FramePtr> GrantTable::retry_deferred() {
    std::vector<FramePtr> let_go;
    for (std::size_t n = std::min(kRetryBatch, deferred_.size()); n != 0; --n) {
        Deferred waiting = std::move(deferred_.front());
        deferred_.pop_front();
        if (revoke(waiting.ref)) {
            free_.push_back(waiting.ref);
            --granted_;
            let_go.push_back(std::move(waiting.frame));
        } else {
            deferred_.push_back(std::move(waiting));
        }
    }
    return let_go;
}

void GrantTable::arm_retry() {
    if (retry_armed_ || deferred_.empty() || retries_ == kRetryTimersMax) return;
    retry_armed_ = true;
    const Nanoseconds delay{kFirstRetry.value << retries_++};
    retry_timer_ = clock_.at(clock_.now() + delay, [this] {
        std::vector<FramePtr> let_go;
        const std::lock_guard held(lock_);
        retry_armed_ = false;
        if (!link_.alive()) return;
        const std::size_t before = deferred_.size();
        let_go = retry_deferred();
        // Who has begun to let go will let go of the rest.
        if (deferred_.size() < before) retries_ = 0;
        arm_retry();
    });
}

std::size_t GrantTable::grants_in_use() const {
    const std::lock_guard held(lock_);
    return granted_;
}

std::size_t GrantTable::deferred() const {
    const std::lock_guard held(lock_);
    return deferred_.size();
}

std::size_t GrantTable::mappings_in_use() const {
    const std::lock_guard held(lock_);
    return mapped_.size();
}

}  // namespace xenrig::guest
