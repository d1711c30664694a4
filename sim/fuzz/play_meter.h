// What a play of an input did: counts from its beginning to its end.
#pragma once

#include "sim/fuzz/blk_target.h"
#include "sim/fuzz/stage.h"

namespace xenrig::fuzz {

class PlayMeter {
public:
    explicit PlayMeter(Stage& stage)
        : stage_(stage), steps_(stage.engine().steps()), accesses_(stage.engine().accesses()) {}

    void finish(PlayReport& report) const {
        const engine::Engine& e = stage_.engine();
        report.problems = e.problems();
        report.hash = e.trace_log().hash();
        report.steps = e.steps() - steps_;
        report.accesses = e.accesses() - accesses_;
        if (report.problems.empty()) return;
        constexpr std::size_t kTail = 40;
        for (const engine::Record& record : e.trace_log().last(kTail))
            report.trace_tail.push_back(engine::describe(record, e.cpu_name(record.cpu)));
    }

private:
    Stage& stage_;
    std::uint64_t steps_, accesses_;
};

}  // namespace xenrig::fuzz
