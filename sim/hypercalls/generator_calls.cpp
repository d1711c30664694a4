// What a generator asks by number: structs of its own making in page 15, in the layout of the kernel's word.
#include <algorithm>

#include "sim/hypercalls/generator.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypercalls {

namespace {

/// Pages whose memory may come and go: nothing is granted from them.
constexpr unsigned kMovable = 8, kMovablePages = 4;

}  // namespace

unsigned Generator::put_struct(unsigned offset, std::initializer_list<Field> fields) {
    const unsigned word = me().narrow ? 4 : 8;
    unsigned last = offset;
    for (const Field& field : fields) {
        const unsigned bytes = field.bytes == 0 ? word : field.bytes;
        const unsigned alignment = std::min(bytes, word);
        last = (offset + alignment - 1) / alignment * alignment;
        const char* const write = bytes == 2 ? "w2" : bytes == 4 ? "w4" : "w8";
        say(write, {"15", text(last), field.value});
        offset = last + bytes;
    }
    return last;
}

Answered Generator::ask(unsigned number, std::initializer_list<std::string> words) {
    std::string line = me().prefix;
    line += "hc " + text(number);
    for (const std::string& word : words) line += ' ' + word;
    return perform(line);
}

void Generator::about_memory() {
    put_struct(0, {{2, one_in(4) ? wild_word('d') : own_domain()}});
    ask(__HYPERVISOR_memory_op,
        {text(any_number({XENMEM_current_reservation, XENMEM_maximum_reservation, XENMEM_maximum_gpfn})), "@15"});
}

/// Memory leaves a gfn, comes back to it, or moves to another: of a domain that has a physmap.
void Generator::move_memory() {
    Party& p = me();
    if (!p.translated) return about_memory();
    const unsigned page = pick(kMovablePages);
    const bool absent = (p.absent >> page & 1) != 0;
    const std::string gfn = '%' + text(kMovable + page);
    if (one_in(4) && !absent) {
        // Moved from another page, whose place is empty then; what was here is freed.
        const unsigned from = pick(kMovablePages);
        put_struct(
            0,
            {{2, text(DOMID_SELF)}, {2, "0"}, {4, text(XENMAPSPACE_gmfn)}, {0, '%' + text(kMovable + from)}, {0, gfn}});
        if (ask(__HYPERVISOR_memory_op, {text(XENMEM_add_to_physmap), "@15"}).well && from != page)
            p.absent |= 1u << from;
        return;
    }
    say("w8", {"14", "0", gfn});
    put_struct(0, {{0, "@14"}, {0, "1"}, {4, "0"}, {4, "0"}, {2, text(DOMID_SELF)}});
    const int command = absent ? XENMEM_populate_physmap : XENMEM_decrease_reservation;
    if (ask(__HYPERVISOR_memory_op, {text(command), "@15"}).line == " rc=1") p.absent ^= 1u << page;
    if (absent && (p.absent >> page & 1) == 0) say("r8", {text(kMovable + page), "0"});
}

void Generator::about_vcpu() {
    const std::string vcpu = one_in(6) ? wild_word('c') : "0";
    switch (pick(6)) {
        case 0:
            ask(__HYPERVISOR_vcpu_op, {text(VCPUOP_is_up), vcpu});
            break;
        case 1:
            put_struct(0, {{8, text(one_in(3) ? 1000 : 1'000'000'000)}});
            ask(__HYPERVISOR_vcpu_op, {text(VCPUOP_set_periodic_timer), vcpu, "@15"});
            break;
        case 2:
            ask(__HYPERVISOR_vcpu_op, {text(VCPUOP_stop_periodic_timer), vcpu});
            break;
        case 3:
            put_struct(0, {{8, "0x7000000000000"}, {4, "0"}});
            ask(__HYPERVISOR_vcpu_op, {text(VCPUOP_set_singleshot_timer), vcpu, "@15"});
            break;
        case 4:
            ask(__HYPERVISOR_vcpu_op, {text(VCPUOP_stop_singleshot_timer), vcpu});
            break;
        default:
            ask(__HYPERVISOR_set_timer_op, {"0"});
            break;
    }
}

void Generator::about_version() {
    const std::int64_t what = any_number({XENVER_version, XENVER_capabilities, XENVER_platform_parameters,
                                          XENVER_get_features, XENVER_pagesize, XENVER_guest_handle, 99});
    if (what != XENVER_get_features) return void(ask(__HYPERVISOR_xen_version, {text(what), "@14"}));
    put_struct(0, {{4, text(pick(3))}, {4, "0"}});
    ask(__HYPERVISOR_xen_version, {text(what), "@15"});
}

void Generator::parameters() {
    const std::string dom = one_in(5) ? wild_word('d') : own_domain();
    const std::int64_t index =
        any_number({HVM_PARAM_STORE_EVTCHN, HVM_PARAM_CONSOLE_EVTCHN, HVM_PARAM_STORE_PFN, HVM_PARAM_CONSOLE_PFN,
                    HVM_PARAM_VM86_TSS, HVM_PARAM_IOREQ_PFN, HVM_PARAM_VM_GENERATION_ID_ADDR, HVM_NR_PARAMS, 1000});
    put_struct(0, {{2, dom}, {2, "0"}, {4, text(index)}, {8, text(pick(4096))}});
    const bool set = one_in(2);
    ask(__HYPERVISOR_hvm_op, {text(set ? HVMOP_set_param : HVMOP_get_param), "@15"});
    if (!set) say("r8", {"15", "8"});
}

/// Some sends and unmasks of one port in one multicall.
void Generator::several() {
    constexpr unsigned kCalls = 3;
    const unsigned word = me().narrow ? 4 : 8, size = 8 * word, result = word;
    say("w4", {"13", "0", port()});
    for (unsigned i = 0; i < kCalls; ++i) {
        const std::string operation = text(one_in(2) ? EVTCHNOP_send : EVTCHNOP_unmask);
        put_struct(i * size, {{0, text(one_in(8) ? 63 : __HYPERVISOR_event_channel_op)}, {0, "77"}, {0, operation}});
        say(word == 4 ? "w4" : "w8", {"15", text(i * size + 3 * word), "@13"});
    }
    ask(__HYPERVISOR_multicall, {"@15", text(kCalls)});
    for (unsigned i = 0; i < kCalls; ++i) say(word == 4 ? "r4" : "r8", {"15", text(i * size + result)});
}

/// With a time that is past: a poll never waits.
void Generator::poll() {
    say("w4", {"14", "0", port()});
    put_struct(0, {{0, "@14"}, {4, text(one_in(5) ? 129 : 1)}, {8, "1"}});
    ask(__HYPERVISOR_sched_op, {text(SCHEDOP_poll), "@15"});
}

void Generator::calls() {
    switch (pick(9)) {
        case 0:
            return about_memory();
        case 1:
        case 2:
            return move_memory();
        case 3:
            return about_vcpu();
        case 4:
            return about_version();
        case 5:
            return parameters();
        case 6:
            return several();
        case 7:
            return poll();
        default:
            ask(__HYPERVISOR_sched_op, {text(SCHEDOP_yield), "0"});
            break;
    }
}

}  // namespace xenrig::hypercalls
