#include <gtest/gtest.h>

#include "sample.h"

namespace xenrig::image {
namespace {

using namespace sample;

// Pieces of the sample of an HVM guest, by number.
enum Hvm : std::size_t {
    kHead,
    kContext,
    kStaticEnd,
    kPages,
    kMorePages,
    kParams,
    kHvmContext,
    kEnd,
    kStore,
    kGuest,
    kLast
};
// Of the PV one, as far as they are moved about.
enum Pv : std::size_t { kPvInfo = 2, kCpuid, kMsr, kPvStaticEnd, kP2m, kPvPages, kTsc, kSharedInfo, kVcpu0 };

using Pieces = std::vector<Bytes>;

std::string verdict(const Pieces& pieces) {
    Kept kept;
    const auto result = read(join_sealed(pieces), kept);
    return result ? (kept.ended ? "restored" : "not ended") : result.error().message;
}

void move(Pieces& pieces, std::size_t from, std::size_t to) {
    Bytes piece = std::move(pieces[from]);
    pieces.erase(pieces.begin() + static_cast<std::ptrdiff_t>(from));
    pieces.insert(pieces.begin() + static_cast<std::ptrdiff_t>(to), std::move(piece));
}
void drop(Pieces& pieces, std::size_t at) { pieces.erase(pieces.begin() + static_cast<std::ptrdiff_t>(at)); }
void insert(Pieces& pieces, std::size_t at, Bytes piece) {
    pieces.insert(pieces.begin() + static_cast<std::ptrdiff_t>(at), std::move(piece));
}

struct Case {
    const char* name;
    bool pv;
    void (*edit)(Pieces&);
    const char* says;
};

class ImageOrderRule : public testing::TestWithParam<Case> {};

TEST_P(ImageOrderRule, Holds) {
    const Case& c = GetParam();
    Pieces pieces = cut(image(c.pv ? write_pv : write_hvm));
    ASSERT_EQ(verdict(pieces), "restored");
    c.edit(pieces);
    const std::string answer = verdict(pieces);
    EXPECT_NE(answer.find(c.says), std::string::npos) << answer;
}

const auto name_of = [](const auto& i) { return i.param.name; };

INSTANTIATE_TEST_SUITE_P(
    Hvm, ImageOrderRule,
    testing::Values(
        Case{"PagesMayFollowTheContext", false, [](Pieces& p) { move(p, kMorePages, kHvmContext); }, "restored"},
        Case{"StoreMayBeMissing", false, [](Pieces& p) { drop(p, kStore); }, "restored"},
        Case{"ParamsMayBeMissing", false, [](Pieces& p) { drop(p, kParams); }, "restored"},
        Case{"StaticDataEndMissing", false, [](Pieces& p) { drop(p, kStaticEnd); },
             "offset 64, libxc PAGE_DATA: comes before STATIC_DATA_END"},
        Case{"StaticDataEndLate", false, [](Pieces& p) { move(p, kStaticEnd, kPages); },
             "comes before STATIC_DATA_END"},
        Case{"StaticDataEndTwice", false, [](Pieces& p) { insert(p, kPages, p[kStaticEnd]); },
             "STATIC_DATA_END: comes a second time"},
        Case{"ParamsAfterContext", false, [](Pieces& p) { move(p, kParams, kHvmContext); },
             "HVM_PARAMS: comes after HVM_CONTEXT"},
        Case{"ParamsTwice", false, [](Pieces& p) { insert(p, kParams, p[kParams]); },
             "HVM_PARAMS: comes a second time"},
        Case{"ContextMissing", false, [](Pieces& p) { drop(p, kHvmContext); }, "libxc END: comes without HVM_CONTEXT"},
        Case{"PvRecord", false, [](Pieces& p) { insert(p, kPages, record(7, 4096)); }, "SHARED_INFO: belongs to a PV"},
        Case{"PolicyLate", false, [](Pieces& p) { insert(p, kPages, record(0x11, 24)); },
             "X86_CPUID_POLICY: comes after STATIC_DATA_END"},
        Case{"Verify", false, [](Pieces& p) { insert(p, kHvmContext, record(0x0d, 0)); }, "VERIFY: "},
        Case{"Checkpoint", false, [](Pieces& p) { insert(p, kEnd, record(0x0e, 0)); }, "CHECKPOINT: a checkpointed"},
        Case{"Toolstack", false, [](Pieces& p) { insert(p, kEnd, record(0x0b, 8)); }, "TOOLSTACK: deprecated"},
        Case{"UnknownMandatoryOfLibxc", false, [](Pieces& p) { insert(p, kPages, record(0x13, 8)); },
             "nobody knows mandatory records of type 19"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Image, ImageOrderRule,
    testing::Values(
        Case{"MemoryTwice", false, [](Pieces& p) { insert(p, kStore, p[kContext]); }, "the memory comes a second time"},
        Case{"StoreFirst", false, [](Pieces& p) { move(p, kStore, kContext); }, "before the memory"},
        Case{"StoreTwice", false, [](Pieces& p) { insert(p, kStore, p[kStore]); }, "the store's records come a second"},
        Case{"StoreAfterGuest", false, [](Pieces& p) { move(p, kStore, kGuest); }, "come after the Guest"},
        Case{"GuestFirst", false, [](Pieces& p) { move(p, kGuest, kContext); }, "the Guest comes before the memory"},
        Case{"GuestTwice", false, [](Pieces& p) { insert(p, kLast, p[kGuest]); }, "the Guest comes a second time"},
        Case{"GuestMissing", false, [](Pieces& p) { drop(p, kGuest); }, "libxl END: comes without the Guest"},
        Case{"MemoryMissing", false,
             [](Pieces& p) {
                 p = {p[kHead], p[kLast]};
                 insert(p, 1, record(0x8000'0000, 16));
             },
             "comes without the memory"},
        Case{"BytesAfterEnd", false, [](Pieces& p) { insert(p, kLast, p[kLast]); }, "libxl END: "},
        Case{"DeviceModelStore", false, [](Pieces& p) { insert(p, kStore, record(2, 16)); },
             "EMULATOR_XENSTORE_DATA: "},
        Case{"CheckpointEnd", false, [](Pieces& p) { insert(p, kStore, record(4, 0)); }, "CHECKPOINT_END: "},
        Case{"UnknownMandatoryOfLibxl", false, [](Pieces& p) { insert(p, kStore, record(6, 8)); },
             "nobody knows mandatory records of type 6"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Pv, ImageOrderRule,
    testing::Values(
        Case{"InfoMissing", true, [](Pieces& p) { drop(p, kPvInfo); }, "STATIC_DATA_END: comes without X86_PV_INFO"},
        Case{"InfoLate", true, [](Pieces& p) { insert(p, kP2m, p[kPvInfo]); }, "X86_PV_INFO: comes a second time"},
        Case{"P2mMissing", true, [](Pieces& p) { drop(p, kP2m); }, "PAGE_DATA: comes before X86_PV_P2M_FRAMES"},
        Case{"P2mMayGrow", true, [](Pieces& p) { insert(p, kTsc, p[kP2m]); }, "restored"},
        Case{"VcpuBeforePages", true, [](Pieces& p) { move(p, kVcpu0, kPvPages); }, "comes before any PAGE_DATA"},
        Case{"PagesAfterVcpu", true, [](Pieces& p) { insert(p, kVcpu0 + 1, p[kPvPages]); }, "after a record of a vCPU"},
        Case{"SharedInfoMissing", true, [](Pieces& p) { drop(p, kSharedInfo); }, "END: comes without SHARED_INFO"},
        Case{"TscMayComeLast", true, [](Pieces& p) { move(p, kTsc, kVcpu0 + 7); }, "restored"},
        Case{"HvmRecord", true, [](Pieces& p) { insert(p, kTsc, record(9, 8)); }, "HVM_CONTEXT: belongs to an HVM"}),
    name_of);

TEST(ImageOrderRules, OptionalRecordsThatNobodyKnowsAreSkippedAnywhere) {
    for (const auto write : {write_hvm, write_pv}) {
        const Pieces pieces = cut(image(write));
        Kept expected;
        ASSERT_TRUE(read(join(pieces), expected));
        for (std::size_t at = 1; at + 1 < pieces.size(); ++at) {
            for (const std::size_t length : {0, 1, 8, 4097}) {
                Pieces more = pieces;
                insert(more, at, record(0x8000'0001, length));
                Kept kept;
                const auto result = read(join_sealed(more), kept, 100);
                ASSERT_TRUE(result) << result.error().message;
                EXPECT_TRUE(kept.same_content(expected));
            }
        }
    }
}

TEST(ImageOrderDeathTest, TheWriterHoldsToTheSameRules) {
    const auto ignore = [](std::span<const std::byte>) {};
    EXPECT_DEATH(Writer(ignore).pages(std::vector<Page>{{Gfn{0}, nullptr, PageType::invalid}}), "begin");
    EXPECT_DEATH(
        {
            Writer w(ignore);
            w.begin({});
            w.guest_context({});
        },
        "comes without HVM_CONTEXT");
    EXPECT_DEATH(
        {
            Writer w(ignore);
            w.begin({});
            w.machine_state(MachineState::shared_info, page_of(1));
        },
        "belongs to a PV guest");
}

}  // namespace
}  // namespace xenrig::image
