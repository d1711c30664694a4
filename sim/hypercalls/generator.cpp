#include "sim/hypercalls/generator.h"

#include <algorithm>

#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypercalls {

namespace {

constexpr std::int64_t kSelf = DOMID_SELF;
/// A bound that keeps every kind of collision likely.
constexpr std::size_t kChannelsMax = 24;
/// The page of the FIFO's control block, and those of its array.
constexpr unsigned kControlPage = 4, kArrayPages = 3;

}  // namespace

Generator::Generator(std::uint64_t seed, const KernelKind& kind)
    : source_(seed), stream_(choices_.add_stream("script", engine::StreamKind::data)), interpreter_(kind) {
    const auto add = [this](const char* prefix, BareKernel& kernel) {
        parties_.push_back({.prefix = prefix,
                            .domid = kernel.domid().value,
                            .translated = kernel.kind().type != hypervisor::GuestType::pv,
                            .narrow = kernel.narrow()});
    };
    Scene& scene = interpreter_.scene();
    add("", scene.subject());
    if (scene.has_two()) add("0: ", scene.control());
}

Answered Generator::perform(const std::string& line) {
    step_ += line + '\n';
    return interpreter_.run(*parse_line(line));
}

Answered Generator::say(const char* name, std::initializer_list<std::string> words) {
    std::string line = me().prefix;
    line += name;
    for (const std::string& word : words) line += ' ' + word;
    return perform(line);
}

std::string Generator::next() {
    step_.clear();
    actor_ = parties_.size() > 1 && one_in(4) ? 1 : 0;
    if (one_in(8)) {
        wild();
    } else {
        const std::uint32_t topic = pick(20);
        topic < 8 ? channels() : topic < 16 ? grants() : calls();
    }
    return step_;
}

std::int64_t Generator::any_number(std::initializer_list<std::int64_t> values) {
    return values.begin()[pick(static_cast<std::uint32_t>(values.size()))];
}

std::string Generator::free_variable() {
    next_variable_ = (next_variable_ + 1) % kVariables;
    return '=' + std::to_string(next_variable_);
}

std::string Generator::domain_of(unsigned party) { return text(parties_[party].domid); }
std::string Generator::own_domain() { return text(one_in(2) ? kSelf : me().domid); }

std::string Generator::port() {
    if (me().channels.empty()) return text(pick(64));
    const Channel& channel = any_of(me().channels);
    return one_in(2) ? variable(channel.variable) : text(channel.port);
}

void Generator::new_channel() {
    const std::uint32_t kind = pick(6);
    // Somebody's unbound port that waits for us.
    for (unsigned p = 0; p < parties_.size() && kind < 3; ++p) {
        auto& theirs = parties_[p].channels;
        const auto found = std::ranges::find(theirs, actor_, &Channel::bindable_by);
        if (found == theirs.end()) continue;
        found->bindable_by = Channel::kNobody;
        const std::string remote = variable(found->variable);
        const Answered bound = say("bi", {p == actor_ ? own_domain() : domain_of(p), remote, free_variable()});
        if (bound.well) me().channels.push_back({next_variable_, bound.number});
        return;
    }
    Answered opened;
    unsigned bindable_by = Channel::kNobody;
    if (kind < 4) {
        const unsigned remote = pick(static_cast<std::uint32_t>(parties_.size()));
        const bool stranger = one_in(5);
        if (!stranger) bindable_by = remote;
        const std::string dom = own_domain();
        opened = say("au", {dom,
                            stranger           ? "3"
                            : remote == actor_ ? own_domain()
                                               : domain_of(remote),
                            free_variable()});
    } else if (kind == 4) {
        // VIRQ_TIMER is left out: on real Xen it comes by the clock.
        opened = say("bv", {text(1 + pick(23)), "0", free_variable()});
    } else {
        opened = say("ip", {"0", free_variable()});
    }
    if (opened.well) me().channels.push_back({next_variable_, opened.number, bindable_by});
}

void Generator::channels() {
    auto& mine = me().channels;
    if (mine.empty() || (mine.size() < kChannelsMax && one_in(4))) return new_channel();
    switch (pick(14)) {
        case 0: {
            const std::size_t i = pick(static_cast<std::uint32_t>(mine.size()));
            const std::string closed = variable(mine[i].variable);
            mine.erase(mine.begin() + static_cast<std::ptrdiff_t>(i));
            say("cl", {closed});
            break;
        }
        case 1:
        case 2:
        case 3:
            say("se", {port()});
            break;
        case 4:
            say("um", {port()});
            break;
        case 5: {
            const std::string which = port();
            say("bc", {which, text(one_in(4) ? 1 : 0)});
            break;
        }
        case 6: {
            const std::string dom = own_domain();
            say("st", {dom, port()});
            break;
        }
        case 7: {
            const std::string which = port();
            say("mask", {which, text(pick(2))});
            break;
        }
        case 8:
            say("clr", {});
            break;
        case 9:
        case 10:
            fifo();
            break;
        default:
            say("bits", {port()});
            break;
    }
}

