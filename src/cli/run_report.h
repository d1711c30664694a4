// What `xenrig run` and `xenrig replay` say of a run.
#pragma once

#include <string>

#include "xenrig/world/run.h"

namespace xenrig::cli {

/// What follows a token on the command line of its replay: " --scenario FILE --subject ./libmine.so", as far as needed.
std::string replay_arguments(const std::string& scenario, const std::string& subject);

/// On stdout. `trace`: the last records too, where something is wrong; `again`: of replay_arguments(). kWell or
/// kFoundWrong.
int tell(const world::RunReport& report, bool trace, const std::string& again);

}  // namespace xenrig::cli
