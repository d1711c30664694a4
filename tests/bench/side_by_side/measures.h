// What is asked of every server in turn, and what it costs.
//
// A figure is the median over many short bursts, and the servers take turns burst by burst, so that what else the
// machine does meets them all alike.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client.h"
#include "servers.h"

namespace xenrig::side_by_side {

/// A server and what has been done to it so far.
struct Contestant {
    Server server;
    bool echo = false;
    std::unique_ptr<Client> client;
    long others = 0;   ///< nodes beside the working set
    bool out = false;  ///< it could not take as many in time
};

struct Row {
    std::string name, unit;
    std::vector<std::optional<double>> figures;  ///< one for each contestant
};

struct Effort {
    int rounds = 21;
    int burst = 300;
    double seconds_to_fill = 20;  ///< for one server and one size
};

using Contestants = std::vector<Contestant>;

/// The hundred nodes that the bursts work on.
void prepare(Contestant& contestant);
/// Fills up to `others` nodes with short names and values; the server's bytes for each of those that were new.
std::optional<double> fill(Contestant& contestant, long others, const Effort& effort);
/// Processor time of the server for a read, a write, a transaction and a directory: four rows.
std::vector<Row> operations(Contestants& contestants, const std::string& beside, const Effort& effort);
/// The same for a write alone.
Row writes(Contestants& contestants, const std::string& beside, const Effort& effort);
/// From a client's write to another client's event: the median and the 99th percentile.
std::vector<Row> watch_delivery(Contestants& contestants, const Effort& effort);
/// A directory of `children`: creating them, listing it by DIRECTORY_PART, writing in it.
std::vector<Row> one_directory(Contestants& contestants, long children, const Effort& effort);

}  // namespace xenrig::side_by_side
