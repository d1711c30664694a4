// Hypercalls on grants, the entries of the table in either version, and any hypercall by its number.
#include <cstring>

#include "sim/hypercalls/operations.h"
#include "sim/hypercalls/word_structs.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypercalls {

namespace {

constexpr std::size_t kEntriesV1 = kPageSize / sizeof(grant_entry_v1_t);
constexpr std::size_t kEntriesV2 = kPageSize / sizeof(grant_entry_v2_t);

}  // namespace

std::uint64_t Operations::frame_named(std::int64_t page) const {
    return is_index(page) ? kernel_.frame_of(kernel_.page_address(page)) : static_cast<std::uint64_t>(page);
}

void Operations::map(const Arguments& a, Answered& out) {
    const bool window = is_index(a[0]);
    gnttab_map_grant_ref_t op{};
    op.host_addr = window             ? kernel_.window_address(a[0])
                   : kernel_.narrow() ? u32(a[0])
                                      : static_cast<std::uint64_t>(a[0]);
    op.flags = u32(a[1]);
    op.ref = u32(a[2]);
    op.dom = u16(a[3]);
    op.handle = ~0u;
    const std::int64_t rc = kernel_.call_on(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, op, 1);
    const std::int64_t status = rc != 0 ? static_cast<std::int16_t>(rc * 1000) : op.status;
    out.number = op.handle;
    out.well = status == GNTST_okay;
    out.say("st", status);
    if (!out.well) return;
    out.say("handle", out.number);
    if (window)
        windows_[static_cast<std::size_t>(a[0])] = (a[1] & GNTMAP_readonly) != 0 ? Window::read_only : Window::writable;
}

void Operations::unmap(const Arguments& a, Answered& out) {
    const bool window = is_index(a[0]);
    gnttab_unmap_grant_ref_t op{};
    op.host_addr = window             ? kernel_.window_address(a[0])
                   : kernel_.narrow() ? u32(a[0])
                                      : static_cast<std::uint64_t>(a[0]);
    op.handle = u32(a[1]);
    const std::int64_t rc = kernel_.call_on(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, op, 1);
    const std::int64_t status = rc != 0 ? rc * 1000 : op.status;
    out.well = status == GNTST_okay;
    out.say("st", status);
    if (out.well && window) windows_[static_cast<std::size_t>(a[0])] = Window::unmapped;
}

void Operations::copy(const Arguments& a, Answered& out) {
    const auto ask = [&]<class Word>(Word) {
        Copy<Word> op{};
        op.source = {u32(a[0]), u16(a[1]), u16(a[2])};
        op.dest = {u32(a[3]), u16(a[4]), u16(a[5])};
        op.len = u16(a[6]);
        op.flags = GNTCOPY_source_gref | GNTCOPY_dest_gref;
        const std::int64_t rc = kernel_.call_on(__HYPERVISOR_grant_table_op, GNTTABOP_copy, op, 1);
        out.say("rc", rc);
        out.say("st", op.status);
        out.well = rc == 0 && op.status == GNTST_okay;
    };
    kernel_.narrow() ? ask(std::uint32_t{}) : ask(std::uint64_t{});
}

void Operations::transfer(const Arguments& a, Answered& out) {
    const auto ask = [&]<class Word>(Word) {
        Transfer<Word> op{};
        op.mfn = static_cast<Word>(kernel_.frame_of(kernel_.page_address(a[0])));
        op.domid = u16(a[1]);
        op.ref = u32(a[2]);
        const std::int64_t rc = kernel_.call_on(__HYPERVISOR_grant_table_op, GNTTABOP_transfer, op, 1);
        out.say("rc", rc);
        out.say("st", op.status);
        out.well = rc == 0 && op.status == GNTST_okay;
    };
    kernel_.narrow() ? ask(std::uint32_t{}) : ask(std::uint64_t{});
}

void Operations::query_size(const Arguments& a, Answered& out) {
    gnttab_query_size_t op{};
    op.dom = u16(a[0]);
    const std::int64_t rc = kernel_.call_on(__HYPERVISOR_grant_table_op, GNTTABOP_query_size, op, 1);
    out.say("rc", rc);
    out.say("st", op.status);
    out.well = rc == 0 && op.status == GNTST_okay;
    if (!out.well) return;
    out.say("nr", op.nr_frames);
    out.say("max", op.max_nr_frames);
}

