// Each field of a request, a discard, an indirect request and its list, and each word of the ring, as a hostile guest
// may write it: a request is answered with an error and the disk goes on, or the ring is broken, and the device closes
// and says why. Either way the guest's other disk works, nothing stays mapped or bound, and what was acknowledged is
// there.
#include "neighbour.h"

namespace xenrig::blk {
namespace {

using namespace test;
using conformance::read_works;
using conformance::send;

constexpr std::uint64_t kAcknowledged = 300, kAt = 100;
constexpr std::uint64_t kHuge = ~std::uint64_t{0};

/// What the answer must be.
enum class Answer : std::uint8_t { error, okay };

template <class Change>
struct Row {
    const char* what;
    Answer answer;
    Change change;
};

/// Before and after: an acknowledged write, and what the subject holds.
class Before {
public:
    explicit Before(Stage& s) : stage_(s) {
        if (!s.connect_frontend()) return;
        const auto write = s.frontend().write(kAcknowledged, sector_pattern(900, 8));
        s.expect(conformance::is_okay(send(s, write.request)), "a write is acknowledged");
        maps_ = s.maps();
        ports_ = s.ports();
    }
    void unharmed(OtherFrontend& other, const std::function<std::string()>& what) {
        Stage& s = stage_;
        s.expect(s.frontend().backend_state() == "4", "the device lives on", what);
        s.expect(read_works(s), "a read works", what);
        s.expect(other.works(), "the other disk works", what);
        s.expect(s.on_disk(kAcknowledged, 8) == sector_pattern(900, 8), "what was acknowledged is on the disk", what);
        s.expect(s.maps() == maps_ && s.ports() == ports_, "nothing stays mapped or bound", what);
    }
    /// And the neighbour has what it had: a ring and a port.
    void closed(OtherFrontend& other, const std::string& says, const std::function<std::string()>& what) {
        Stage& s = stage_;
        s.expect(s.frontend().backend_state() == "5", "the device closes", what);
        const std::string error = error_of(s);
        s.expect(error.find(says) != std::string::npos, "and says why", [&] { return what() + ": '" + error + "'"; });
        s.expect(other.works(), "the other disk works", what);
        s.expect(s.on_disk(kAcknowledged, 8) == sector_pattern(900, 8), "what was acknowledged is on the disk", what);
        s.expect(s.disk_untouched(kAcknowledged, 8), "and nothing else", what);
        s.expect(s.maps() + 1 == maps_ && s.ports() + 1 == ports_, "nothing stays mapped or bound", what);
        s.frontend().state(5);
        s.settle();
        s.frontend().state(6);
        s.settle();
        s.expect(s.frontend().backend_state() == "6", "it ends in Closed", what);
    }

private:
    Stage& stage_;
    std::size_t maps_ = 0, ports_ = 0;
};

void judge(Stage& s, OtherFrontend& other, Before& before, const blkif_request_t& request, Answer answer,
           const char* what) {
    const auto why = [&] { return std::string(what); };
    const auto response = send(s, request);
    const bool refused = response && (response->status == BLKIF_RSP_ERROR || response->status == BLKIF_RSP_EOPNOTSUPP);
    s.expect(answer == Answer::okay ? conformance::is_okay(response) : refused, "it is answered as it must be",
             [&] { return why() + " has " + conformance::shown(response); });
    s.expect(response && response->id == request.id, "with its id", why);
    if (answer == Answer::error)
        s.expect(s.disk_untouched(kAcknowledged, 8), "a request that is refused changes nothing", why);
    before.unharmed(other, why);
}

const Row<void (*)(RawFrontend&, blkif_request_t&)> kFields[] = {
    {"operation 4", Answer::error, [](auto&, auto& r) { r.operation = BLKIF_OP_RESERVED_1; }},
    {"operation 7", Answer::error, [](auto&, auto& r) { r.operation = 7; }},
    {"operation 255", Answer::error, [](auto&, auto& r) { r.operation = 255; }},
    {"a read into pages that it may only read", Answer::error, [](auto&, auto& r) { r.operation = BLKIF_OP_READ; }},
    {"no segments", Answer::error, [](auto&, auto& r) { r.nr_segments = 0; }},
    {"12 segments", Answer::error, [](auto&, auto& r) { r.nr_segments = 12; }},
    {"255 segments", Answer::error, [](auto&, auto& r) { r.nr_segments = 255; }},
    {"another handle", Answer::okay, [](auto&, auto& r) { r.handle = 0xffff; }},
    {"id 0", Answer::okay, [](auto&, auto& r) { r.id = 0; }},
    {"the largest id", Answer::okay, [](auto&, auto& r) { r.id = kHuge; }},
    {"a sector across the end", Answer::error, [](auto&, auto& r) { r.sector_number = Stage::kSectors - 1; }},
    {"the sector behind the end", Answer::error, [](auto&, auto& r) { r.sector_number = Stage::kSectors; }},
    {"sector 2^63", Answer::error, [](auto&, auto& r) { r.sector_number = 1ull << 63; }},
    {"the last sector there is", Answer::error, [](auto&, auto& r) { r.sector_number = kHuge; }},
    {"a sector whose end wraps", Answer::error, [](auto&, auto& r) { r.sector_number = kHuge - 7; }},
    {"a sector whose byte wraps", Answer::error, [](auto&, auto& r) { r.sector_number = (1ull << 55) + kAt; }},
    {"a gref that grants nothing", Answer::error, [](auto&, auto& r) { r.seg[0].gref = 480; }},
    {"a gref behind the table", Answer::error, [](auto&, auto& r) { r.seg[1].gref = 0xffffffff; }},
    {"the ring's own page", Answer::okay, [](auto& f, auto& r) { r.seg[0].gref = f.ring_ref().value; }},
    {"one page twice", Answer::okay, [](auto&, auto& r) { r.seg[1].gref = r.seg[0].gref; }},
    {"a segment that ends before it begins", Answer::error, [](auto&, auto& r) { r.seg[0].first_sect = 9; }},
    {"a first sector of 255", Answer::error, [](auto&, auto& r) { r.seg[1].first_sect = 255; }},
    {"a segment behind its page", Answer::error, [](auto&, auto& r) { r.seg[1].last_sect = 8; }},
    {"a last sector of 255", Answer::error, [](auto&, auto& r) { r.seg[0].last_sect = 255; }},
};

TEST(BlkbackBadInput, EachFieldOfARequest) {
    for (const auto& row : kFields)
        play_beside([&](Stage& s, OtherFrontend& other) {
            Before before(s);
            auto write = s.frontend().write(kAt, sector_pattern(700, 16));
            row.change(s.frontend(), write.request);
            judge(s, other, before, write.request, row.answer, row.what);
        });
}

const Row<void (*)(blkif_request_discard_t&)> kDiscards[] = {
    {"every flag", Answer::okay, [](auto& d) { d.flag = 0xff; }},
    {"another handle", Answer::okay, [](auto& d) { d.handle = 0xffff; }},
    {"a sector behind the end", Answer::error, [](auto& d) { d.sector_number = Stage::kSectors; }},
    {"one sector too many", Answer::error, [](auto& d) { d.nr_sectors = Stage::kSectors - kAt + 1; }},
    {"all sectors there are", Answer::error, [](auto& d) { d.nr_sectors = kHuge; }},
    {"an end that wraps", Answer::error, [](auto& d) { d.nr_sectors = kHuge - kAt + 1; }},
    {"an end that wraps in bytes", Answer::error, [](auto& d) { d.nr_sectors = 1ull << 55; }},
};

TEST(BlkbackBadInput, EachFieldOfADiscard) {
    for (const auto& row : kDiscards)
        play_beside([&](Stage& s, OtherFrontend& other) {
            Before before(s);
            auto discard = as_discard(discard_request(kAt, 16));
            row.change(discard);
            judge(s, other, before, as_request(discard), row.answer, row.what);
        });
}

/// Of an indirect write of 12 pages, or of the second of the segments that it lists.
struct Indirectly {
    RawFrontend& f;
    RawFrontend::Indirect& t;
    void list(const std::function<void(blkif_request_segment&)>& change) const {
        blkif_request_segment segment{.gref = t.pages[1].grant.ref().value, .first_sect = 0, .last_sect = 7};
        change(segment);
        f.fill(t.tables[0], std::as_bytes(std::span(&segment, 1)), sizeof segment);
    }
};

const Row<void (*)(Indirectly)> kIndirect[] = {
    {"a barrier inside", Answer::error, [](auto i) { i.t.request.indirect_op = BLKIF_OP_WRITE_BARRIER; }},
    {"a flush inside", Answer::error, [](auto i) { i.t.request.indirect_op = BLKIF_OP_FLUSH_DISKCACHE; }},
    {"a discard inside", Answer::error, [](auto i) { i.t.request.indirect_op = BLKIF_OP_DISCARD; }},
    {"an indirect request inside", Answer::error, [](auto i) { i.t.request.indirect_op = BLKIF_OP_INDIRECT; }},
    {"operation 255 inside", Answer::error, [](auto i) { i.t.request.indirect_op = 255; }},
    {"a read into pages that it may only read", Answer::error, [](auto i) { i.t.request.indirect_op = BLKIF_OP_READ; }},
    {"no segments", Answer::error, [](auto i) { i.t.request.nr_segments = 0; }},
    {"257 segments", Answer::error, [](auto i) { i.t.request.nr_segments = 257; }},
    {"65535 segments", Answer::error, [](auto i) { i.t.request.nr_segments = 65535; }},
    {"segments of zeros", Answer::error, [](auto i) { i.t.request.nr_segments = 13; }},
    {"another handle", Answer::okay, [](auto i) { i.t.request.handle = 0xffff; }},
    {"a sector across the end", Answer::error, [](auto i) { i.t.request.sector_number = Stage::kSectors - 95; }},
    {"a sector whose end wraps", Answer::error, [](auto i) { i.t.request.sector_number = kHuge - 95; }},
    {"a list that is granted to nobody", Answer::error, [](auto i) { i.t.request.indirect_grefs[0] = 480; }},
    {"a list behind the table", Answer::error, [](auto i) { i.t.request.indirect_grefs[0] = 0xffffffff; }},
    {"the ring for a list", Answer::error, [](auto i) { i.t.request.indirect_grefs[0] = i.f.ring_ref().value; }},
    {"a page of data for a list", Answer::error,
     [](auto i) { i.t.request.indirect_grefs[0] = i.t.pages[0].grant.ref().value; }},
    {"lists that are not needed", Answer::okay, [](auto i) { i.t.request.indirect_grefs[1] = 0xffffffff; }},
    {"a listed gref that grants nothing", Answer::error, [](auto i) { i.list([](auto& s) { s.gref = 480; }); }},
    {"a listed gref behind the table", Answer::error, [](auto i) { i.list([](auto& s) { s.gref = 0xffffffff; }); }},
    {"a listed segment that ends before it begins", Answer::error,
     [](auto i) { i.list([](auto& s) { s.first_sect = 7, s.last_sect = 6; }); }},
    {"a listed segment behind its page", Answer::error, [](auto i) { i.list([](auto& s) { s.last_sect = 8; }); }},
    {"a listed segment of 255", Answer::error,
     [](auto i) { i.list([](auto& s) { s.first_sect = s.last_sect = 255; }); }},
};

TEST(BlkbackBadInput, EachFieldOfAnIndirectRequestAndOfItsList) {
    for (const auto& row : kIndirect)
        play_beside([&](Stage& s, OtherFrontend& other) {
            Before before(s);
            auto t = s.frontend().indirect(BLKIF_OP_WRITE, kAt, 12);
            for (const auto& page : t.pages) s.frontend().fill(page, sector_pattern(700, 8));
            row.change({s.frontend(), t});
            judge(s, other, before, as_request(t.request), row.answer, row.what);
        });
}

TEST(BlkbackBadInput, ARequestIndexThatClaimsTheImpossible) {
    for (const std::uint32_t ahead : {33u, 0x80000000u, 0xffffffffu})
        play_beside([&](Stage& s, OtherFrontend& other) {
            Before before(s);
            s.frontend().ring().store(RawRing::Word::req_prod, s.frontend().requests() + ahead);
            s.frontend().notify();
            s.settle();
            before.closed(other, "claims", [&] { return "req_prod is " + std::to_string(ahead) + " ahead"; });
        });
}

TEST(BlkbackBadInput, EveryOtherWordOfTheRing) {
    using Word = RawRing::Word;
    for (const Word word : {Word::req_event, Word::rsp_prod, Word::rsp_event})
        for (const std::uint32_t value : {0u, 12345u, 0x80000000u, 0xffffffffu})
            play_beside([&](Stage& s, OtherFrontend& other) {
                Before before(s);
                s.frontend().ring().store(word, value);
                s.frontend().notify();
                s.settle();
                const auto t = s.frontend().read(7, 1);
                s.frontend().put(t.request);
                s.frontend().push();
                s.frontend().notify();
                s.settle();
                s.expect(conformance::is_okay(s.frontend().take()), "the next request is answered");
                before.unharmed(other, [&] {
                    return "word " + std::to_string(static_cast<unsigned>(word)) + " is " + std::to_string(value);
                });
            });
}

/// Xen drops what is sent to a port that nobody is bound to: there is no error for anybody to close by.
TEST(BlkbackBadInput, APortThatTheGuestClosesUnderARequest) {
    play_beside([](Stage& s, OtherFrontend& other) {
        if (!s.connect_frontend()) return;
        const auto t = s.frontend().read(7, 1);
        s.frontend().put(t.request);
        s.frontend().push_and_notify();
        s.frontend().drop_ring();
        s.settle();
        s.expect(s.frontend().backend_state() == "4", "the device lives on");
        s.expect(other.works(), "the other disk works");
        for (const unsigned state : {5u, 6u}) {
            s.frontend().state(state);
            s.settle();
        }
        s.expect(s.frontend().backend_state() == "6", "it ends in Closed");
        s.expect(s.maps() == 1 && s.ports() == 1 && other.works(), "nothing stays mapped or bound but the other's");
    });
}

TEST(BlkbackBadInput, AStormOfEventsWithoutWork) {
    play_beside([](Stage& s, OtherFrontend& other) {
        Before before(s);
        for (unsigned i = 0; i < 500; ++i) s.frontend().notify();
        s.settle();
        before.unharmed(other, [] { return "500 events"; });
    });
}

}  // namespace
}  // namespace xenrig::blk
