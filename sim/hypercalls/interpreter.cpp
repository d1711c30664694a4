#include "sim/hypercalls/interpreter.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace xenrig::hypercalls {

namespace {

/// " name=value" in decimal, or in hexadecimal.
void say(Answered& out, const char* name, std::int64_t value) {
    out.line += std::string(" ") + name + '=' + std::to_string(value);
}
void say_hex(Answered& out, const char* name, std::uint64_t value) {
    char digits[24];
    std::snprintf(digits, sizeof digits, "%llx", static_cast<unsigned long long>(value));
    out.line += std::string(" ") + name + '=' + digits;
}

domid_t dom(std::int64_t v) { return static_cast<domid_t>(v); }
std::uint32_t u32(std::int64_t v) { return static_cast<std::uint32_t>(v); }
std::uint16_t u16(std::int64_t v) { return static_cast<std::uint16_t>(v); }

/// A port's bit in one of shared_info's arrays, wrapped like the kernel does it.
struct Bit {
    explicit Bit(std::int64_t port)
        : word(static_cast<std::uint64_t>(port / 64) & 63), one(1ul << (static_cast<std::uint64_t>(port) % 64)) {}
    std::uint64_t word, one;
};

/// 16 pages and 16 windows go by their number; what is no such number is an address or a frame.
bool is_index(std::int64_t v) { return v >= 0 && v < 16; }

}  // namespace

Interpreter::Interpreter() {
    shared_info_t& shared = kernel_.shared_info();
    shared.vcpu_info[0].evtchn_upcall_mask = 1;
    for (auto& word : shared.evtchn_mask) word = ~0ul;
}

std::string Interpreter::opening() {
    return "@@START xen xen-3.0-x86_64 privileged=1 domid=0\n"
           "map shared_info 0\n"
           "setup_table rc=0 status=0\n"
           "map grant frame 0\n";
}

std::string Interpreter::run_line(std::string_view line) {
    ++line_;
    const auto op = parse_line(line);
    if (!op || faulted_) return {};
    const Answered answered = run(*op);
    std::string text = std::to_string(line_) + ' ' + op->name + answered.line + '\n';
    faulted_ = faulted_ || !kernel_.can_go_on();
    if (faulted_) text += "@@FAULT line " + std::to_string(line_) + ": the kernel's own memory is not mapped\n";
    return text;
}

std::int64_t Interpreter::value_of(const Argument& given) const {
    switch (given.kind) {
        case ArgumentKind::variable:
            return variables_[static_cast<std::uint64_t>(given.number) % kVariables];
        case ArgumentKind::page:
            return static_cast<std::int64_t>(kernel_.page_address(given.number));
        case ArgumentKind::number:
            break;
    }
    return given.number;
}

Answered Interpreter::run(const Operation& op) {
    Arguments a{};
    for (std::size_t i = 0; i < op.arguments_given; ++i) {
        a[i] = value_of(op.arguments[i]);
    }
    Answered out;
    // A failed hypercall leaves the variable as it was; a failed map stores a handle that is none.
    bool keeps = true;
    if (event(op.name, a, out)) {
        keeps = out.well;
        out.asked_xen = true;
    } else if (grant(op.name, a, out) || any_hypercall(op.name, a, out)) {
        out.asked_xen = true;
    } else if (!bits(op.name, a, out) && !entry(op.name, a, out) && !bytes(op.name, a, out) &&
               !words(op.name, a, out)) {
        out.line = " ?";
        out.well = false;
    }
    if (op.keep && keeps) variables_[*op.keep] = out.number;
    ++tally_.operations;
    if (out.asked_xen) ++tally_.hypercalls;
    if (out.asked_xen && out.well) ++tally_.successes;
    return out;
}

bool Interpreter::event(std::string_view name, const Arguments& a, Answered& out) {
    const auto ask = [&](unsigned operation, auto op) {
        const std::int64_t rc = kernel_.call_on(__HYPERVISOR_event_channel_op, operation, op);
        say(out, "rc", rc);
        out.well = rc == 0;
        return op;
    };
    const auto port_of = [&](evtchn_port_t port) {
        if (!out.well) return;
        out.number = port;
        say(out, "port", port);
    };
    if (name == "au")
        port_of(
            ask(EVTCHNOP_alloc_unbound, evtchn_alloc_unbound_t{.dom = dom(a[0]), .remote_dom = dom(a[1]), .port = 0})
                .port);
    else if (name == "bi")
        port_of(ask(EVTCHNOP_bind_interdomain,
                    evtchn_bind_interdomain_t{.remote_dom = dom(a[0]), .remote_port = u32(a[1]), .local_port = 0})
                    .local_port);
    else if (name == "bv")
        port_of(ask(EVTCHNOP_bind_virq, evtchn_bind_virq_t{.virq = u32(a[0]), .vcpu = u32(a[1]), .port = 0}).port);
    else if (name == "ip")
        port_of(ask(EVTCHNOP_bind_ipi, evtchn_bind_ipi_t{.vcpu = u32(a[0]), .port = 0}).port);
    else if (name == "cl")
        ask(EVTCHNOP_close, evtchn_close_t{u32(a[0])});
    else if (name == "se")
        ask(EVTCHNOP_send, evtchn_send_t{u32(a[0])});
    else if (name == "um")
        ask(EVTCHNOP_unmask, evtchn_unmask_t{u32(a[0])});
    else if (name == "bc")
        ask(EVTCHNOP_bind_vcpu, evtchn_bind_vcpu_t{u32(a[0]), u32(a[1])});
    else if (name == "pr")
        ask(EVTCHNOP_set_priority, evtchn_set_priority_t{u32(a[0]), u32(a[1])});
    else if (name == "rs")
        ask(EVTCHNOP_reset, evtchn_reset_t{dom(a[0])});
    else if (name == "st")
        status(a, out);
    else
        return false;
    return true;
}

