// Drives: empty ones, media that come and go in the ways of libxl and of older toolstacks, and what a frontend sees.
#include "stage.h"
#include "xenrig/drivers/blk/wire.h"

namespace xenrig::blk {
namespace {

using namespace test;
using conformance::read_works;
using conformance::send;
using conformance::user_read_works;

constexpr std::uint64_t kSectors = Stage::kSectors;

void set(Stage& s, const std::string& name, const std::string& value) {
    s.as_toolstack([&, path = s.backend_path()](Store& store) {
        EXPECT_TRUE(store.write(StoreTx::none, path + "/" + name, value));
    });
}

void make_drive(Stage& s, const std::string& params) {
    set(s, "removable", "1");
    set(s, "device-type", "cdrom");
    set(s, "params", params);
}

int status(Stage& s, const blkif_request_t& request) {
    const auto response = send(s, request);
    return response ? response->status : 99;
}

bool reads_fail(Stage& s) {
    return status(s, s.frontend().read(0, 1).request) == BLKIF_RSP_ERROR &&
           status(s, s.frontend().read(kSectors - 8, 8).request) == BLKIF_RSP_ERROR;
}

TEST(BlkbackDrive, AnEmptyOneConnectsAndAnswersEachRequestWithAnError) {
    play_often(Role::backend, [](Stage& s) {
        make_drive(s, "");
        if (!s.connect_frontend()) return;
        s.expect(s.frontend().backend_node("sectors") == "0", "it has no sectors");
        s.expect(s.frontend().backend_node("info") == std::to_string(VDISK_CDROM | VDISK_REMOVABLE | VDISK_READONLY),
                 "it says that it is a drive");
        s.expect(reads_fail(s), "reads are answered with an error");
        auto flush = blank_request();
        flush.operation = BLKIF_OP_FLUSH_DISKCACHE;
        s.expect(status(s, flush) == BLKIF_RSP_ERROR, "and so is a flush");
        s.expect(s.frontend().backend_state() == "4", "and the device stays connected");
    });
}

TEST(BlkbackDrive, AMediumThatIsPutInByParamsIsPublishedAndRead) {
    play_often(Role::backend, [](Stage& s) {
        make_drive(s, "");
        if (!s.connect_frontend()) return;
        const Watched state(s.frontend().platform(), s.backend_path() + "/state");
        s.settle();
        const unsigned before = *state.count;
        set(s, "params", "disk");
        s.expect(s.frontend().backend_node("sectors") == std::to_string(kSectors), "its size is published");
        s.expect(*state.count == before + 1, "and the state written once more");
        s.expect(read_works(s), "it is read");
        const auto write = s.frontend().write(7, sector_pattern(900));
        s.expect(status(s, write.request) == BLKIF_RSP_ERROR, "but not written");
        s.expect(s.disk_untouched(), "whatever the storage would allow");
        set(s, "params", "");
        s.expect(s.frontend().backend_node("sectors") == "0" && reads_fail(s), "and taken out again");
        s.expect(s.maps() == 1, "nothing but the ring stays mapped");
    });
}

TEST(BlkbackDrive, AnOlderToolstackSaysMediaPresent) {
    play_often(Role::backend, [](Stage& s) {
        make_drive(s, "disk");
        if (!s.connect_frontend()) return;
        s.expect(read_works(s), "a drive that says nothing of it has its medium");
        set(s, "media-present", "0");
        s.expect(s.frontend().backend_node("sectors") == "0" && reads_fail(s), "0 takes it out");
        set(s, "media-present", "1");
        s.expect(read_works(s), "1 puts it in");
    });
}

TEST(BlkbackDrive, RequestsUnderWayAreDoneWithTheMediumThatTheyWereMadeFor) {
    play_often(Role::backend, [](Stage& s) {
        make_drive(s, "disk");
        if (!s.connect_frontend()) return;
        std::vector<RawFrontend::Transfer> reads;
        for (unsigned i = 0; i < 8; ++i) reads.push_back(s.frontend().read(8 * i, 8));
        for (const auto& t : reads) s.frontend().put(t.request);
        s.frontend().push_and_notify();
        set(s, "params", "");
        const auto answers = s.frontend().take_all();
        s.expect(answers.size() == reads.size(), "each is answered once");
        for (const auto& r : answers)
            for (unsigned i = 0; i < reads.size(); ++i)
                if (r.id == reads[i].request.id && r.status == BLKIF_RSP_OKAY)
                    s.expect(s.frontend().data(reads[i]) == sector_pattern(8 * i, 8), "with its data or an error");
    });
}

TEST(BlkbackDrive, ADiskThatIsNoDriveKeepsWhatItHas) {
    play(Role::backend, [](Stage& s) {
        if (!s.connect_frontend()) return;
        set(s, "params", "");
        set(s, "media-present", "0");
        s.expect(read_works(s), "its nodes are read once");
    });
}

TEST(BlkfrontDrive, AnEmptyOneFailsReadsUntilAMediumComes) {
    play_often(Role::frontend, [](Stage& s) {
        if (!s.connect_backend({}, conformance::usual_properties(0, VDISK_CDROM | VDISK_REMOVABLE | VDISK_READONLY)))
            return;
        auto call = s.read(0, 1);
        s.settle();
        s.expect(call->failed() && call->result.error().code == Errno::io, "a read of an empty drive fails");
        s.expect(call->failed() && call->result.error().message.find("no medium") != std::string::npos, "and says why");
        s.backend().write("sectors", std::to_string(kSectors));
        s.backend().state(4);
        s.settle();
        s.expect(user_read_works(s), "with a medium it works");
        call = s.write(0, sector_pattern(1));
        s.settle();
        s.expect(call->failed() && call->result.error().code == Errno::rofs, "a medium is not written");
    });
}

}  // namespace
}  // namespace xenrig::blk
