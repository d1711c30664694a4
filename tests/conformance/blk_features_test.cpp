// What blkback offers beyond the plain protocol, as a scripted frontend sees it: barriers, discards, indirect segments,
// grants that stay mapped, i386's layout, rings of several pages, several rings.
#include <gtest/gtest.h>

#include <cstring>

#include "sim/conformance/moves.h"
#include "sim/conformance/stage.h"
#include "xenrig/shared/door.h"

namespace xenrig::conformance {
namespace {

using blk::RawFrontend;
using blk::sector_pattern;
using Word = blk::RawRing::Word;

void play(const std::function<void(Stage&)>& script, std::optional<std::uint64_t> seed = {}) {
    Verdict verdict;
    const Subjects subjects = own_drivers();
    Stage(verdict, subjects, Role::backend, {.seed = seed}).play(script);
    EXPECT_EQ(verdict.outcome(), Outcome::success) << verdict.text();
}

bool okay(const std::optional<blkif_response_t>& r) { return r && r->status == BLKIF_RSP_OKAY; }

template <class T>
blkif_request_t as_request(const T& special) {
    auto request = blk::blank_request();
    std::memcpy(static_cast<void*>(&request), &special, sizeof special);
    return request;
}

/// So many whole pages from `sector` on, in one indirect page.
struct Indirect {
    RawFrontend::Page table;
    std::vector<RawFrontend::Page> pages;
    blkif_request_indirect_t request{};
};

Indirect indirect(Stage& s, std::uint8_t operation, std::uint64_t sector, unsigned pages) {
    RawFrontend& f = s.frontend();
    Indirect made;
    std::vector<blkif_request_segment> segments;
    for (unsigned i = 0; i < pages; ++i) {
        made.pages.push_back(f.page(Access::read_write));
        if (operation == BLKIF_OP_WRITE) f.fill(made.pages.back(), sector_pattern(5000 + i * 8, 8));
        segments.push_back({.gref = made.pages.back().grant.ref().value, .first_sect = 0, .last_sect = 7});
    }
    made.table = f.page(Access::read_only);
    f.fill(made.table, std::as_bytes(std::span(segments)));
    made.request.operation = BLKIF_OP_INDIRECT;
    made.request.indirect_op = operation;
    made.request.nr_segments = static_cast<std::uint16_t>(pages);
    made.request.id = 4711;
    made.request.sector_number = sector;
    made.request.indirect_grefs[0] = made.table.grant.ref().value;
    return made;
}

TEST(BlkFeatures, ABarrierMakesDurableWhatWasWrittenBeforeItAndItsOwnData) {
    for (std::uint64_t seed = 0; seed < 20; ++seed)
        play(
            [](Stage& s) {
                ASSERT_TRUE(s.connect_frontend());
                RawFrontend& f = s.frontend();
                EXPECT_EQ(f.backend_node("feature-barrier"), "1");
                // All in one push; the disk completes in any order.
                const auto before = f.write(100, sector_pattern(900));
                auto barrier = f.write(200, sector_pattern(901));
                barrier.request.operation = BLKIF_OP_WRITE_BARRIER;
                const auto behind = f.write(100, sector_pattern(902));
                for (const auto& request : {before.request, barrier.request, behind.request}) f.put(request);
                f.push_and_notify();
                s.settle();
                const auto responses = f.take_all();
                if (!s.expect(responses.size() == 3, "each of the three is answered")) return;
                for (const auto& r : responses) s.expect(r.status == BLKIF_RSP_OKAY, "and well");
                s.expect(responses[1].id == barrier.request.id, "the barrier neither first nor last");
                s.expect(s.on_disk(100) == sector_pattern(902), "what was behind it came after it");
                s.power_cut();
                s.expect(s.on_disk(100) == sector_pattern(900) || s.on_disk(100) == sector_pattern(902),
                         "what was before it is durable");
                s.expect(s.on_disk(200) == sector_pattern(901), "its own data is durable");
            },
            seed);
}

TEST(BlkFeatures, ABarrierWithoutDataIsAFlush) {
    play([](Stage& s) {
        ASSERT_TRUE(s.connect_frontend());
        const auto t = s.frontend().write(100, sector_pattern(900));
        s.expect(okay(send(s, t.request)), "a write is done");
        auto barrier = blk::blank_request();
        barrier.operation = BLKIF_OP_WRITE_BARRIER;
        s.expect(okay(send(s, barrier)), "an empty barrier is done");
        s.power_cut();
        s.expect(s.on_disk(100) == sector_pattern(900), "what was written before it is durable");
    });
}

TEST(BlkFeatures, AnIndirectRequestMovesMoreThanElevenPages) {
    play([](Stage& s) {
        ASSERT_TRUE(s.connect_frontend());
        auto read = indirect(s, BLKIF_OP_READ, 64, 40);
        const auto response = send(s, as_request(read.request));
        if (!s.expect(okay(response) && response->id == 4711, "it is done", [&] { return shown(response); })) return;
        s.expect(response->operation == BLKIF_OP_READ, "the response repeats what it says inside, as Linux's does");
        for (unsigned i = 0; i < 40; ++i)
            s.expect(s.frontend().bytes(read.pages[i]) == sector_pattern(64 + i * 8, 8), "each page has its sectors");
        auto write = indirect(s, BLKIF_OP_WRITE, 800, 20);
        s.expect(okay(send(s, as_request(write.request))), "a write is done");
        s.expect(s.on_disk(800, 160) == sector_pattern(5000, 160), "and is on the disk");
        s.expect(s.disk_untouched(800, 160), "and nowhere else");
        s.expect(s.maps() == 1, "but for the ring nothing stays mapped");
    });
}

TEST(BlkFeatures, ABadIndirectRequestIsRefusedAndTheRingGoesOn) {
    play([](Stage& s) {
        ASSERT_TRUE(s.connect_frontend());
        const auto refused = [&](blkif_request_indirect_t request, const char* what) {
            const auto r = send(s, as_request(request));
            s.expect(r && r->status == BLKIF_RSP_ERROR && r->id == 4711, "it is refused", [&] { return what; });
            s.expect(read_works(s), "a read after it works", [&] { return what; });
            s.expect(s.maps() == 1, "nothing stays mapped", [&] { return what; });
        };
        const auto good = indirect(s, BLKIF_OP_WRITE, 0, 12);
        auto bad = good.request;
        bad.nr_segments = 0;
        refused(bad, "no segments");
        bad = good.request;
        bad.nr_segments = 257;
        refused(bad, "more than was offered");
        bad.nr_segments = 0xffff;
        refused(bad, "far more than was offered");
        bad = good.request;
        bad.indirect_op = BLKIF_OP_INDIRECT;
        refused(bad, "indirect inside indirect");
        bad = good.request;
        bad.indirect_grefs[0] = 0xfffffff0;
        refused(bad, "a table that is not granted");
        bad = good.request;
        bad.sector_number = Stage::kSectors - 8;
        refused(bad, "beyond the end");
        auto torn = indirect(s, BLKIF_OP_WRITE, 0, 12);
        const blkif_request_segment backwards{.gref = 9, .first_sect = 5, .last_sect = 4};
        s.frontend().fill(torn.table, std::as_bytes(std::span(&backwards, 1)), 11 * sizeof backwards);
        refused(torn.request, "a bad range in the last segment");
        s.expect(s.disk_untouched(), "and nothing was written");
    });
}

TEST(BlkFeatures, ADiscardedRangeReadsAsZerosWhereTheDiskSaysSo) {
    play([](Stage& s) {
        ASSERT_TRUE(s.connect_frontend());
        if (s.frontend().backend_node("feature-discard") != "1") return s.skip("the stage's disk can't discard");
        blkif_request_discard_t discard{};
        discard.operation = BLKIF_OP_DISCARD;
        discard.id = 7;
        discard.sector_number = 10;
        discard.nr_sectors = 20;
        s.expect(okay(send(s, as_request(discard))), "a discard is done");
        s.expect(s.on_disk(10, 20) == std::vector<std::byte>(20 * 512), "what was there is zeros");
        s.expect(s.disk_untouched(10, 20), "the rest stays");
        discard.nr_sectors = Stage::kSectors;
        const auto r = send(s, as_request(discard));
        s.expect(r && r->status == BLKIF_RSP_ERROR, "one beyond the end is refused");
        discard.nr_sectors = ~0ull;
        const auto wraps = send(s, as_request(discard));
        s.expect(wraps && wraps->status == BLKIF_RSP_ERROR, "and one whose sum wraps");
        s.expect(read_works(s), "a read after it works");
    });
}

TEST(BlkFeatures, PersistentGrantsStayMappedAndAreUsedAgain) {
    play([](Stage& s) {
        s.frontend().write("feature-persistent", "1");
        ASSERT_TRUE(s.connect_frontend());
        RawFrontend& f = s.frontend();
        auto t = f.read(100, 8);
        for (unsigned i = 0; i < 5; ++i) {
            t.request.sector_number = 100 + i;
            s.expect(okay(send(s, t.request)), "a read is done");
            s.expect(f.data(t) == sector_pattern(100 + i, 8), "with its data");
            s.expect(s.maps() == 2, "its page stays mapped, once");
        }
        // Read-only would do for a write, but the next request may be a read.
        f.fill(t.pages[0], sector_pattern(5000, 8));
        t.request.operation = BLKIF_OP_WRITE;
        t.request.sector_number = 300;
        s.expect(okay(send(s, t.request)) && s.on_disk(300, 8) == sector_pattern(5000, 8),
                 "a write through it is done");
        s.expect(s.maps() == 2, "and maps nothing");
        f.state(5);
        s.settle();
        f.state(6);
        s.settle();
        s.expect(s.maps() == 0, "a backend that closes lets all of them go");
    });
}

/// A ring that a script lays out by itself.
struct OwnRing {
    std::vector<RawFrontend::Page> pages;
    shared::Window window;
    Channel channel;
    std::size_t slot_bytes = 112, response_bytes = 16;
    std::uint32_t size = 32, put = 0, taken = 0;

