// Which of the two xenstore daemons the store answers as: guests meet both.
//
// Only C xenstored is there so far; a daemon asked for the other one says so (supported()).
#pragma once

#include <cstdint>

namespace xenrig::xenstore {

enum class Personality : std::uint8_t {
    c,  ///< C xenstored, development head: the reference
    o,  ///< oxenstored: snapshot transactions with merge, events after the reply
};

constexpr bool supported(Personality personality) { return personality == Personality::c; }

}  // namespace xenrig::xenstore