void Interpreter::status(const Arguments& a, Answered& out) {
    evtchn_status_t op{};
    op.dom = dom(a[0]);
    op.port = u32(a[1]);
    const std::int64_t rc = kernel_.call_on(__HYPERVISOR_event_channel_op, EVTCHNOP_status, op);
    say(out, "rc", rc);
    out.well = rc == 0;
    if (rc != 0) return;
    say(out, "status", op.status);
    say(out, "vcpu", op.vcpu);
    if (op.status == EVTCHNSTAT_unbound) say(out, "dom", op.u.unbound.dom);
    if (op.status == EVTCHNSTAT_interdomain) {
        say(out, "dom", op.u.interdomain.dom);
        say(out, "port", op.u.interdomain.port);
    }
    if (op.status == EVTCHNSTAT_virq) say(out, "virq", op.u.virq);
}

bool Interpreter::bits(std::string_view name, const Arguments& a, Answered& out) {
    shared_info_t& shared = kernel_.shared_info();
    vcpu_info_t& info = shared.vcpu_info[0];
    const Bit bit(name == "bits" ? a[0] & 4095 : a[0]);
    if (name == "mask") {
        if (a[1] != 0)
            shared.evtchn_mask[bit.word] |= bit.one;
        else
            shared.evtchn_mask[bit.word] &= ~bit.one;
    } else if (name == "bits") {
        say(out, "pend", (shared.evtchn_pending[bit.word] & bit.one) != 0);
        say(out, "mask", (shared.evtchn_mask[bit.word] & bit.one) != 0);
        say_hex(out, "sel", info.evtchn_pending_sel);
        say(out, "up", info.evtchn_upcall_pending);
    } else if (name == "clr") {
        for (auto& word : shared.evtchn_pending) word = 0;
        info.evtchn_pending_sel = 0;
        info.evtchn_upcall_pending = 0;
    } else {
        return false;
    }
    return true;
}

bool Interpreter::entry(std::string_view name, const Arguments& a, Answered& out) {
    grant_entry_v1_t& entry = kernel_.grant_entry(a[0]);
    if (name == "ge") {
        const bool page = is_index(a[2]);
        entry.flags = 0;
        entry.domid = dom(a[1]);
        entry.frame = page ? static_cast<std::uint32_t>(kernel_.machine_frame(kernel_.page_address(a[2]))) : u32(a[2]);
        entry.flags = u16(a[3]);
    } else if (name == "gx") {
        entry.flags = static_cast<std::uint16_t>(entry.flags & ~GTF_type_mask);
        say_hex(out, "flags", entry.flags);
    } else if (name == "gf") {
        say_hex(out, "flags", entry.flags);
        say(out, "dom", entry.domid);
    } else {
        return false;
    }
    return true;
}

void Interpreter::map(const Arguments& a, Answered& out) {
    const bool window = is_index(a[0]);
    gnttab_map_grant_ref_t op{};
    op.host_addr = window ? kernel_.window_address(a[0]) : static_cast<std::uint64_t>(a[0]);
    op.flags = u32(a[1]);
    op.ref = u32(a[2]);
    op.dom = dom(a[3]);
    op.handle = ~0u;
    const std::int64_t rc = kernel_.call_on(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, op, 1);
    const std::int64_t status = rc != 0 ? static_cast<std::int16_t>(rc * 1000) : op.status;
    out.number = op.handle;
    out.well = status == GNTST_okay;
    say(out, "st", status);
    if (!out.well) return;
    say(out, "handle", out.number);
    if (window)
        windows_[static_cast<std::size_t>(a[0])] = (a[1] & GNTMAP_readonly) != 0 ? Window::read_only : Window::writable;
}

