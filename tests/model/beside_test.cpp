// The same random conversations with oxenstored, where there is one: XENRIG_XENSTORED_O names its socket. What it holds
// is swept away. store_beside plays more of them, and shows where C xenstored 4.17 answers otherwise than head does.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/model/compare.h"
#include "tests/model/generate.h"

namespace xenrig::model {
namespace {

TEST(StoreBeside, OxenstoredIsHeardAlike) {
    const char* socket = std::getenv("XENRIG_XENSTORED_O");
    if (socket == nullptr) GTEST_SKIP() << "XENRIG_XENSTORED_O names no socket of a running oxenstored";
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const Conversation conversation =
            generate(seed, {.guests = false, .pipelines = false, .malformed = true, .only_4_17 = true});
        std::string why;
        const auto real = daemon_behind(socket, why);
        ASSERT_NE(real, nullptr) << why;
        const auto ours = store_in_process(Daemon::o);
        const auto found = differ(conversation, *real, *ours);
        ASSERT_FALSE(found) << "seed " << seed << "\n" << report(conversation, *found);
    }
}

}  // namespace
}  // namespace xenrig::model
