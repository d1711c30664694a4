#include "xenrig/shared/lease.h"

namespace xenrig::shared {

const char* describe(LeaseEnd end) {
    switch (end) {
        case LeaseEnd::none:
            return "in use";
        case LeaseEnd::unmapped:
            return "unmapped";
        case LeaseEnd::freed:
            return "freed";
        case LeaseEnd::epoch_over:
            return "of an epoch that is over";
        case LeaseEnd::domain_dead:
            return "of a dead domain";
    }
    return "?";
}

}  // namespace xenrig::shared
