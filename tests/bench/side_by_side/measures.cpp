#include "measures.h"

#include <algorithm>
#include <charconv>
#include <chrono>

namespace xenrig::side_by_side {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::string_view_literals;

constexpr int kWorkingSet = 100;

double microseconds(Clock::duration d) { return std::chrono::duration<double, std::micro>(d).count(); }
double seconds(Clock::duration d) { return std::chrono::duration<double>(d).count(); }

double percentile(std::vector<double> values, double p) {
    std::sort(values.begin(), values.end());
    return values[static_cast<std::size_t>(p * static_cast<double>(values.size() - 1))];
}

std::string nul(std::string text) {
    text.push_back('\0');
    return text;
}

std::string work_path(int i) { return nul("/bench/work/" + std::to_string(i % kWorkingSet)); }

void read_one(Client& client, int i) { client.must(XS_READ, work_path(i)); }
void write_one(Client& client, int i) { client.must(XS_WRITE, work_path(i) + "value"); }
void list_one(Client& client, int) { client.must(XS_DIRECTORY, "/bench/work\0"sv); }

void transact(Client& client, int) {
    const auto begun = client.must(XS_TRANSACTION_START, "\0"sv);
    std::uint32_t id = 0;
    std::from_chars(begun.payload.data(), begun.payload.data() + begun.payload.size(), id);
    client.must(XS_READ, "/bench/tx\0"sv, id);
    client.must(XS_WRITE, "/bench/tx\0value"sv, id);
    client.must(XS_TRANSACTION_END, "T\0"sv, id);
}

using Operation = void (*)(Client&, int);

double burst_cpu_us(Contestant& c, Operation operation, int times) {
    const std::uint64_t before = c.server.cpu_ns();
    for (int i = 0; i < times; ++i) operation(*c.client, i);
    return static_cast<double>(c.server.cpu_ns() - before) / 1e3 / times;
}

Row measure(Contestants& contestants, const std::string& name, Operation operation, int times, int rounds) {
    std::vector<std::vector<double>> figures(contestants.size());
    for (int round = 0; round <= rounds; ++round) {
        for (std::size_t i = 0; i < contestants.size(); ++i) {
            if (contestants[i].out) continue;
            const double us = burst_cpu_us(contestants[i], operation, times);
            if (round != 0) figures[i].push_back(us);
        }
    }
    Row row{name, "us CPU", {}};
    for (const auto& f : figures) row.figures.push_back(f.empty() ? std::nullopt : std::optional(percentile(f, 0.5)));
    return row;
}

/// Writes nodes from `from` to `to`, many under way at a time; how far it came before the time was up.
template <class PathOf>
long write_nodes(Client& client, long from, long to, double time, PathOf path_of) {
    constexpr long kUnderWay = 64;
    const auto began = Clock::now();
    while (from < to && seconds(Clock::now() - began) < time) {
        const long now = std::min(kUnderWay, to - from);
        for (long i = 0; i < now; ++i) client.stage(XS_WRITE, path_of(from + i) + "value");
        client.send();
        for (long i = 0; i < now; ++i)
            if (client.receive().type == XS_ERROR) die("a server refuses a node");
        from += now;
    }
    return from;
}

std::optional<double> list_ms(Contestant& c) {
    const std::uint64_t before = c.server.cpu_ns();
    std::size_t offset = 0;
    for (;;) {
        const auto part = c.client->call(XS_DIRECTORY_PART, nul("/large") + nul(std::to_string(offset)));
        if (part.type == XS_ERROR) return std::nullopt;
        const std::string_view names = part.payload.substr(part.payload.find('\0') + 1);
        // The last part ends in an empty name.
        if (names.empty() || names == "\0"sv || names.ends_with("\0\0"sv)) break;
        offset += names.size();
    }
    return static_cast<double>(c.server.cpu_ns() - before) / 1e6;
}

}  // namespace

void prepare(Contestant& c) {
    c.client = std::make_unique<Client>(c.server.socket());
    for (int i = 0; i < kWorkingSet; ++i) write_one(*c.client, i);
    c.client->must(XS_WRITE, "/bench/tx\0value"sv);
}

