// Scenarios as TOML: every key is known or refused with its line and the nearest word that would have been right.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "xenrig/abi/vbd.h"
#include "xenrig/world/scenario.h"

namespace xenrig::world {

namespace {

/// Levenshtein's distance, for "did you mean".
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
        }
    }
    return row[b.size()];
}

/// Reads one table; the first error sticks, and keys that nobody asked for are one.
class Table {
public:
    Table(const toml::table& table, std::string where, const std::string& file, std::optional<Error>& error)
        : table_(table), where_(std::move(where)), file_(file), error_(error) {}

    bool has(const char* key) const { return table_.contains(key); }

    std::string text(const char* key, std::string absent) {
        const toml::node* n = node(key);
        if (!n) return absent;
        if (const auto v = n->value<std::string>()) return *v;
        wrong(*n, std::string(key) + " must be text in quotes");
        return absent;
    }

    /// One of a few words; their position.
    std::size_t word(const char* key, std::initializer_list<std::string_view> words) {
        const toml::node* n = node(key);
        if (!n) return 0;
        const std::string v = n->value<std::string>().value_or("");
        const auto found = std::find(words.begin(), words.end(), v);
        if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
        std::string what = std::string(key) + " must be one of";
        for (const std::string_view w : words) what += " \"" + std::string(w) + "\"";
        wrong(*n, what);
        return 0;
    }

    bool flag(const char* key, bool absent) {
        const toml::node* n = node(key);
        if (!n) return absent;
        if (n->is_boolean()) return **n->as_boolean();
        wrong(*n, std::string(key) + " must be true or false");
        return absent;
    }

    std::uint64_t number(const char* key, std::uint64_t absent, std::uint64_t max) {
        const toml::node* n = node(key);
        if (!n) return absent;
        return checked(*n, key, n->is_integer() ? **n->as_integer() : -1, absent, max);
    }

    unsigned small(const char* key, unsigned absent) { return static_cast<unsigned>(number(key, absent, 1'000'000)); }

