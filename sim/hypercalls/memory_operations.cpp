// What a kernel does without asking Xen: the event bits of shared_info, bytes and words of its pages and windows.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

#include "sim/hypercalls/operations.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypercalls {

namespace {

/// A port's bit in one of shared_info's arrays, wrapped like the kernel does it: which byte, and which bit of it.
struct Bit {
    Bit(std::int64_t port, const SharedLayout& layout)
        : byte(static_cast<std::uint64_t>(port / layout.word_bits) % layout.word_bits * (layout.word_bits / 8) +
               static_cast<std::uint64_t>(port) % layout.word_bits / 8),
          one(static_cast<std::uint8_t>(1u << static_cast<std::uint64_t>(port) % 8)) {}
    std::uint64_t byte;
    std::uint8_t one;
};

}  // namespace

Operations::Operations(BareKernel& kernel) : kernel_(kernel) {
    const SharedLayout& layout = kernel_.layout();
    const std::uint64_t shared = kernel_.shared_info_address();
    Answered unheard;
    fill(shared + kUpcallMask, 1, 1, unheard);
    fill(shared + layout.evtchn_mask, 0xff, layout.ports() / 8, unheard);
}

void Operations::fill(std::uint64_t address, std::uint8_t value, std::size_t bytes, Answered& out) {
    constexpr std::size_t kMost = 512;
    std::array<std::uint8_t, kMost> same;
    same.fill(value);
    store(address, same.data(), std::min(bytes, kMost), out);
}

bool Operations::bits(std::string_view name, const Arguments& a, Answered& out) {
    const SharedLayout& layout = kernel_.layout();
    const std::uint64_t shared = kernel_.shared_info_address();
    const auto byte_at = [&](std::uint64_t at) {
        std::uint8_t byte = 0;
        load(shared + at, &byte, 1, out);
        return byte;
    };
    if (name == "mask") {
        const Bit bit(a[0], layout);
        const std::uint8_t was = byte_at(layout.evtchn_mask + bit.byte);
        const auto byte = static_cast<std::uint8_t>(a[1] != 0 ? was | bit.one : was & ~bit.one);
        store(shared + layout.evtchn_mask + bit.byte, &byte, 1, out);
    } else if (name == "bits") {
        const Bit bit(a[0] & (layout.ports() - 1), layout);
        std::uint64_t selector = 0;
        load(shared + layout.pending_sel, &selector, layout.word_bits / 8, out);
        out.say("pend", (byte_at(layout.evtchn_pending + bit.byte) & bit.one) != 0);
        out.say("mask", (byte_at(layout.evtchn_mask + bit.byte) & bit.one) != 0);
        out.say_hex("sel", selector);
        out.say("up", byte_at(kUpcallPending));
    } else if (name == "clr") {
        fill(shared + layout.evtchn_pending, 0, layout.ports() / 8, out);
        fill(shared + layout.pending_sel, 0, layout.word_bits / 8, out);
        fill(shared + kUpcallPending, 0, 1, out);
    } else {
        return false;
    }
    return true;
}

/// Where a translated kernel has no memory, nobody answers: all ones are read and what is written is lost.
bool Operations::load(std::uint64_t address, void* to, std::size_t bytes, Answered& out) {
    if (kernel_.read(address, to, bytes)) return true;
    std::memset(to, 0xff, bytes);
    out.faulted = !kernel_.translated();
    return !out.faulted;
}

void Operations::store(std::uint64_t address, const void* from, std::size_t bytes, Answered& out) {
    out.faulted = !kernel_.write(address, from, bytes) && !kernel_.translated();
}

bool Operations::bytes(std::string_view name, const Arguments& a, Answered& out) {
    const std::uint64_t offset = static_cast<std::uint64_t>(a[1]) & (kPageSize - 1);
    const Window window = windows_[static_cast<std::size_t>(a[0] & 15)];
    const bool of_window = name == "mw" || name == "mr";
    const std::uint64_t at = (of_window ? kernel_.window_address(a[0]) : kernel_.page_address(a[0])) + offset;
    if (name == "pw" || (name == "mw" && window == Window::writable)) {
        const auto byte = static_cast<std::byte>(a[2]);
        store(at, &byte, 1, out);
    } else if (name == "prd" || (name == "mr" && window != Window::unmapped)) {
        std::byte byte{};
        if (load(at, &byte, 1, out)) out.line = ' ' + std::to_string(std::to_integer<int>(byte));
    } else if (name == "pf") {
        std::array<std::byte, kPageSize> filled;
        filled.fill(static_cast<std::byte>(a[1]));
        store(kernel_.page_address(a[0]), filled.data(), filled.size(), out);
    } else if (of_window) {
        out.well = false;
        out.line = name == "mw" ? " unmapped" : " -1";
    } else {
        return false;
    }
    return true;
}

bool Operations::machine_words(std::string_view name, const Arguments& a, Answered& out) {
    const std::uint64_t offset = static_cast<std::uint64_t>(a[1]) & (kPageSize - 1);
    const std::uint64_t at = kernel_.page_address(a[0]) + offset;
    const std::size_t bytes = std::min<std::size_t>(sizeof(std::uint64_t), kPageSize - offset);
    std::uint64_t word = 0;
    if (name == "wa") {
        word = static_cast<std::uint64_t>(a[2]) * kPageSize + static_cast<std::uint64_t>(a[3]);
        store(at, &word, bytes, out);
    } else if (load(at, &word, bytes, out)) {
        out.number = static_cast<std::int64_t>(word);
    }
    return true;
}

bool Operations::words(std::string_view name, const Arguments& a, Answered& out) {
    if (name == "wa" || name == "ld") return machine_words(name, a, out);
    if (name != "w2" && name != "w4" && name != "w8" && name != "r2" && name != "r4" && name != "r8") return false;
    const std::uint64_t offset = static_cast<std::uint64_t>(a[1]) & (kPageSize - 1);
    const std::uint64_t at = kernel_.page_address(a[0]) + offset;
    const std::size_t bytes = std::min<std::size_t>(static_cast<std::size_t>(name[1] - '0'), kPageSize - offset);
    std::uint64_t word = static_cast<std::uint64_t>(a[2]);
    if (name[0] == 'w') {
        store(at, &word, bytes, out);
        return true;
    }
    word = 0;
    if (!load(at, &word, bytes, out)) return true;
    char digits[24];
    std::snprintf(digits, sizeof digits, " %llx", static_cast<unsigned long long>(word));
    out.line = digits;
    return true;
}

}  // namespace xenrig::hypercalls
