// Which of the two xenstore daemons the store answers as: guests meet both.
#pragma once

#include <cstdint>

namespace xenrig::xenstore {

enum class Personality : std::uint8_t {
    c,  ///< C xenstored, development head: the reference
    o,  ///< oxenstored: snapshot transactions with merge, events after the reply
};

}  // namespace xenrig::xenstore
