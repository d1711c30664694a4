// What a frontend has asked on one ring, and what it may expect of the answers as long as it has told no lie: one for
// each request, with its id and operation, and OKAY for nothing that makes no sense.
//
// Who writes where it should not, into slots or indices, takes nodes away or closes ports, gets whatever comes of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/fuzz/request_sense.h"

namespace xenrig::fuzz {

class AnswerBook {
public:
    /// The ring is connected in the usual way.
    void begin() { honest_ = true; }
    void lie() { honest_ = false; }
    bool honest() const { return honest_; }

    /// `nonsense`: why the request can't be done; empty when perhaps it can.
    void asked(const RequestView& request, std::string nonsense);
    /// From now on nobody knows which grants are good.
    void grants_changed();
    /// An answer, as it was read: what is wrong with it, or empty.
    std::string answered(std::uint64_t id, std::uint8_t operation, std::int16_t status);
    std::size_t unanswered() const { return open_.size(); }

private:
    struct Asked {
        std::uint64_t id;
        std::uint8_t operation;
        /// What an indirect request does: it may be answered with either.
        std::uint8_t inner;
        std::string nonsense;
    };

    bool honest_ = false, grants_known_ = true;
    std::vector<Asked> open_;
};

}  // namespace xenrig::fuzz
