#include "sim/hypercalls/generator.h"

#include <algorithm>
#include <initializer_list>

namespace xenrig::hypercalls {

namespace {

constexpr std::int64_t kSelf = DOMID_SELF;
/// Bounds that keep every kind of collision likely.
constexpr std::size_t kChannelsMax = 24, kMappingsMax = 12;
constexpr std::uint32_t kFirstRef = 8, kRefs = 24;

std::string line_of(const char* name, std::initializer_list<std::string> words) {
    std::string line = name;
    for (const std::string& word : words) line += ' ' + word;
    return line;
}
std::string text(std::int64_t v) { return std::to_string(v); }
std::string variable(std::uint32_t v) { return '$' + std::to_string(v); }

}  // namespace

/// SplitMix64.
std::uint32_t Generator::pick(std::uint32_t n) {
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return static_cast<std::uint32_t>(((z ^ (z >> 31)) >> 32) * n >> 32);
}

Answered Generator::perform(const std::string& line) { return interpreter_.run(*parse_line(line)); }

std::string Generator::next() {
    std::string line;
    if (one_in(8))
        line = wild();
    else
        line = one_in(2) ? channels() : grants();
    return line + '\n';
}

std::string Generator::free_variable() {
    next_variable_ = (next_variable_ + 1) % kVariables;
    return '=' + std::to_string(next_variable_);
}

std::string Generator::port() {
    if (channels_.empty()) return text(pick(64));
    const Channel& channel = any_of(channels_);
    return one_in(2) ? variable(channel.variable) : text(channel.port);
}

std::string Generator::new_channel() {
    const std::uint32_t kind = pick(6);
    const auto bindable = std::ranges::find_if(channels_, &Channel::bindable);
    std::string line;
    bool opens = false;
    if (bindable != channels_.end() && kind < 3) {
        line = line_of("bi", {text(one_in(2) ? kSelf : 0), variable(bindable->variable)});
        bindable->bindable = false;
    } else if (kind < 4) {
        const std::int64_t remotes[] = {kSelf, kSelf, 0, 0, 3};
        const std::int64_t remote = any_of(remotes);
        opens = remote != 3;
        line = line_of("au", {text(one_in(2) ? kSelf : 0), text(remote)});
    } else if (kind == 4) {
        // VIRQ_TIMER is left out: on real Xen it comes by the clock.
        line = line_of("bv", {text(1 + pick(23)), "0"});
    } else {
        line = line_of("ip", {"0"});
    }
    line += ' ' + free_variable();
    const Answered answered = perform(line);
    if (answered.well) channels_.push_back({next_variable_, answered.number, opens});
    return line;
}

std::string Generator::channels() {
    if (channels_.empty() || (channels_.size() < kChannelsMax && one_in(4))) return new_channel();
    std::string line;
    switch (pick(13)) {
        case 0: {
            const std::size_t i = pick(static_cast<std::uint32_t>(channels_.size()));
            line = line_of("cl", {variable(channels_[i].variable)});
            channels_.erase(channels_.begin() + static_cast<std::ptrdiff_t>(i));
            break;
        }
        case 1:
        case 2:
        case 3:
            line = line_of("se", {port()});
            break;
        case 4:
            line = line_of("um", {port()});
            break;
        case 5:
            line = line_of("bc", {port(), text(one_in(4) ? 1 : 0)});
            break;
        case 6:
            line = line_of("st", {text(one_in(2) ? kSelf : 0), port()});
            break;
        case 7:
            line = line_of("mask", {port(), text(pick(2))});
            break;
        case 8:
            line = "clr";
            break;
        default:
            line = line_of("bits", {port()});
            break;
    }
    perform(line);
    return line;
}

std::string Generator::new_entry() {
    const unsigned ref = kFirstRef + pick(kRefs);
    const bool read_only = one_in(4);
    const Entry entry{ref, read_only, pick(4)};
    const std::int64_t flags = GTF_permit_access | (entry.read_only ? GTF_readonly : 0);
    std::erase_if(entries_, [&](const Entry& e) { return e.ref == entry.ref; });
    entries_.push_back(entry);
    return line_of("ge", {text(entry.ref), "0", text(entry.page), text(flags)});
}

std::string Generator::map_entry() {
    const Entry entry = any_of(entries_);
    const unsigned window = pick(16);
    const std::int64_t flags =
        GNTMAP_host_map | GNTMAP_application_map | (entry.read_only || one_in(3) ? GNTMAP_readonly : 0);
    std::string line = line_of("gm", {text(window), text(flags), text(entry.ref), "0", free_variable()});
    if (perform(line).well) mappings_.push_back({next_variable_, window});
    return line;
}

std::string Generator::copy_entries() {
    const Entry from = any_of(entries_);
    const Entry to = any_of(entries_);
    const std::int64_t length = pick(256);
    const auto side = [&](const Entry& e, std::uint32_t room) {
        const std::string owner = text(one_in(3) ? kSelf : 0);
        return text(e.ref) + ' ' + owner + ' ' + text(pick(room));
    };
    const std::string source = side(from, 3800);
    const std::string dest = side(to, 3900);
    return line_of("gc", {source, dest, text(length)});
}

std::string Generator::unmap() {
    const std::size_t i = pick(static_cast<std::uint32_t>(mappings_.size()));
    const Mapping mapping = mappings_[i];
    mappings_.erase(mappings_.begin() + static_cast<std::ptrdiff_t>(i));
    return line_of("gu", {text(mapping.window), variable(mapping.variable)});
}

std::string Generator::grants() {
    std::string line;
    if (entries_.empty()) {
        line = new_entry();
    } else if (mappings_.size() >= kMappingsMax) {
        line = unmap();
    } else {
        switch (pick(16)) {
            case 0:
                line = new_entry();
                break;
            case 1:
                line = line_of("gx", {text(any_of(entries_).ref)});
                if (!one_in(3)) line = line_of("gf", {text(any_of(entries_).ref)});
                break;
            case 2:
            case 3:
            case 4:
            case 5:
                return map_entry();
            case 6:
            case 7:
            case 8:
                line = mappings_.empty() ? new_entry() : unmap();
                break;
            case 9:
            case 10:
                line = copy_entries();
                break;
            case 11: {
                const std::string page = text(pick(4));
                const std::string offset = text(pick(4096));
                line = line_of("pw", {page, offset, text(pick(256))});
                break;
            }
            case 12:
            case 13: {
                const std::string page = text(pick(4));
                line = line_of("prd", {page, text(pick(4096))});
                break;
            }
            case 14:
                line = line_of("gf", {text(any_of(entries_).ref)});
                break;
            default: {
                const std::string window = text(mappings_.empty() ? pick(16) : any_of(mappings_).window);
                const std::string offset = text(pick(4096));
                line = one_in(2) ? line_of("mr", {window, offset}) : line_of("mw", {window, offset, text(pick(256))});
                break;
            }
        }
    }
    perform(line);
    return line;
}

/// A number at random, or one that is something: the letter of a word in kWild.
std::string Generator::wild_word(char kind) {
    switch (kind) {
        case 'd': {
            const std::int64_t domains[] = {kSelf, 0, 1, 3, DOMID_IO, DOMID_XEN, DOMID_INVALID, 0xffff};
            return text(any_of(domains));
        }
        case 'p': {
            if (!one_in(3)) return port();
            const std::int64_t ports[] = {0, 1, 2, 63, 64, 127, 4095, 4096, 131071, 0x7fffffff, -1};
            return text(any_of(ports));
        }
        case 'r': {
            const std::int64_t refs[] = {0, 7, 8, 9, 20, 40, 511, 512, 4096, -1};
            return text(any_of(refs));
        }
        case 'c': {
            const std::int64_t vcpus[] = {0, 1, 127, 128, -1};
            return text(any_of(vcpus));
        }
        case 'f': {
            const std::int64_t flags[] = {0, GNTMAP_application_map, GNTMAP_host_map, 0xa, 0xe, GNTMAP_readonly};
            return text(any_of(flags));
        }
        case 'h': {
            if (!mappings_.empty() && !one_in(3)) return variable(any_of(mappings_).variable);
            const std::int64_t handles[] = {0, 1, 255, 256, 100000, -1};
            return text(any_of(handles));
        }
        case 'v':
            // Not VIRQ_TIMER, which comes by the clock.
            if (one_in(30)) return text(31);
            return text(1 + pick(29));
        case 'e':
            return text(kFirstRef + pick(kRefs));
        case 'g':
            return one_in(4) ? "0xfffffff" : text(pick(4));
        case 'w':
            return text(pick(16));
        case 'y':
            return text(pick(20));
        case 'b':
            return text(pick(256));
        default:
            return text(pick(5000));
    }
}

/// Anything on anything. Nothing here may end the kernel or come by a clock.
std::string Generator::wild() {
    struct Shape {
        const char* op;
        std::string_view words;
    };
    // Domain, port, vCPU, VIRQ, priority (y), window, flags, reference, handle, number, entry, frame (g), byte.
    static constexpr Shape kWild[] = {{"au", "dd"},   {"bi", "dp"}, {"bv", "vc"},      {"ip", "c"},  {"cl", "p"},
                                      {"se", "p"},    {"um", "p"},  {"bc", "pc"},      {"pr", "py"}, {"st", "dp"},
                                      {"gm", "wfrd"}, {"gu", "wh"}, {"gc", "rdnrdnn"}, {"gq", "d"},  {"ge", "edgb"}};
    std::string line;
    if (const std::uint32_t shape = pick(std::size(kWild) + 1); shape < std::size(kWild)) {
        line = kWild[shape].op;
        for (const char kind : kWild[shape].words) line += ' ' + wild_word(kind);
    } else if (one_in(16)) {
        line = line_of("rs", {one_in(2) ? "0x7ff0" : wild_word('d')});
    } else {
        const std::int64_t number = one_in(2) ? 63 : 32;
        line = line_of("hc", {text(number), text(14 + pick(40)), "0"});
    }
    perform(line);
    return line;
}

std::string generate(std::uint64_t seed, std::uint64_t length, Tally* tally) {
    Generator generator(seed);
    std::string script;
    for (std::uint64_t i = 0; i < length; ++i) script += generator.next();
    if (tally) *tally = generator.tally();
    return script;
}

}  // namespace xenrig::hypercalls
