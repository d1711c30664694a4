// A second backend of a block device, written for nothing but to be checked: small, slow, right, and without a feature
// that a backend may leave out. It keeps the checks from asking for more than the header does.
//
// One task does all. It shares no code with blkback: rings and states are its own.
#pragma once

#include "sim/conformance/subject.h"

namespace xenrig::conformance {

std::unique_ptr<BackendSubject> scripted_backend(Platform& platform, blk::StorageFactory storage);

}  // namespace xenrig::conformance
