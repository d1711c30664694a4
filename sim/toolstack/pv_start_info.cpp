#include "sim/toolstack/pv_start_info.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <span>

extern "C" {
// xen.h first: the others lean on its types.
#include <xen/xen.h>

#include <xen/foreign/x86_32.h>
}

namespace xenrig::toolstack {

namespace {

template <class Word, class StartInfo>
std::vector<std::byte> fill(const PvPlan& plan, const PvStart& start, const char* magic) {
    StartInfo s{};
    std::strncpy(s.magic, magic, sizeof s.magic - 1);
    s.nr_pages = static_cast<Word>(plan.frames);
    s.shared_info = static_cast<Word>(start.shared_info.value * kPageSize);
    // The toolstack can find the list of frames by its address in the guest's tables.
    s.flags = SIF_VIRT_P2M_4TOOLS;
    s.store_mfn = static_cast<Word>(start.store.value);
    s.store_evtchn = start.store_port.value;
    s.console.domU.mfn = static_cast<Word>(start.console.value);
    s.console.domU.evtchn = start.console_port.value;
    s.pt_base = static_cast<Word>(plan.address(plan.tables.first));
    s.nr_pt_frames = static_cast<Word>(plan.tables.count);
    s.mfn_list = static_cast<Word>(plan.address(plan.p2m.first));
    const std::size_t length = std::min(start.cmd_line.size(), sizeof s.cmd_line - 1);
    std::memcpy(s.cmd_line, start.cmd_line.data(), length);
    // first_p2m_pfn and nr_p2m_frames are for a list outside what is mapped at the start; this one is inside.
    std::vector<std::byte> bytes(sizeof s);
    std::memcpy(bytes.data(), &s, sizeof s);
    return bytes;
}

template <class Word>
std::vector<std::byte> words(const std::vector<Mfn>& list) {
    std::vector<Word> narrow;
    std::ranges::transform(list, std::back_inserter(narrow), [](Mfn m) { return static_cast<Word>(m.value); });
    const auto bytes = std::as_bytes(std::span(narrow));
    return {bytes.begin(), bytes.end()};
}

}  // namespace

std::vector<std::byte> start_info_bytes(const PvPlan& plan, const PvStart& start) {
    return plan.bits == 64 ? fill<std::uint64_t, start_info_t>(plan, start, "xen-3.0-x86_64")
                           : fill<std::uint32_t, start_info_x86_32_t>(plan, start, "xen-3.0-x86_32p");
}

std::vector<std::byte> p2m_bytes(const PvPlan& plan, const std::vector<Mfn>& p2m) {
    return plan.bits == 64 ? words<std::uint64_t>(p2m) : words<std::uint32_t>(p2m);
}

}  // namespace xenrig::toolstack
