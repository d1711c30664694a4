// A subject's library as a fuzzer needs it: loaded, with what it allocates on the world's heap, and with its static
// data known, so that a world that it is part of can be put back.
//
// That goes as long as all its memory is malloc's and its own: a library that calls what keeps a state elsewhere
// (threads, files, thread-local data, strdup) is named as one whose worlds must be made anew. So it does not depend on
// how the library was built. What its constructors allocate at loading is malloc's own, and must stay to the end.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "sim/fuzz/blk_target.h"

namespace xenrig::fuzz {

class SubjectLibrary {
public:
    /// As load_subject(), and EINVAL when it is no subject for this target.
    static Result<SubjectLibrary> load(const BlkTarget& target, const std::string& path);

    const SubjectPtr& subject() const { return subject_; }
    /// Why its memory can't be put back; empty when it can.
    const std::string& why_not() const { return why_not_; }
    /// Its static data, whole pages.
    const std::vector<std::span<std::byte>>& data() const { return data_; }
    /// Where it counts what it reaches, when it was built to (-fsanitize=fuzzer-no-link): not to be put back.
    std::span<std::byte> counters() const { return counters_; }

private:
    /// On the world's heap.
    SubjectPtr subject_;
    std::string why_not_;
    std::vector<std::span<std::byte>> data_;
    std::span<std::byte> counters_;
};

}  // namespace xenrig::fuzz