void Operations::set_version(const Arguments& a, Answered& out) {
    // Frames that are mapped can't be given up.
    kernel_.unmap_status_frame();
    gnttab_set_version_t op{};
    op.version = u32(a[0]);
    const std::int64_t rc = kernel_.call_on(__HYPERVISOR_grant_table_op, GNTTABOP_set_version, op, 1);
    out.say("rc", rc);
    out.say("version", op.version);
    out.asked_xen = true;
    out.well = rc == 0;
    if (!out.well || op.version != 2) return;
    const BareKernel::StatusFrames frames = kernel_.map_status_frame();
    out.say("frames", frames.found);
    out.say("map", frames.mapped);
}

/// The flags come last: an entry is whole before it grants anything.
void Operations::write_entry(std::uint64_t entry, std::string_view name, const Arguments& a, Answered& out) {
    const auto put = [&](std::size_t at, auto value) { store(entry + at, &value, sizeof value, out); };
    put(offsetof(grant_entry_header_t, flags), std::uint16_t{0});
    put(offsetof(grant_entry_header_t, domid), u16(a[1]));
    std::uint16_t flags = u16(a[3]);
    if (name == "ge") {
        put(offsetof(grant_entry_v1_t, frame), static_cast<std::uint32_t>(frame_named(a[2])));
    } else if (name == "g2") {
        put(offsetof(grant_entry_v2_t, full_page.frame), frame_named(a[2]));
    } else if (name == "g3") {
        put(offsetof(grant_entry_v2_t, sub_page.page_off), u16(a[4]));
        put(offsetof(grant_entry_v2_t, sub_page.length), u16(a[5]));
        put(offsetof(grant_entry_v2_t, sub_page.frame), frame_named(a[2]));
    } else {
        put(offsetof(grant_entry_v2_t, transitive.trans_domid), u16(a[2]));
        put(offsetof(grant_entry_v2_t, transitive.gref), u32(a[3]));
        flags = u16(a[4]);
    }
    put(offsetof(grant_entry_header_t, flags), flags);
}

bool Operations::entry(std::string_view name, const Arguments& a, Answered& out) {
    const auto ref = static_cast<std::uint64_t>(a[0]);
    const std::uint64_t v1 = kernel_.grant_address() + ref % kEntriesV1 * sizeof(grant_entry_v1_t);
    const std::uint64_t v2 = kernel_.grant_address() + ref % kEntriesV2 * sizeof(grant_entry_v2_t);
    grant_entry_header_t head{};
    if (name == "ge") {
        write_entry(v1, name, a, out);
    } else if (name == "g2" || name == "g3" || name == "gt") {
        write_entry(v2, name, a, out);
    } else if (name == "gx") {
        if (!load(v1, &head, sizeof head, out)) return true;
        head.flags = static_cast<std::uint16_t>(head.flags & ~GTF_type_mask);
        store(v1, &head.flags, sizeof head.flags, out);
        out.say_hex("flags", head.flags);
    } else if (name == "gf") {
        if (!load(v1, &head, sizeof head, out)) return true;
        out.say_hex("flags", head.flags);
        out.say("dom", head.domid);
    } else if (name == "gv") {
        set_version(a, out);
    } else if (name == "gs") {
        std::uint16_t status = 0;
        if (!load(v2, &head, sizeof head, out)) return true;
        if (const std::uint64_t words = kernel_.status_address())
            load(words + ref % kEntriesV2 * sizeof status, &status, sizeof status, out);
        out.say_hex("flags", head.flags);
        out.say("dom", head.domid);
        out.say_hex("status", status);
    } else {
        return false;
    }
    return true;
}

bool Operations::grant(std::string_view name, const Arguments& a, Answered& out) {
    if (name == "gm") {
        map(a, out);
    } else if (name == "gu") {
        unmap(a, out);
    } else if (name == "gc") {
        copy(a, out);
    } else if (name == "gq") {
        query_size(a, out);
    } else if (name == "tr") {
        transfer(a, out);
    } else if (name == "hc") {
        const auto word = [&](std::size_t i) { return static_cast<std::uint64_t>(a[i]); };
        const std::int64_t rc = kernel_.call(static_cast<unsigned>(word(0) & 63), word(1), word(2), word(3), word(4));
        out.say("rc", rc);
        out.well = rc >= 0;
    } else {
        return false;
    }
    out.asked_xen = true;
    return true;
}

}  // namespace xenrig::hypercalls