/// Now and then a domain turns to the FIFO ABI; from then on its events are words in pages of its own.
void Generator::fifo() {
    Party& p = me();
    if (!p.fifo) {
        if (!one_in(12)) return void(say("bits", {port()}));
        p.fifo = say("fi", {text(kControlPage), "0", "0"}).well;
        return;
    }
    if (p.fifo_pages == 0 || (p.fifo_pages < kArrayPages && one_in(20))) {
        if (say("fx", {text(kControlPage + 1 + p.fifo_pages)}).well) ++p.fifo_pages;
        return;
    }
    switch (pick(5)) {
        case 0: {
            const std::string which = port();
            say("pr", {which, text(pick(17))});
            break;
        }
        case 1:
            say("fh", {text(pick(16))});
            break;
        case 2:
        case 3:
            say("fd", {text(one_in(3) ? pick(16) : EVTCHN_FIFO_PRIORITY_DEFAULT)});
            break;
        default: {
            const std::string which = port();
            one_in(2) ? say("fw", {which}) : say("fm", {which, text(pick(2))});
            break;
        }
    }
}

/// A number at random, or one that is something: the letter of a word in kWild.
std::string Generator::wild_word(char kind) {
    switch (kind) {
        case 'd':
            return text(any_number({kSelf, 0, 1, 3, DOMID_IO, DOMID_XEN, DOMID_INVALID, 0xffff}));
        case 'p':
            if (!one_in(3)) return port();
            return text(any_number({0, 1, 2, 63, 64, 127, 4095, 4096, 131071, 0x7fffffff, -1}));
        case 'r':
            return text(any_number({0, 7, 8, 9, 20, 40, 511, 512, 4096, -1}));
        case 'c':
            return text(any_number({0, 1, 127, 128, -1}));
        case 'f':
            return text(any_number({0, GNTMAP_application_map, GNTMAP_host_map, 0xa, 0xe, GNTMAP_readonly}));
        case 'h':
            if (!me().mappings.empty() && !one_in(3)) return variable(any_of(me().mappings).variable);
            return text(any_number({0, 1, 255, 256, 100000, -1}));
        case 'v':
            // Not VIRQ_TIMER, which comes by the clock.
            if (one_in(30)) return text(31);
            return text(1 + pick(29));
        case 'e':
            return text(8 + pick(24));
        case 'g':
            return one_in(4) ? "0xfffffff" : text(pick(4));
        case 'y':
            return text(pick(20));
        case 'b':
            return text(pick(256));
        default:
            return text(pick(5000));
    }
}

/// Anything on anything. Nothing here may end the kernel or come by a clock.
void Generator::wild() {
    struct Shape {
        const char* op;
        std::string_view words;
    };
    // Domain, port, vCPU, VIRQ, priority (y), reference, number, entry, frame (g), byte.
    static constexpr Shape kWild[] = {{"au", "dd"},      {"bi", "dp"}, {"bv", "vc"},  {"ip", "c"},   {"cl", "p"},
                                      {"se", "p"},       {"um", "p"},  {"bc", "pc"},  {"pr", "py"},  {"st", "dp"},
                                      {"gc", "rdnrdnn"}, {"gq", "d"},  {"tr", "gdr"}, {"ge", "edgb"}};
    const std::uint32_t shape = pick(std::size(kWild) + 3);
    if (shape < std::size(kWild)) {
        std::string line = me().prefix;
        line += kWild[shape].op;
        for (const char kind : kWild[shape].words) line += ' ' + wild_word(kind);
        perform(line);
        return;
    }
    if (shape == std::size(kWild)) {
        const auto window = window_for_map();
        if (!window) return unmap();
        const std::string flags = wild_word('f'), ref = wild_word('r');
        map_at(*window, {flags, ref, wild_word('d')});
        return;
    }
    if (shape == std::size(kWild) + 1) {
        const unsigned window = pick(16);
        unmap_at(window, wild_word('h'));
        return;
    }
    if (one_in(16)) {
        const std::string dom = one_in(2) ? "0x7ff0" : wild_word('d');
        // A domain that resets its ports is back at the two-level ABI.
        if (say("rs", {dom}).well) {
            me().fifo = false;
            me().fifo_pages = 0;
        }
        return;
    }
    const std::int64_t number = one_in(2) ? 63 : 32;
    say("hc", {text(number), text(15 + pick(40)), "0"});
}

std::string generate(std::uint64_t seed, std::uint64_t length, Tally* tally, const KernelKind& kind) {
    Generator generator(seed, kind);
    std::string script;
    while (generator.tally().operations < length) script += generator.next();
    if (tally) *tally = generator.tally();
    return script;
}

}  // namespace xenrig::hypercalls
