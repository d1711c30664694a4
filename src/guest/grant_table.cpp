#include "xenrig/guest/grant_table.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <mutex>
#include <optional>

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

Error gntst_error(std::int16_t status, const std::string& what) {
    return Error{Errno::inval, what + " failed with " + gntst_name(status) + " (" + dec(status) + ")"};
}

}  // namespace

std::string gntst_name(std::int16_t status) {
    static constexpr std::array kNames{"GNTST_okay",         "GNTST_general_error",   "GNTST_bad_domain",
                                       "GNTST_bad_gntref",   "GNTST_bad_handle",      "GNTST_bad_virt_addr",
                                       "GNTST_bad_dev_addr", "GNTST_no_device_space", "GNTST_permission_denied",
                                       "GNTST_bad_page",     "GNTST_bad_copy_arg",    "GNTST_address_too_big",
                                       "GNTST_eagain",       "GNTST_no_space"};
    const auto index = static_cast<std::size_t>(-status);
    return status <= 0 && index < kNames.size() ? kNames[index] : "an unknown status";
}

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
    check(frame.value <= 0xffffffff, "a version 1 entry names a frame by 32 bits");
    shared::store<std::uint32_t>(table, flags_at(ref) + offsetof(grant_entry_v1_t, frame),
                                 static_cast<std::uint32_t>(frame.value));
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
        let_go = retry_deferred();
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

// --- Mapping and copying ---------------------------------------------------------------------------------------------

Result<Mapping> GrantTable::map(DomId owner, std::span<const GrantRef> refs, Access access) {
    check(!refs.empty() && refs.size() <= shared::kWindowPagesMax, "a mapping has 1 to 16 pages");
    std::array<gnttab_map_grant_ref_t, shared::kWindowPagesMax> ops{};
    const std::lock_guard held(lock_);
    if (!link_.alive()) return fail(Errno::srch, "the domain is dead");
    const std::uint64_t epoch = link_.epoch();
    std::vector<Gfn> gfns;
    const auto give_back = [&] {
        for (const Gfn gfn : gfns) unpopulated_.give(gfn);
    };
    for (std::size_t i = 0; i < refs.size(); ++i) {
        const auto gfn = unpopulated_.take();
        if (!gfn) {
            give_back();
            return std::unexpected(gfn.error());
        }
        gfns.push_back(*gfn);
        ops[i].host_addr = gfn->value * kPageSize;
        ops[i].flags = GNTMAP_host_map | (access == Access::read_only ? GNTMAP_readonly : 0u);
        ops[i].ref = refs[i].value;
        ops[i].dom = owner.value;
        ops[i].status = GNTST_general_error;
    }
    const std::int64_t answer =
        link_.call(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, ops.data(), refs.size());
    if (answer < 0) {
        give_back();
        return std::unexpected(hypercall_error(answer, "GNTTABOP_map_grant_ref"));
    }

    std::vector<GrantHandle> handles;
    std::vector<Gfn> mapped_at;
    std::optional<Error> error;
    for (std::size_t i = 0; i < refs.size(); ++i) {
        if (ops[i].status == GNTST_okay) {
            handles.push_back(GrantHandle{ops[i].handle});
            mapped_at.push_back(gfns[i]);
        } else {
            unpopulated_.give(gfns[i]);
            if (!error)
                error = gntst_error(ops[i].status, "mapping grant " + dec(refs[i].value) + " of d" + dec(owner.value));
        }
    }
    if (error) {
        undo(handles, mapped_at);
        return std::unexpected(*error);
    }

    std::string name = "d" + dec(owner.value) + " gref " + dec(refs[0].value);
    if (refs.size() > 1) name += " and " + dec(refs.size() - 1) + " more";
    const auto lease = link_.make_lease(std::move(name), access == Access::read_write);
    shared::Window window(link_.page(gfns[0]), lease);
    for (std::size_t i = 1; i < gfns.size(); ++i) window.append(link_.page(gfns[i]));
    for (std::size_t i = 0; i < gfns.size(); ++i) mapped_[handles[i]] = Mapped{gfns[i], lease};
    return Mapping(*this, std::move(handles), std::move(window), epoch);
}

void GrantTable::undo(std::span<const GrantHandle> handles, std::span<const Gfn> gfns) {
    std::array<gnttab_unmap_grant_ref_t, shared::kWindowPagesMax> ops{};
    if (handles.empty()) return;
    for (std::size_t i = 0; i < handles.size(); ++i) {
        ops[i].host_addr = gfns[i].value * kPageSize;
        ops[i].handle = handles[i].value;
        ops[i].status = GNTST_general_error;
    }
    const std::int64_t answer =
        link_.call(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, ops.data(), handles.size());
    // Where the unmap failed the peer's page is still there: nothing else may be put at that gfn.
    for (std::size_t i = 0; i < handles.size(); ++i)
        if (answer == 0 && ops[i].status == GNTST_okay) unpopulated_.give(gfns[i]);
}

void GrantTable::unmap(std::span<const GrantHandle> handles, const shared::Window& window, std::uint64_t epoch) {
    const std::lock_guard held(lock_);
    if (!link_.current(epoch)) return;
    // The right ends before the mapping does: a late look is reported, not a fault.
    window.lease_ptr()->end = shared::LeaseEnd::unmapped;
    std::vector<Gfn> gfns;
    for (const GrantHandle handle : handles) {
        const auto found = mapped_.find(handle);
        check(found != mapped_.end(), "a mapping ends once");
        gfns.push_back(found->second.gfn);
        mapped_.erase(found);
    }
    undo(handles, gfns);
}

Result<> GrantTable::copy(std::span<GrantCopy> copies) {
    std::vector<gnttab_copy_t> ops(copies.size());
    const auto fill = [](gnttab_copy::gnttab_copy_ptr& to, const CopyEnd& end) {
        to.domid = end.domain.value;
        to.offset = end.offset;
        if (end.domain.value == DOMID_SELF)
            to.u.gmfn = end.gfn.value;
        else
            to.u.ref = end.ref.value;
    };
    for (std::size_t i = 0; i < copies.size(); ++i) {
        fill(ops[i].source, copies[i].source);
        fill(ops[i].dest, copies[i].dest);
        ops[i].len = copies[i].length;
        ops[i].flags =
            static_cast<std::uint16_t>((copies[i].source.domain.value != DOMID_SELF ? GNTCOPY_source_gref : 0) |
                                       (copies[i].dest.domain.value != DOMID_SELF ? GNTCOPY_dest_gref : 0));
        ops[i].status = GNTST_general_error;
    }
    const std::int64_t answer = link_.call(__HYPERVISOR_grant_table_op, GNTTABOP_copy, ops.data(), ops.size());
    if (answer < 0) return std::unexpected(hypercall_error(answer, "GNTTABOP_copy"));
    for (std::size_t i = 0; i < copies.size(); ++i) copies[i].status = ops[i].status;
    return {};
}

}  // namespace xenrig::guest