    /// Bytes: a number, or text with a unit: "16MiB".
    std::uint64_t size(const char* key, std::uint64_t absent) {
        const toml::node* n = node(key);
        if (!n) return absent;
        if (n->is_integer()) return checked(*n, key, **n->as_integer(), absent, 1ull << 46);
        const std::string v = n->value<std::string>().value_or("");
        std::size_t digits = 0;
        while (digits < v.size() && v[digits] >= '0' && v[digits] <= '9') ++digits;
        static constexpr std::pair<std::string_view, unsigned> kUnits[] = {
            {"", 0}, {"B", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
        for (const auto& [unit, shift] : kUnits)
            if (digits != 0 && digits < 10 && v.substr(digits) == unit)
                return std::stoull(v.substr(0, digits)) << shift;
        wrong(*n, std::string(key) + " must be bytes, as 1048576 or \"1MiB\"");
        return absent;
    }

    /// Two numbers, [from, to].
    std::pair<std::uint64_t, std::uint64_t> range(const char* key, std::pair<std::uint64_t, std::uint64_t> absent) {
        const toml::node* n = node(key);
        if (!n) return absent;
        const toml::array* a = n->as_array();
        if (a && a->size() == 2 && (*a)[0].is_integer() && (*a)[1].is_integer() && **(*a)[0].as_integer() >= 0 &&
            **(*a)[1].as_integer() >= 0)
            return {static_cast<std::uint64_t>(**(*a)[0].as_integer()),
                    static_cast<std::uint64_t>(**(*a)[1].as_integer())};
        wrong(*n, std::string(key) + " must be two numbers, [from, to]");
        return absent;
    }

    /// Numbers, whole or not, in units of 1 / `scale`.
    std::vector<std::uint64_t> numbers(const char* key, double scale, std::vector<std::uint64_t> absent) {
        const toml::node* n = node(key);
        if (!n) return absent;
        std::vector<std::uint64_t> list;
        const toml::array* a = n->as_array();
        for (std::size_t i = 0; a && i < a->size(); ++i)
            if (const auto v = (*a)[i].value<double>(); v && *v >= 0 && *v < 1e6)
                list.push_back(static_cast<std::uint64_t>(std::llround(*v * scale)));
        if (!a || list.size() != a->size()) wrong(*n, std::string(key) + " must be a list of numbers, [1, 1.5]");
        return list;
    }

    std::vector<std::string> texts(const char* key) {
        std::vector<std::string> list;
        const toml::node* n = node(key);
        if (!n) return list;
        const toml::array* a = n->as_array();
        if (!a) wrong(*n, std::string(key) + " must be a list of texts, [\"...\"]");
        for (std::size_t i = 0; a && i < a->size(); ++i) {
            if (const auto v = (*a)[i].value<std::string>())
                list.push_back(*v);
            else
                wrong((*a)[i], std::string(key) + " must be a list of texts, [\"...\"]");
        }
        return list;
    }

    /// The tables [key.NAME], in the order of the file.
    template <class F>
    void each(const char* key, F read) {
        const toml::node* n = node(key);
        if (!n) return;
        const toml::table* group = n->as_table();
        if (!group) return wrong(*n, std::string("write [") + key + ".NAME], a table for each");
        std::vector<std::pair<const toml::table*, std::string>> tables;
        for (const auto& [name, value] : *group) {
            if (!value.is_table()) return wrong(value, std::string("write [") + key + ".NAME], a table for each");
            tables.emplace_back(value.as_table(), std::string(name.str()));
        }
        std::stable_sort(tables.begin(), tables.end(), [](const auto& a, const auto& b) {
            return a.first->source().begin.line < b.first->source().begin.line;
        });
        for (const auto& [table, name] : tables) {
            Table inner{*table, "[" + std::string(key) + "." + name + "]", file_, error_};
            read(inner, name);
            inner.refuse_unknown();
        }
    }

    /// The table [key], which there is once.
    template <class F>
    void one(const char* key, F read) {
        if (const toml::node* n = table_.get(key); n && !n->is_table())
            return wrong(*n, std::string("write [") + key + "], once");
        list(key, read);
    }

    /// The tables [[key]], or one [key].
    template <class F>
    void list(const char* key, F read) {
        const toml::node* n = node(key);
        if (!n) return;
        std::vector<const toml::table*> tables;
        if (n->is_table()) tables.push_back(n->as_table());
        if (const toml::array* a = n->as_array())
            for (const toml::node& x : *a)
                if (x.is_table()) tables.push_back(x.as_table());
        if (tables.empty()) return wrong(*n, std::string("write [") + key + "], or [[" + key + "]] for several");
        for (const toml::table* table : tables) {
            Table inner{*table, "[" + std::string(key) + "]", file_, error_};
            read(inner);
            inner.refuse_unknown();
        }
    }

    void wrong(const toml::node& n, const std::string& what) { wrong(n.source(), what); }
    void wrong_key(const char* key, const std::string& what) { wrong(*table_.get(key), what); }

    void refuse_unknown() {
        for (const auto& [key, value] : table_) {
            const std::string name{key.str()};
            if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
            const auto near = std::min_element(known_.begin(), known_.end(), [&](const auto& a, const auto& b) {
                return distance(a, name) < distance(b, name);
            });
            std::string what = "unknown key '" + name + "'" + (where_.empty() ? "" : " in " + where_);
            if (near != known_.end() && distance(*near, name) <= 2) {
                what += "; did you mean '" + *near + "'?";
            } else {
                what += "; known are";
                for (const std::string& k : known_) what += " " + k;
            }
            return wrong(key.source(), what);
        }
    }

private:
    const toml::node* node(const char* key) {
        known_.emplace_back(key);
        return table_.get(key);
    }

    std::uint64_t checked(const toml::node& n, const char* key, std::int64_t v, std::uint64_t absent,
                          std::uint64_t max) {
        if (v >= 0 && static_cast<std::uint64_t>(v) <= max) return static_cast<std::uint64_t>(v);
        wrong(n, std::string(key) + " must be a number from 0 to " + std::to_string(max));
        return absent;
    }

    void wrong(const toml::source_region& at, const std::string& what) {
        if (!error_) error_ = Error{Errno::inval, file_ + ":" + std::to_string(at.begin.line) + ": " + what};
    }

    const toml::table& table_;
    std::string where_;
    const std::string& file_;
    std::optional<Error>& error_;
    std::vector<std::string> known_;
};

void read_locking(Table& t, LockingSpec& l) {
    l.guest = t.text("guest", l.guest);
    static constexpr LockKind kKinds[] = {LockKind::spin, LockKind::adaptive, LockKind::block};
    if (t.has("kinds")) {
        l.kinds.clear();
        for (const std::string& kind : t.texts("kinds")) {
            const auto found = std::ranges::find(kKinds, kind, [](LockKind k) { return std::string_view(name(k)); });
            if (found == std::end(kKinds)) return t.wrong_key("kinds", R"(kinds must be of "spin" "adaptive" "block")");
            l.kinds.push_back(*found);
        }
    }
    const auto ratios = t.numbers("vcpus-per-cpu", 100, {l.overcommits.begin(), l.overcommits.end()});
    l.overcommits.assign(ratios.begin(), ratios.end());
    std::vector<std::uint64_t> holds(l.holds.size());
    std::ranges::transform(l.holds, holds.begin(), &Nanoseconds::value);
    holds = t.numbers("section-us", 1000, holds);
    l.holds.resize(holds.size());
    std::ranges::transform(holds, l.holds.begin(), [](std::uint64_t n) { return Nanoseconds{n}; });
    l.outside = t.small("outside", l.outside);
    l.duration = Nanoseconds{t.number("duration-ms", l.duration.value / 1'000'000, 100'000) * 1'000'000};
    l.seeds = t.small("seeds", l.seeds);
}

void read_costs(Table& t, LockCosts& c) {
    constexpr std::uint64_t kMost = 1'000'000'000;
    c.spin_round_ns = t.number("spin-round-ns", c.spin_round_ns, kMost);
    c.context_switch_ns = t.number("context-switch-ns", c.context_switch_ns, kMost);
    c.hypercall_ns = t.number("hypercall-ns", c.hypercall_ns, kMost);
    c.upcall_ns = t.number("upcall-ns", c.upcall_ns, kMost);
    c.vcpu_switch_ns = t.number("vcpu-switch-ns", c.vcpu_switch_ns, kMost);
}

BlockUnits read_units(Table& t) {
    return static_cast<BlockUnits>(t.word("block-units", {"head", "4.17", "freebsd", "mini-os", "tapdisk"}));
}

void read_disk(Table& t, DiskSpec& d) {
    static constexpr DiskKind kKinds[] = {DiskKind::ram, DiskKind::simulated, DiskKind::file};
    d.kind = kKinds[t.word("kind", {"ram", "simulated", "file"})];
    if (d.kind == DiskKind::file) d.size = 0;
    d.size = t.size("size", d.size);
    d.path = t.text("path", "");
    d.sector_size = t.small("sector-size", d.sector_size);
    d.read_only = t.flag("read-only", d.read_only);
    d.write_cache = t.flag("write-cache", d.write_cache);
    const auto [from, to] = t.range("latency-us", {d.latency_min.value / 1000, d.latency_max.value / 1000});
    d.latency_min = Nanoseconds{from * 1000};
    d.latency_max = Nanoseconds{to * 1000};
}

void read_guest(Table& t, GuestSpec& g) {
    g.host = t.text("host", "");
    g.bits = t.small("bits", g.bits);
    g.vcpus = t.small("vcpus", g.vcpus);
    g.frames = t.number("frames", g.frames, 1 << 20);
    g.units = read_units(t);
    g.weight = static_cast<unsigned>(t.number("weight", g.weight, 65535));
    g.cap = static_cast<unsigned>(t.number("cap", g.cap, 6400));
    std::uint32_t nth = 0;
    for (const std::string& d : t.texts("disk")) {
        const auto at = d.find('@');
        const std::string named = d.substr(0, at);
        const auto colon = named.find(':');
        const std::string device = vbd_name(vbd_number({.disk = nth++}).value_or(0));
        g.disks.push_back({named.substr(0, colon), colon == std::string::npos ? device : named.substr(colon + 1),
                           at == std::string::npos ? "" : d.substr(at + 1)});
    }
    for (const std::string& d : t.texts("cdrom")) {
        const auto colon = d.find(':');
        g.disks.push_back({.disk = d.substr(0, colon),
                           .device = colon == std::string::npos ? "hdc" : d.substr(colon + 1),
                           .cdrom = true});
    }
}

void read_workload(Table& t, WorkloadSpec& w) {
    w.device = t.text("disk", "xvda");
    w.operations = t.small("operations", w.operations);
    w.in_flight = t.small("in-flight", w.in_flight);
    w.blocks = t.small("blocks", w.blocks);
    w.block_size = static_cast<unsigned>(std::min<std::uint64_t>(t.size("block-size", w.block_size), ~0u));
    w.reads = t.small("reads", w.reads);
    w.writes = t.small("writes", w.writes);
    w.flushes = t.small("flushes", w.flushes);
    w.discards = t.small("discards", w.discards);
    w.barriers = t.small("barriers", w.barriers);
}

void read_changes(Table& top, Scenario& s) {
    top.list("resize", [&](Table& t) {
        ChangeSpec& c = s.changes.emplace_back();
        c.disk = t.text("disk", s.disks.empty() ? "" : s.disks.front().name);
        c.size = t.size("to", 0);
        c.after_operations = t.small("after-operations", 0);
    });
    top.list("medium", [&](Table& t) {
        ChangeSpec& c = s.changes.emplace_back();
        c.kind = ChangeKind::medium;
        c.guest = t.text("guest", s.guests.empty() ? "" : s.guests.front().name);
        c.device = t.text("device", "");
        c.disk = t.text("disk", "");
        c.eject = t.flag("eject", false);
        c.after_operations = t.small("after-operations", 0);
    });
    top.list("hotplug", [&](Table& t) {
        ChangeSpec& c = s.changes.emplace_back();
        c.kind = ChangeKind::hotplug;
        c.guest = t.text("guest", s.guests.empty() ? "" : s.guests.front().name);
        c.device = t.text("device", "xvda");
        c.force = t.flag("force", false);
        c.after_operations = t.small("after-operations", 0);
    });
}

}  // namespace

Result<Scenario> parse_scenario(std::string_view text, const std::string& file) {
    const toml::parse_result parsed = toml::parse(text, file);
    if (!parsed) {
        const auto& e = parsed.error();
        return fail(Errno::inval,
                    file + ":" + std::to_string(e.source().begin.line) + ": " + std::string(e.description()));
    }

    std::optional<Error> error;
    Scenario s;
    Table top{parsed.table(), "", file, error};
    s.name = top.text("scenario", "");
    s.version = top.small("version", s.version);
    s.description = top.text("description", "");
    s.block_features = static_cast<FeatureChoice>(top.word("block-features", {"drawn", "plain", "all"}));
    top.each("host", [&](Table& t, const std::string& name) {
        s.hosts.push_back({name, read_units(t), static_cast<unsigned>(t.number("cpus", 0, 64))});
    });
    top.each("disk", [&](Table& t, const std::string& name) {
        s.disks.push_back({.name = name});
        read_disk(t, s.disks.back());
    });
    top.each("driver", [&](Table& t, const std::string& name) {
        DriverSpec& d = s.drivers.emplace_back();
        d.name = name;
        d.host = t.text("host", "");
        d.bits = t.small("bits", d.bits);
        d.vcpus = t.small("vcpus", d.vcpus);
        d.frames = t.number("frames", d.frames, 1 << 20);
    });
    top.each("guest", [&](Table& t, const std::string& name) {
        s.guests.push_back({.name = name});
        read_guest(t, s.guests.back());
    });
    top.each("workload", [&](Table& t, const std::string& name) {
        s.workloads.push_back({.guest = name});
        read_workload(t, s.workloads.back());
    });
    top.list("migrate", [&](Table& t) {
        MigrateSpec& m = s.migrations.emplace_back();
        m.guest = t.text("guest", s.guests.empty() ? "" : s.guests.front().name);
        m.to = t.text("to", "");
        m.after_operations = t.small("after-operations", m.after_operations);
        m.cancel = t.flag("cancel", m.cancel);
    });
    top.list("fault", [&](Table& t) {
        FaultSpec& f = s.faults.emplace_back();
        f.kind = static_cast<FaultKind>(t.word("kind", {"power-cut", "backend-dies", "guest-dies", "hypercall-fails"}));
        const auto first = [](const auto& list) { return list.empty() ? std::string() : list.front().name; };
        switch (f.kind) {
            case FaultKind::power_cut:
                f.disk = t.text("disk", first(s.disks));
                break;
            case FaultKind::backend_dies:
                f.driver = t.text("driver", first(s.drivers));
                break;
            case FaultKind::guest_dies:
                f.guest = t.text("guest", first(s.guests));
                break;
            case FaultKind::hypercall_fails:
                f.guest = t.text("guest", first(s.guests));
                f.at_backend = t.word("end", {"frontend", "backend"}) == 1;
                f.nth = t.small("nth", f.nth);
                break;
        }
        f.after_operations = t.small("after-operations", f.after_operations);
    });
    read_changes(top, s);
    top.one("locking", [&](Table& t) {
        s.locking.emplace();
        if (!s.guests.empty()) s.locking->guest = s.guests.front().name;
        read_locking(t, *s.locking);
    });
    top.one("costs", [&](Table& t) {
        if (!s.locking) return top.wrong_key("costs", "[costs] are those of a [locking], and there is none");
        read_costs(t, s.locking->costs);
    });
    top.refuse_unknown();
    if (error) return std::unexpected(*error);
    if (auto valid = s.validate(); !valid) return fail(valid.error().code, file + ": " + valid.error().message);
    return s;
}

Result<Scenario> load_scenario(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    // An empty file streams nothing, which sets the stream's failbit: a scenario without a name is another error.
    if (in && in.peek() != std::ifstream::traits_type::eof()) text << in.rdbuf();
    if (!in && !in.eof())
        return fail(Errno::noent, file + ": can't be read; scenarios that come with xenrig are in fixtures/scenarios/");
    return parse_scenario(text.str(), file);
}

}  // namespace xenrig::world
