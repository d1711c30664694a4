// The subjects of conformance checks: those of xenrig/world/subject.h, and Xenrig's own drivers as the first of them.
#pragma once

#include "xenrig/world/subject.h"

namespace xenrig::conformance {

using world::BackendSubject;
using world::DiskSeen;
using world::FrontendSubject;
using world::Subjects;
using world::UserTransfer;

/// Xenrig's own drivers.
Subjects own_drivers();

}  // namespace xenrig::conformance