    OwnRing(Stage& s, std::size_t count, std::size_t slot) : slot_bytes(slot) {
        RawFrontend& f = s.frontend();
        std::vector<Gfn> frames;
        for (std::size_t i = 0; i < count; ++i) {
            pages.push_back(f.page(Access::read_write, 0));
            frames.push_back(pages.back().frame->gfn());
        }
        window = f.platform().memory().window(frames);
        shared::store<std::uint32_t>(window, 4, 1u);
        shared::store<std::uint32_t>(window, 12, 1u);
        channel = *f.platform().events().alloc_unbound(DomId{0}, [] {});
        while (64 + 2 * size * slot_bytes <= count * kPageSize) size *= 2;
    }
    void send(Stage& s, std::span<const std::byte> request) {
        shared::copy_in(window, 64 + put++ % size * slot_bytes, request.data(), request.size());
        shared::wmb();
        shared::store<std::uint32_t>(window, 0, put);
        (void)channel.notify();
        s.settle();
    }
    std::vector<std::byte> response(std::size_t bytes) {
        std::vector<std::byte> out(bytes);
        shared::new_decision();
        if (shared::load<std::uint32_t>(window, 8) == taken) return {};
        shared::copy_out(window, 64 + taken++ % size * slot_bytes, out.data(), bytes);
        return out;
    }
};

void start(Stage& s, const std::vector<std::pair<std::string, std::string>>& nodes) {
    s.start_subject();
    s.settle();
    for (const auto& [name, value] : nodes) s.frontend().write(name, value);
    s.frontend().state(3);
    s.settle();
    s.expect(s.frontend().backend_state() == "4", "the backend connects",
             [&] { return "its state is " + s.frontend().backend_state(); });
}

TEST(BlkFeatures, AFrontendOf32BitsHasRequestsOf108BytesAndResponsesOf12) {
    play([](Stage& s) {
        OwnRing ring(s, 1, 108);
        start(s, {{"ring-ref", std::to_string(ring.pages[0].grant.ref().value)},
                  {"event-channel", std::to_string(ring.channel.port().value)},
                  {"protocol", "x86_32-abi"}});
        auto page = s.frontend().page(Access::read_write);
        for (unsigned turn = 0; turn < 70; ++turn) {
            // operation, count, handle; id at 4, sector at 12, segments at 20.
            std::array<std::byte, 108> bytes{};
            const std::uint64_t id = 0x0123'4567'89ab'0000ull + turn, sector = turn;
            const std::uint32_t gref = page.grant.ref().value;
            bytes[0] = std::byte{BLKIF_OP_READ};
            bytes[1] = std::byte{1};
            std::memcpy(&bytes[4], &id, 8);
            std::memcpy(&bytes[12], &sector, 8);
            std::memcpy(&bytes[20], &gref, 4);
            bytes[25] = std::byte{7};
            ring.send(s, bytes);
            const auto r = ring.response(12);
            std::uint64_t back = 0;
            std::int16_t status = -77;
            if (!s.expect(!r.empty(), "a request is answered")) return;
            std::memcpy(&back, r.data(), 8);
            std::memcpy(&status, &r[10], 2);
            s.expect(back == id && status == BLKIF_RSP_OKAY && r[8] == std::byte{BLKIF_OP_READ}, "in twelve bytes");
            s.expect(s.frontend().bytes(page) == sector_pattern(turn, 8), "with the sectors' data");
        }
    });
}

TEST(BlkFeatures, ARingMayHaveFourPagesUnderEitherName) {
    for (const char* how : {"ring-page-order", "num-ring-pages"})
        play([how](Stage& s) {
            OwnRing ring(s, 4, 112);
            ASSERT_EQ(ring.size, 128u);
            std::vector<std::pair<std::string, std::string>> nodes = {
                {how, std::string(how) == "ring-page-order" ? "2" : "4"},
                {"event-channel", std::to_string(ring.channel.port().value)},
                {"protocol", "x86_64-abi"}};
            for (unsigned i = 0; i < 4; ++i)
                nodes.emplace_back("ring-ref" + std::to_string(i), std::to_string(ring.pages[i].grant.ref().value));
            start(s, nodes);
            for (unsigned turn = 0; turn < 300; ++turn) {
                auto t = s.frontend().read(turn, 1);
                t.request.id = turn;
                ring.send(s, std::as_bytes(std::span(&t.request, 1)));
                const auto r = ring.response(16);
                if (!s.expect(!r.empty() && r[10] == std::byte{0}, "a read is done")) return;
                if (!s.expect(s.frontend().data(t) == sector_pattern(turn), "with its data")) return;
            }
        });
}

TEST(BlkFeatures, EachOfTwoQueuesIsServed) {
    play([](Stage& s) {
        OwnRing first(s, 1, 112), second(s, 2, 112);
        OwnRing third(s, 2, 112);
        std::vector<std::pair<std::string, std::string>> nodes = {{"multi-queue-num-queues", "2"},
                                                                  {"ring-page-order", "1"}};
        unsigned n = 0;
        for (OwnRing* ring : {&second, &third}) {
            const std::string below = "queue-" + std::to_string(n++) + "/";
            for (unsigned i = 0; i < 2; ++i)
                nodes.emplace_back(below + "ring-ref" + std::to_string(i),
                                   std::to_string(ring->pages[i].grant.ref().value));
            nodes.emplace_back(below + "event-channel", std::to_string(ring->channel.port().value));
        }
        start(s, nodes);
        for (OwnRing* ring : {&second, &third, &second}) {
            auto t = s.frontend().read(77, 1);
            ring->send(s, std::as_bytes(std::span(&t.request, 1)));
            s.expect(!ring->response(16).empty() && s.frontend().data(t) == sector_pattern(77), "a read is done");
        }
    });
}

TEST(BlkFeatures, TransportBeyondWhatWasOfferedClosesTheDevice) {
    const std::pair<const char*, const char*> bad[] = {
        {"ring-page-order", "5"},        {"ring-page-order", "-1"},       {"ring-page-order", "4294967297"},
        {"num-ring-pages", "3"},         {"num-ring-pages", "0"},         {"multi-queue-num-queues", "0"},
        {"multi-queue-num-queues", "5"}, {"multi-queue-num-queues", "x"}, {"protocol", "arm-abi"}};
    for (const auto& [name, value] : bad)
        play([&](Stage& s) {
            s.start_subject();
            s.settle();
            s.frontend().make_ring();
            s.frontend().publish();
            s.frontend().write(name, value);
            s.frontend().state(3);
            s.settle();
            s.expect(s.frontend().backend_state() == "5" || s.frontend().backend_state() == "6",
                     "a backend closes what it can't serve", [&] { return std::string(name) + " " + value; });
            s.expect(s.maps() == 0, "and maps nothing");
        });
}

}  // namespace
}  // namespace xenrig::conformance
