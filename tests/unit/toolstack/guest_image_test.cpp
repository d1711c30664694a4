// A guest's memory goes into an image on one host and comes out of it on another.
#include "sim/toolstack/guest_image.h"

#include <gtest/gtest.h>

#include <cstring>

#include "sim/engine/engine.h"
#include "sim/engine/sources.h"
#include "sim/toolstack/toolstack.h"
#include "xenrig/shared/raw.h"

namespace xenrig::toolstack {
namespace {

using Bytes = std::vector<std::byte>;

constexpr std::uint64_t kFrames = 100;

/// Two hosts, and a domain on each that nobody runs.
struct TwoHosts {
    TwoHosts() {
        for (unsigned i = 0; i < 2; ++i)
            hosts.push_back(std::make_unique<Host>(
                engine, HostOptions{.name = std::string(1, static_cast<char>('a' + i)), .index = i}));
        EXPECT_EQ(engine.run(), engine::Stopped::quiet);
        for (unsigned i = 0; i < 2; ++i)
            on(i, [&, i] { domains[i] = Toolstack(*hosts[i]).build({.name = "guest", .frames = kFrames}).value(); });
    }

    /// In a task of that host's control domain, to its end.
    void on(unsigned host, std::function<void()> job) {
        hosts[host]->spawn_job("test", std::move(job));
        EXPECT_EQ(engine.run(), engine::Stopped::quiet);
    }
    std::byte* frame(unsigned host, Gfn gfn) {
        return hosts[host]->xen().memory().page(hosts[host]->xen().lookup(domains[host], gfn).value());
    }
    void fill(unsigned host, Gfn gfn, std::byte value) {
        const Bytes page(kPageSize, value);
        shared::raw::copy_to_page(frame(host, gfn), page.data(), kPageSize);
    }
    Bytes save(std::string_view guest) {
        Bytes image;
        on(0, [&] {
            GuestSaver saver(*hosts[0], domains[0],
                             [&](std::span<const std::byte> b) { image.insert(image.end(), b.begin(), b.end()); });
            saver.copy(hosts[0]->xen().ram(domains[0]));
            EXPECT_TRUE(saver.changed().empty());
            saver.finish(guest);
        });
        return image;
    }
    Result<> restore(std::span<const std::byte> image, std::string_view guest) {
        Result<> result;
        on(1, [&] { result = restore_guest(*hosts[1], domains[1], image, guest); });
        return result;
    }

    engine::SeededSource source{1};
    engine::Engine engine{source, {}};
    std::vector<std::unique_ptr<Host>> hosts;
    std::array<DomId, 2> domains;
};

TEST(GuestImage, EveryFrameIsOnTheOtherHostAsItWasAndUntouchedOnesTakeNoRoom) {
    TwoHosts world;
    for (std::uint64_t gfn = 3; gfn < kFrames; gfn += 10)
        world.fill(0, Gfn{gfn}, std::byte{static_cast<unsigned char>(gfn)});
    const Bytes image = world.save("guest");
    EXPECT_LT(image.size(), 15 * kPageSize);
    ASSERT_TRUE(world.restore(image, "guest"));
    for (std::uint64_t gfn = 0; gfn < kFrames; ++gfn)
        EXPECT_EQ(std::memcmp(world.frame(0, Gfn{gfn}), world.frame(1, Gfn{gfn}), kPageSize), 0) << gfn;
}

TEST(GuestImage, APageThatBecameZeroAfterItsFirstCopyIsZeroOnTheOtherHost) {
    TwoHosts world;
    Bytes image;
    world.fill(0, Gfn{5}, std::byte{5});
    world.on(0, [&] {
        GuestSaver saver(*world.hosts[0], world.domains[0],
                         [&](std::span<const std::byte> b) { image.insert(image.end(), b.begin(), b.end()); });
        saver.copy(world.hosts[0]->xen().ram(world.domains[0]));
        world.fill(0, Gfn{5}, std::byte{0});
        EXPECT_EQ(saver.changed(), std::vector<Gfn>{Gfn{5}});
        saver.copy(saver.changed());
        EXPECT_TRUE(saver.changed().empty());
        saver.finish("guest");
    });
    ASSERT_TRUE(world.restore(image, "guest"));
    EXPECT_EQ(*world.frame(1, Gfn{5}), std::byte{0});
}

TEST(GuestImage, ADamagedOrCutOffImageIsRefused) {
    TwoHosts world;
    const Bytes image = world.save("guest");
    Bytes damaged = image;
    damaged[image.size() / 2] ^= std::byte{1};
    EXPECT_FALSE(world.restore(damaged, "guest"));
    const auto cut = world.restore(std::span(image).first(image.size() - 8), "guest");
    ASSERT_FALSE(cut);
    EXPECT_EQ(cut.error().code, Errno::nodata);
}

TEST(GuestImage, AnotherGuestsImageIsRefused) {
    TwoHosts world;
    const auto restored = world.restore(world.save("somebody"), "guest");
    ASSERT_FALSE(restored);
    EXPECT_NE(restored.error().message.find("not of guest 'guest'"), std::string::npos) << restored.error().message;
}

TEST(GuestImage, AFrameThatTheDomainDoesNotHaveIsRefusedByItsNumber) {
    TwoHosts world;
    world.domains[1] = DomId{};
    world.on(1, [&] {
        world.domains[1] = Toolstack(*world.hosts[1]).build({.name = "small", .frames = kFrames / 2}).value();
    });
    const auto restored = world.restore(world.save("guest"), "guest");
    ASSERT_FALSE(restored);
    EXPECT_EQ(restored.error().code, Errno::badmsg);
    EXPECT_NE(restored.error().message.find("no frame at gfn 50"), std::string::npos) << restored.error().message;
}

}  // namespace
}  // namespace xenrig::toolstack
