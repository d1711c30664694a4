#include "sim/conformance/checks.h"

namespace xenrig::conformance {

const std::vector<Check>& checks() {
    static const std::vector<Check> all = [] {
        std::vector<Check> list;
        for (auto part : {ring_checks(), xenbus_checks(), blkif_checks()})
            list.insert(list.end(), std::make_move_iterator(part.begin()), std::make_move_iterator(part.end()));
        return list;
    }();
    return all;
}

}  // namespace xenrig::conformance
