// A disk that grows or shrinks under both ends: what Linux's xen_vbd_resize() writes and what its blkfront makes of it.
#include "stage.h"

#include "xenrig/drivers/blk/wire.h"

namespace xenrig::blk {
namespace {

using namespace test;
using conformance::read_works;
using conformance::send;
using conformance::user_read_works;

constexpr std::uint64_t kSectors = Stage::kSectors;

TEST(BlkbackResize, ANewSizeIsWrittenAndThenTheStateOnceMore) {
    play_often(Role::backend, [](Stage& s) {
        if (!s.connect_frontend()) return;
        const Watched state(s.frontend().platform(), s.backend_path() + "/state");
        s.settle();
        const unsigned before = *state.count;
        s.disk().resize(2 * kSectors * kUnit);
        s.settle();
        s.expect(s.frontend().backend_node("sectors") == std::to_string(2 * kSectors), "the new size is published");
        s.expect(s.frontend().backend_state() == "4", "the device stays connected");
        s.expect(*state.count == before + 1, "the state is written once more, for that is what a frontend watches");
        s.expect(s.frontend().backend_node("sector-size") == "512", "the other properties stay");
        s.disk().resize(2 * kSectors * kUnit);
        s.settle();
        s.expect(*state.count == before + 1, "the same size is no news");
    });
}

TEST(BlkbackResize, RequestsAreHeldAgainstTheNewEnd) {
    play_often(Role::backend, [](Stage& s) {
        if (!s.connect_frontend()) return;
        const auto status = [&](std::uint64_t sector) -> int {
            const auto response = send(s, s.frontend().read(sector, 8).request);
            return response ? response->status : 99;
        };
        s.expect(status(kSectors) == BLKIF_RSP_ERROR, "beyond the end at first");
        s.disk().resize(2 * kSectors * kUnit);
        s.settle();
        s.expect(status(kSectors) == BLKIF_RSP_OKAY, "inside after the disk grew");
        s.expect(status(2 * kSectors - 8) == BLKIF_RSP_OKAY, "up to the new end");
        s.expect(status(2 * kSectors - 7) == BLKIF_RSP_ERROR, "and not beyond it");
        s.disk().resize(kSectors / 2 * kUnit);
        s.settle();
        s.expect(status(kSectors / 2 - 8) == BLKIF_RSP_OKAY, "up to the end of a disk that shrank");
        s.expect(status(kSectors / 2 - 7) == BLKIF_RSP_ERROR, "and not across it");
        s.expect(status(kSectors) == BLKIF_RSP_ERROR, "nor where it ended before");
        s.expect(read_works(s), "the ring goes on");
    });
}

TEST(BlkbackResize, RequestsOnTheRingWhenTheDiskShrinksAreAnsweredOneWayOrTheOther) {
    play_often(Role::backend, [](Stage& s) {
        if (!s.connect_frontend()) return;
        std::vector<RawFrontend::Transfer> asked;
        for (unsigned i = 0; i < 8; ++i)
            asked.push_back(s.frontend().write(kSectors - 64 + 8 * i, sector_pattern(1, 8)));
        for (const auto& t : asked) s.frontend().put(t.request);
        s.frontend().push_and_notify();
        s.step_aside();
        s.disk().resize((kSectors - 32) * kUnit);
        s.settle();
        const auto answers = s.frontend().take_all();
        s.expect(answers.size() == asked.size(), "each is answered once");
        for (const auto& r : answers)
            for (unsigned i = 0; i < 4; ++i)
                s.expect(r.id != asked[i].request.id || r.status == BLKIF_RSP_OKAY, "what lies inside is done");
        s.disk().resize(kSectors * kUnit);
        s.expect(s.on_disk(kSectors - 32, 32) == std::vector<std::byte>(32 * kUnit),
                 "what was cut off is gone when the disk grows again");
    });
}

TEST(BlkbackResize, OfADiskThatNobodyUsesYetIsSeenWhenItConnects) {
    play(Role::backend, [](Stage& s) {
        s.start_subject();
        s.settle();
        s.disk().resize(kSectors / 2 * kUnit);
        s.settle();
        s.expect(s.frontend().backend_node("sectors") == std::nullopt, "before the handshake nothing is said of it");
        s.frontend().make_ring();
        s.frontend().publish();
        s.frontend().state(3);
        s.settle();
        s.expect(s.frontend().backend_node("sectors") == std::to_string(kSectors / 2), "then the size that it has");
    });
}

TEST(BlkfrontResize, IsTakenWhenTheBackendWritesItsStateOnceMore) {
    play_often(Role::frontend, [](Stage& s) {
        if (!s.connect_backend()) return;
        auto beyond = s.read(kSectors + 7, 1);
        s.settle();
        s.expect(beyond->failed(), "a read beyond the end fails");
        s.backend().write("sectors", std::to_string(2 * kSectors));
        s.settle();
        beyond = s.read(kSectors + 7, 1);
        s.settle();
        s.expect(beyond->failed(), "the node alone is no news: its watch is the state's");
        s.backend().state(4);
        s.settle();
        s.expect(user_read_works(s, kSectors + 7), "the new end counts");
        s.expect(s.backend().frontend_state() == "4", "the device stays connected");
        s.backend().write("sectors", std::to_string(kSectors / 2));
        s.backend().state(4);
        s.settle();
        const auto taken = s.backend().taken();
        beyond = s.read(kSectors / 2, 1);
        s.settle();
        s.expect(beyond->failed() && s.backend().take_all().empty() && s.backend().taken() == taken,
                 "what lies behind the new end is not even asked for");
        s.expect(user_read_works(s, kSectors / 2 - 1), "what lies before it works");
    });
}

TEST(BlkfrontResize, AUserThatWaitsForAnotherSizeIsTold) {
    play(Role::frontend, [](Stage& s) {
        if (!s.connect_backend()) return;
        s.backend().write("sectors", std::to_string(kSectors + 8));
        s.backend().state(4);
        s.settle();
        const auto seen = s.wait_connected();
        s.settle();
        s.expect(seen->well() && seen->disk.bytes == (kSectors + 8) * kUnit, "the disk is as long as the node says");
    });
}

TEST(BlkfrontResize, ASizeThatIsNoNumberClosesTheDeviceWithItsPath) {
    for (const char* garbled : {"", "many", "-1", "18446744073709551616", "1e6", " 4096"})
        play(Role::frontend, [&](Stage& s) {
            if (!s.connect_backend()) return;
            s.backend().write("sectors", garbled);
            s.backend().state(4);
            s.settle();
            s.expect(s.backend().frontend_state() == "6", "the frontend closes", [&] { return garbled; });
            const auto error = s.backend().platform().store().read(StoreTx::none, s.frontend_error_path());
            s.expect(error && error->find("/sectors is '") != std::string::npos, "and says which node it was",
                     [&] { return error.value_or("no error node"); });
        });
}

TEST(BlkfrontResize, ASizeThatIsGoneChangesNothing) {
    play(Role::frontend, [](Stage& s) {
        if (!s.connect_backend()) return;
        s.backend().remove("sectors");
        s.backend().state(4);
        s.settle();
        s.expect(s.backend().frontend_state() == "4", "as with Linux's blkfront");
        s.expect(user_read_works(s), "the disk works on");
    });
}

}  // namespace
}  // namespace xenrig::blk
