#include <algorithm>

#include "guest_world.h"
#include "xenrig/shared/door.h"

namespace xenrig::guest::test {
namespace {

std::vector<std::byte> bytes(std::size_t n, int value) { return std::vector<std::byte>(n, std::byte(value)); }

TEST(GuestMemory, AFreedFrameIsTheLastToBeUsedAgainAndComesBackZeroed) {
    GuestWorld world(1);
    world.boot([&] {
        auto& memory = world.kernel->memory();
        auto first = memory.allocate();
        ASSERT_TRUE(first);
        const Gfn gfn = (*first)->gfn();
        memory.write(gfn, 100, bytes(8, 0xaa));
        first->reset();
        std::vector<FramePtr> all;
        all.reserve(kLayout.ram.count);
        for (std::uint64_t i = 0; i < kLayout.ram.count; ++i) all.push_back(*memory.allocate());
        EXPECT_EQ(all.back()->gfn(), gfn);
        auto read = bytes(8, 0xff);
        memory.read(gfn, 100, read);
        EXPECT_EQ(read, bytes(8, 0));
        const auto none = memory.allocate();
        ASSERT_FALSE(none);
        EXPECT_EQ(none.error().code, Errno::nomem);
        EXPECT_EQ(memory.frames_in_use(), kLayout.ram.count);
    });
    world.run();
}

TEST(GuestMemory, PayloadThatWasWrittenIsInTheMigrationsLog) {
    GuestWorld world(1);
    world.boot([&] {
        auto& memory = world.kernel->memory();
        const auto frame = *memory.allocate();
        world.domain->dirty.clear();
        memory.write(frame->gfn(), 4000, bytes(96, 1));
        EXPECT_EQ(world.domain->dirty, std::vector{frame->gfn()});
    });
    world.run();
}

TEST(GuestMemory, AWindowOnAFrameThatWasFreedIsReported) {
    GuestWorld world(1);
    world.boot([&] {
        auto& memory = world.kernel->memory();
        auto frame = *memory.allocate();
        const Gfn gfn = frame->gfn();
        const shared::Window window = memory.window(gfn);
        frame.reset();
        (void)shared::load<std::uint32_t>(window, 0);
    });
    world.engine.run();
    ASSERT_EQ(world.engine.problems().size(), 1u);
    EXPECT_EQ(world.engine.problems()[0].oracle, "dead-window");
    EXPECT_NE(world.engine.problems()[0].text.find("d1 gfn 0x10"), std::string::npos)
        << world.engine.problems()[0].text;
}

TEST(GuestMemory, AWriteThatAMigrationInterruptsGoesOnInTheFramesNewPlace) {
    GuestWorld world(1);
    FakeDomain next(DomId{9}, world.cpus);
    next.populate(kLayout.ram.first, kLayout.ram.count);
    Gfn gfn;
    bool moved = false;
    world.boot([&] {
        auto& memory = world.kernel->memory();
        const auto frame = *memory.allocate();
        gfn = frame->gfn();
        // The next step is the write's own: the guest is moved in the middle of it.
        world.engine.at_step(world.engine.steps() + 1, [&]() -> Cpu* {
            world.kernel->bind(next.binding());
            moved = true;
            return nullptr;
        });
        memory.write(gfn, 8, bytes(4, 0x5a));
        EXPECT_TRUE(moved);
        EXPECT_EQ(next.page(gfn)[8], std::byte{0x5a});
        EXPECT_EQ(world.domain->page(gfn)[8], std::byte{0});
    });
    world.run();
}

}  // namespace
}  // namespace xenrig::guest::test
