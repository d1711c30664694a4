// Inputs without a fuzzer: seeds with a few bytes changed, pieces repeated and other seeds' pieces put in. The same in
// every run.
#pragma once

#include <string>
#include <vector>

#include "sim/engine/choices.h"
#include "sim/engine/sources.h"

namespace xenrig::fuzz {

class Mutations {
public:
    explicit Mutations(std::vector<std::string> seeds) : seeds_(std::move(seeds)) {}

    std::string next();
    /// Any number below n.
    std::size_t below(std::size_t n) { return choices_.pick(data_, static_cast<std::uint32_t>(n)); }

private:
    std::vector<std::string> seeds_;
    engine::SeededSource source_{7};
    engine::Choices choices_{source_};
    engine::StreamId data_ = choices_.add_stream("fuzz.input", engine::StreamKind::data);
};

}  // namespace xenrig::fuzz