std::optional<double> fill(Contestant& c, long others, const Effort& effort) {
    if (c.echo || c.out) return std::nullopt;
    const std::uint64_t before = c.server.resident_bytes();
    const long had = c.others;
    c.others = write_nodes(*c.client, had, others, effort.seconds_to_fill, [](long i) {
        return nul("/other/" + std::to_string(i / 100) + "/node" + std::to_string(i % 100));
    });
    c.out = c.others < others;
    return static_cast<double>(c.server.resident_bytes() - before) / static_cast<double>(c.others - had);
}

std::vector<Row> operations(Contestants& contestants, const std::string& beside, const Effort& effort) {
    std::vector<Row> rows;
    rows.push_back(measure(contestants, "read, " + beside, read_one, effort.burst, effort.rounds));
    rows.push_back(measure(contestants, "write, " + beside, write_one, effort.burst, effort.rounds));
    rows.push_back(measure(contestants, "transaction, " + beside, transact, effort.burst / 4, effort.rounds));
    rows.push_back(measure(contestants, "directory of 100, " + beside, list_one, effort.burst, effort.rounds));
    return rows;
}

Row writes(Contestants& contestants, const std::string& beside, const Effort& effort) {
    return measure(contestants, "write, " + beside, write_one, effort.burst, effort.rounds);
}

std::vector<Row> watch_delivery(Contestants& contestants, const Effort& effort) {
    std::vector<Row> rows{{"watch delivery, median", "us", {}}, {"watch delivery, p99", "us", {}}};
    std::vector<std::vector<double>> medians(contestants.size());
    std::vector<std::vector<double>> p99s(contestants.size());
    std::vector<std::optional<Client>> watchers(contestants.size());
    for (std::size_t i = 0; i < contestants.size(); ++i) {
        if (contestants[i].echo) continue;
        Client& watcher = watchers[i].emplace(contestants[i].server.socket());
        watcher.must(XS_WATCH, "/bench/watched\0token\0"sv);
        if (watcher.receive().type != XS_WATCH_EVENT) die("a new watch has no event");
    }
    for (int round = 0; round <= effort.rounds; ++round) {
        for (std::size_t i = 0; i < contestants.size(); ++i) {
            if (!watchers[i]) continue;
            std::vector<double> delays;
            for (int k = 0; k < effort.burst; ++k) {
                const auto began = Clock::now();
                contestants[i].client->stage(XS_WRITE, "/bench/watched\0value"sv);
                contestants[i].client->send();
                watchers[i]->receive();
                delays.push_back(microseconds(Clock::now() - began));
                contestants[i].client->receive();
            }
            if (round == 0) continue;
            medians[i].push_back(percentile(delays, 0.5));
            p99s[i].push_back(percentile(delays, 0.99));
        }
    }
    for (std::size_t i = 0; i < contestants.size(); ++i) {
        rows[0].figures.push_back(watchers[i] ? std::optional(percentile(medians[i], 0.5)) : std::nullopt);
        rows[1].figures.push_back(watchers[i] ? std::optional(percentile(p99s[i], 0.5)) : std::nullopt);
    }
    return rows;
}

std::vector<Row> one_directory(Contestants& contestants, long children, const Effort& effort) {
    std::vector<Row> rows{{"one directory: children that it took", "", {}},
                          {"one directory: create", "us CPU", {}},
                          {"one directory: list all in parts", "ms CPU", {}},
                          {"one directory: write in it", "us CPU", {}}};
    for (Contestant& c : contestants) {
        for (Row& row : rows) row.figures.emplace_back();
        if (c.echo) continue;
        const auto path = [](long i) { return nul("/large/node" + std::to_string(i)); };
        const std::uint64_t before = c.server.cpu_ns();
        const long made = write_nodes(*c.client, 0, children, effort.seconds_to_fill, path);
        rows[0].figures.back() = static_cast<double>(made);
        rows[1].figures.back() = static_cast<double>(c.server.cpu_ns() - before) / 1e3 / static_cast<double>(made);
        rows[2].figures.back() = list_ms(c);
        const std::uint64_t listed = c.server.cpu_ns();
        for (int i = 0; i < effort.burst; ++i) c.client->must(XS_WRITE, path(i * 7'919L % made) + "other");
        rows[3].figures.back() = static_cast<double>(c.server.cpu_ns() - listed) / 1e3 / effort.burst;
    }
    return rows;
}

}  // namespace xenrig::side_by_side
