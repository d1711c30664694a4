// Subjects under the fuzz targets: the drivers in C that are right survive every named seed, most of the broken ones
// don't, and a world with a library in it comes back.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/fuzz/reset/memory_image.h"
#include "sim/fuzz/reset/world_heap.h"
#include "tests/fuzz/blk_seeds.h"
#include "tests/fuzz/target_player.h"
#include "xenrig/world/subject.h"

namespace xenrig::fuzz {
namespace {

std::span<const std::byte> bytes(const std::string& input) { return std::as_bytes(std::span(input)); }

struct Variant {
    const char* target;
    const char* bug;
    /// The rule that a named seed finds broken; empty for the drivers that are right.
    std::string rule;
};
void PrintTo(const Variant& v, std::ostream* out) { *out << v.target << ' ' << v.bug; }

class Subject : public testing::TestWithParam<Variant> {
protected:
    std::string library() const {
        return std::string(XENRIG_SUBJECTS "/") + GetParam().target + '_' + GetParam().bug + ".so";
    }
    const BlkTarget& target() const { return *find_blk_target(GetParam().target); }
    std::vector<BlkSeed> seeds() const {
        return std::string_view(GetParam().target) == "blkback" ? blkback_seeds() : blkfront_seeds();
    }
};

class RightSubject : public Subject {};
class BrokenSubject : public Subject {};

TEST_P(RightSubject, KeepsTheRulesForEverySeedAndItsWorldComesBack) {
    const auto player = TargetPlayer::make(target(), library());
    ASSERT_TRUE(player.has_value()) << player.error().message;
    EXPECT_TRUE((*player)->why_anew().empty() || !ResetPlay::possible()) << (*player)->why_anew();
    std::vector<std::uint64_t> hashes;
    for (const BlkSeed& seed : seeds()) {
        const PlayReport report = (*player)->run(bytes(seed.input));
        EXPECT_TRUE(report.ok()) << seed.name << ": " << report.problems.front().text;
        hashes.push_back(report.hash);
    }
    for (std::size_t i = seeds().size(); i-- > 0;)
        EXPECT_EQ((*player)->run(bytes(seeds()[i].input)).hash, hashes[i]) << seeds()[i].name << ", backwards";
}

TEST_P(BrokenSubject, IsCaughtByANamedSeed) {
    auto loaded = world::load_subject(library());
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
    const auto subject = std::make_shared<const world::Subjects>(std::move(*loaded));
    std::string rule, text;
    for (const BlkSeed& seed : seeds()) {
        const PlayReport report = target().make(subject)->run(bytes(seed.input));
        if (report.ok()) continue;
        rule = report.problems.front().oracle;
        text = seed.name + ": " + report.problems.front().text;
        break;
    }
    EXPECT_EQ(rule, GetParam().rule) << text;
}

std::string name_of(const testing::TestParamInfo<Variant>& info) {
    std::string name = std::string(info.param.target) + info.param.bug;
    std::erase(name, '_');
    return name;
}

INSTANTIATE_TEST_SUITE_P(C, RightSubject,
                         testing::Values(Variant{"blkback", "NO_BUG", ""}, Variant{"blkfront", "NO_BUG", ""}), name_of);
INSTANTIATE_TEST_SUITE_P(
    C, BrokenSubject,
    testing::Values(
        Variant{"blkback", "BACK_ANSWERS_TWICE", "answers"}, Variant{"blkback", "BACK_END_OVERFLOWS", "answers"},
        Variant{"blkback", "BACK_IGNORES_MAP_ERROR", "answers"},
        Variant{"blkback", "BACK_IGNORES_READ_ONLY", "read-only-written"},
        Variant{"blkback", "BACK_KEEPS_RING", "leak"}, Variant{"blkback", "BACK_LEAKS_MAPPING", "leak"},
        Variant{"blkback", "BACK_SWALLOWS_UNKNOWN", "answers"}, Variant{"blkfront", "FRONT_FLUSHES_UNASKED", "asks"},
        Variant{"blkfront", "FRONT_IGNORES_STATUS", "told-too-well"}, Variant{"blkfront", "FRONT_KEEPS_GRANTS", "leak"},
        Variant{"blkfront", "FRONT_LAST_SECT_EXCLUSIVE", "asks"}, Variant{"blkfront", "FRONT_LEAKS_PORT", "leak"},
        Variant{"blkfront", "FRONT_LEAVES_DISK", "asks"},
        Variant{"blkfront", "FRONT_MATCHES_BY_ORDER", "told-too-well"},
        Variant{"blkfront", "FRONT_OVERFILLS_RING", "asks"}, Variant{"blkfront", "FRONT_TRUSTS_ID", "told-too-well"},
        Variant{"blkfront", "FRONT_WRITES_READ_ONLY", "asks"}),
    name_of);

TEST(SubjectLibrary, ComesBackWithItsStaticDataAndWhatItAllocated) {
    if (!MemoryImage::possible()) GTEST_SKIP() << "AddressSanitizer keeps stack frames elsewhere";
    const std::string path = XENRIG_LIBRARIES "/remembers.so";
    const auto library = SubjectLibrary::load(*find_blk_target("blkback"), path);
    ASSERT_TRUE(library.has_value()) << library.error().message;
    ASSERT_EQ(library->why_not(), "");
    void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_NOLOAD);
    ASSERT_NE(handle, nullptr);
    const auto remember = reinterpret_cast<unsigned (*)()>(dlsym(handle, "remember"));
    ASSERT_NE(remember, nullptr);

    WorldHeap::resume();
    EXPECT_EQ(remember(), 1001U << 8 | 1);
    MemoryImage image;
    image.add(WorldHeap::mark());
    for (const auto& pages : library->data()) image.add(pages);
    image.take();
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(remember(), (1001U + 1002) << 8 | 2);
        EXPECT_EQ(remember(), (1001U + 1002 + 1003) << 8 | 3);
        image.restore();
        WorldHeap::back_to_mark();
    }
    WorldHeap::pause();
    dlclose(handle);
}

TEST(SubjectLibrary, IsNamedWhenItHasMemoryElsewhere) {
    const auto library = SubjectLibrary::load(*find_blk_target("blkback"), XENRIG_LIBRARIES "/remembers_elsewhere.so");
    ASSERT_TRUE(library.has_value()) << library.error().message;
    EXPECT_TRUE(library->why_not() == "it calls strdup" || library->why_not() == "it calls __strdup")
        << library->why_not();
}

TEST(SubjectLibrary, IsRefusedWithoutTheRoleThatIsAttacked) {
    const auto library = SubjectLibrary::load(*find_blk_target("blkfront"), XENRIG_LIBRARIES "/remembers.so");
    ASSERT_FALSE(library.has_value());
    EXPECT_NE(library.error().message.find("has no blkfront to attack"), std::string::npos) << library.error().message;
}

}  // namespace
}  // namespace xenrig::fuzz