void Interpreter::copy(const Arguments& a, Answered& out) {
    gnttab_copy_t op{};
    op.source.u.ref = u32(a[0]);
    op.source.domid = dom(a[1]);
    op.source.offset = u16(a[2]);
    op.dest.u.ref = u32(a[3]);
    op.dest.domid = dom(a[4]);
    op.dest.offset = u16(a[5]);
    op.len = u16(a[6]);
    op.flags = GNTCOPY_source_gref | GNTCOPY_dest_gref;
    const std::int64_t rc = kernel_.call_on(__HYPERVISOR_grant_table_op, GNTTABOP_copy, op, 1);
    say(out, "rc", rc);
    say(out, "st", op.status);
    out.well = rc == 0 && op.status == GNTST_okay;
}

bool Interpreter::grant(std::string_view name, const Arguments& a, Answered& out) {
    if (name == "gm") {
        map(a, out);
    } else if (name == "gu") {
        const bool window = is_index(a[0]);
        gnttab_unmap_grant_ref_t op{};
        op.host_addr = window ? kernel_.window_address(a[0]) : static_cast<std::uint64_t>(a[0]);
        op.handle = u32(a[1]);
        const std::int64_t rc = kernel_.call_on(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, op, 1);
        const std::int64_t status = rc != 0 ? rc * 1000 : op.status;
        out.well = status == GNTST_okay;
        say(out, "st", status);
        if (out.well && window) windows_[static_cast<std::size_t>(a[0])] = Window::unmapped;
    } else if (name == "gc") {
        copy(a, out);
    } else if (name == "gq") {
        gnttab_query_size_t op{};
        op.dom = dom(a[0]);
        const std::int64_t rc = kernel_.call_on(__HYPERVISOR_grant_table_op, GNTTABOP_query_size, op, 1);
        say(out, "rc", rc);
        say(out, "st", op.status);
        out.well = rc == 0 && op.status == GNTST_okay;
        if (out.well) {
            say(out, "nr", op.nr_frames);
            say(out, "max", op.max_nr_frames);
        }
    } else {
        return false;
    }
    return true;
}

bool Interpreter::bytes(std::string_view name, const Arguments& a, Answered& out) {
    const std::uint64_t offset = static_cast<std::uint64_t>(a[1]) & (kPageSize - 1);
    const Window window = windows_[static_cast<std::size_t>(a[0] & 15)];
    std::byte* mapped = window != Window::unmapped ? kernel_.at(kernel_.window_address(a[0]) + offset) : nullptr;
    std::byte* const page = kernel_.page(a[0]);
    if (name == "pw" || name == "prd") {
        faulted_ = page == nullptr;
        if (faulted_) return true;
        if (name == "pw")
            page[offset] = static_cast<std::byte>(a[2]);
        else
            out.line = ' ' + std::to_string(std::to_integer<int>(page[offset]));
    } else if (name == "mw") {
        out.well = mapped != nullptr && window == Window::writable;
        if (out.well)
            *mapped = static_cast<std::byte>(a[2]);
        else
            out.line = " unmapped";
    } else if (name == "mr") {
        out.well = mapped != nullptr;
        out.line = ' ' + std::to_string(mapped ? std::to_integer<int>(*mapped) : -1);
    } else {
        return false;
    }
    return true;
}

bool Interpreter::any_hypercall(std::string_view name, const Arguments& a, Answered& out) {
    if (name != "hc") return false;
    const auto word = [&](std::size_t i) { return static_cast<std::uint64_t>(a[i]); };
    const std::int64_t rc = kernel_.call(static_cast<unsigned>(word(0) & 63), word(1), word(2), word(3), word(4));
    say(out, "rc", rc);
    out.well = rc >= 0;
    return true;
}

bool Interpreter::words(std::string_view name, const Arguments& a, Answered& out) {
    if (name != "w2" && name != "w4" && name != "w8" && name != "r2" && name != "r4" && name != "r8") return false;
    std::byte* page = kernel_.page(a[0]);
    faulted_ = page == nullptr;
    if (faulted_) return true;
    const std::uint64_t offset = static_cast<std::uint64_t>(a[1]) & (kPageSize - 1);
    const std::size_t bytes = std::min<std::size_t>(static_cast<std::size_t>(name[1] - '0'), kPageSize - offset);
    std::uint64_t word = static_cast<std::uint64_t>(a[2]);
    if (name[0] == 'w') {
        std::memcpy(page + offset, &word, bytes);
        return true;
    }
    word = 0;
    std::memcpy(&word, page + offset, bytes);
    char digits[24];
    std::snprintf(digits, sizeof digits, " %llx", static_cast<unsigned long long>(word));
    out.line = digits;
    return true;
}

std::string run_script(std::string_view script, Tally* tally) {
    Interpreter interpreter;
    std::string answers = Interpreter::opening();
    while (!script.empty()) {
        const std::size_t end = script.find('\n');
        answers += interpreter.run_line(script.substr(0, end));
        script.remove_prefix(end == std::string_view::npos ? script.size() : end + 1);
    }
    if (tally) *tally = interpreter.tally();
    return answers + interpreter.closing();
}

}  // namespace xenrig::hypercalls
