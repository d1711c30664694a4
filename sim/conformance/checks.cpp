#include "sim/conformance/checks.h"

namespace xenrig::conformance {

std::vector<Check> checks_against(const Subjects& subjects, Effort effort) {
    std::vector<Check> list;
    for (auto part : {ring_checks(subjects, effort), xenbus_checks(subjects, effort), blkif_checks(subjects, effort)})
        list.insert(list.end(), std::make_move_iterator(part.begin()), std::make_move_iterator(part.end()));
    return list;
}

const std::vector<Check>& checks() {
    static const std::vector<Check> all = checks_against(own_drivers());
    return all;
}

}  // namespace xenrig::conformance
