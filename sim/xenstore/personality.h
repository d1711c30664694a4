// Which of the two xenstore daemons the store answers as: guests meet both.
#pragma once

#include <cstdint>

namespace xenrig::xenstore {

enum class Personality : std::uint8_t {
    c,  ///< C xenstored, development head: the reference
    o,  ///< oxenstored 4.17: snapshot transactions with merge, events after the reply (oxenstored/service.h)
};

constexpr bool supported(Personality personality) {
    return personality == Personality::c || personality == Personality::o;
}

}  // namespace xenrig::xenstore
