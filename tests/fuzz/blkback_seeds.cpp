// A hostile frontend's attacks on blkback. Offsets are those of struct blkif_request (io/blkif.h): operation 0,
// nr_segments 1, id 8, sector_number 16, segments from 24 on, eight bytes each.
#include "tests/fuzz/blk_script.h"
#include "tests/fuzz/blk_seeds.h"

namespace xenrig::fuzz {

namespace {

using F = FrontendScript;

constexpr int kReqProd = 0, kReqEvent = 1, kRspProd = 2;
// Places in the frontend's table of nodes.
constexpr int kRingRef = 0, kEventChannel = 1, kProtocol = 2, kPageOrder = 5, kNumPages = 6, kNumQueues = 7,
              kBackendNode = 15, kLargeSectors = 16;
// Places in the toolstack's.
constexpr int kParams = 0, kRemovable = 2, kMediaPresent = 4, kDiscardEnable = 5, kOnline = 6;
constexpr std::uint64_t kLast = ~0ull;

}  // namespace

std::vector<BlkSeed> blkback_seeds() {
    const ScriptSegment whole{0, 0, 7};
    return {
        {"usual-read-write-flush-discard", F{}.write(3).flush().read(3).discard(8, 8).go().bytes(), "4"},
        {"usual-with-persistent-grants", F{}.device(1).write(3).go().read(3).go().then_destroyed().bytes(), "4"},
        {"usual-from-i386-read-only", F{}.device(2).read(3).write(3).discard(3, 1).go().bytes(), "4"},
        {"usual-on-two-queues", F{}.device(3).write(3).go().select_queue(1).read(3).go().bytes(), "4"},

        // XSA-155: what was checked is not what is used.
        {"xsa155-operation-changes-after-a-read", F{}.read(0).late_slot(0, 0, 1, 6).go().bytes(), "4"},
        {"xsa155-segments-grow-after-a-read", F{}.read(0).late_slot(0, 1, 1, 0xff).go().bytes(), "4"},
        {"xsa155-sectors-change-after-a-read",
         F{}.write(0).late_slot(0, 28, 2, 0xff00).late_slot(0, 16, 8, kLast).go().bytes(), "4"},
        {"xsa155-indirect-sectors-change-after-a-read",
         F{}.indirect_segment(3, 0, 8, 0, 7)
             .indirect(0, 0, 1, {3})
             .late_page(3, 4, 2, 0xff00)
             .late_page(3, 0, 4, 0xffffffff)
             .go()
             .bytes(),
         "4"},
        {"xsa155-data-changes-after-a-read", F{}.write(0, 1).late_page(1, 0, 8, kLast).go().read(0, 2).go().bytes(),
         "4"},

        // Indices that lie (BZ-066).
        {"index-far-ahead", F{}.set_index(kReqProd, 0xffffffff).event().settle().bytes(), "56"},
        {"index-half-way-round", F{}.set_index(kReqProd, 0x80000000).event().settle().bytes(), "56"},
        {"index-one-more-than-the-ring", F{}.set_index(kReqProd, 33).event().settle().bytes(), "56"},
        {"index-goes-back", F{}.read(0).read(8).go().move_index(kReqProd, -1).event().settle().bytes(), "56"},
        {"index-of-responses-overwritten", F{}.read(0).set_index(kRspProd, 0xfffffffe).go().read(0).go().bytes(), "4"},
        {"index-event-never-asked-for", F{}.set_index(3, 0x80000000).read(0).go().bytes(), "4"},
        {"index-request-event-overwritten",
         F{}.set_index(kReqEvent, 0x80000000).read(0).claim(0).settle().event().settle().bytes(), "4"},

        // Segments and extents.
        {"segments-none", F{}.request(0, 0, {}).go().bytes(), "4"},
        {"segments-twelve",
         F{}.claims(0, 0, 12, {whole, whole, whole, whole, whole, whole, whole, whole, whole, whole, whole})
             .go()
             .bytes(),
         "4"},
        {"segments-two-hundred-and-fifty-five", F{}.claims(1, 0, 255, {whole}).go().bytes(), "4"},
        {"segment-ends-before-it-begins", F{}.request(1, 0, {{0, 5, 2}}).go().bytes(), "4"},
        {"segment-ends-behind-its-page", F{}.request(0, 0, {{0, 0, 8}}).go().bytes(), "4"},
        {"sector-behind-the-end", F{}.read(kSectors).read(kSectors - 1).go().bytes(), "4"},
        {"sector-wraps-around", F{}.write(kLast).write(0x0080000000000000).go().bytes(), "4"},
        {"flush-with-segments", F{}.request(3, 0, {whole}).go().bytes(), "4"},
        {"operation-unknown", F{}.request(255, 0, {whole}).request(4, 0, {whole}).go().bytes(), "4"},
        {"barrier-with-and-without-data", F{}.write(0).request(2, 8, {whole}).request(2, 0, {}).read(8).go().bytes(),
         "4"},

        // Discards (BZ-065), indirect requests.
        {"discard-of-a-read-only-disk", F{}.device(2).discard(0, 8).discard(0, 8, 1).go().bytes(), "4"},
        {"discard-wraps-around", F{}.discard(1, kLast).discard(kSectors, 0).discard(kLast, 1).go().bytes(), "4"},
        {"discard-securely", F{}.discard(0, 8, 1).go().bytes(), "4"},
        {"indirect-of-indirect", F{}.indirect(6, 0, 4, {3}).go().bytes(), "4"},
        {"indirect-more-segments-than-offered",
         F{}.indirect(0, 0, 257, {3, 3, 3}).indirect(0, 0, 0xffff, {3}).go().bytes(), "4"},
        {"indirect-without-segments", F{}.indirect(1, 0, 0, {3}).go().bytes(), "4"},
        {"indirect-page-is-the-ring", F{}.indirect(0, 0, 256, {6}).go().bytes(), "4"},
        {"indirect-page-without-grant", F{}.indirect(1, 0, 12, {7}).indirect(0, 0, 12, {5}).go().bytes(), "4"},

        // Grants (BZ-090, BZ-091, BZ-172, XSA-365, XSA-371).
        {"grant-bad-in-the-middle", F{}.request(1, 0, {{0}, {1}, {7}, {2}}).go().then_destroyed().bytes(), "4"},
        {"grant-bad-in-the-middle-persistent",
         F{}.device(1).request(0, 0, {{0}, {1}, {7}, {2}}).go().then_destroyed().bytes(), "4"},
        {"grant-read-only-for-a-read", F{}.read(0, 4).write(0, 4).go().bytes(), "4"},
        {"grant-read-only-persistent", F{}.device(1).write(0, 4).read(0, 4).go().bytes(), "4"},
        {"grant-of-a-stranger", F{}.read(0, 5).go().bytes(), "4"},
        {"grant-of-the-ring-as-data", F{}.read(0, 6).go().read(8).go().bytes(), ""},
        {"grant-ends-with-the-request-on-the-ring", F{}.read(0, 2).claim(0).end_grant(2).event().settle().bytes(), "4"},
        {"grant-ends-while-kept-mapped",
         F{}.device(1).write(0, 2).go().end_grant(2).regrant(2, false, true).write(0, 2).go().then_destroyed().bytes(),
         "4"},
        {"grant-of-the-ring-ends", F{}.end_grant(6).read(0).go().then_destroyed().bytes(), "4"},

        // Events (XSA-332) and ports.
        {"events-stormed", F{}.storm(63).read(0).storm(63).go().bytes(), "4"},
        {"port-closed-with-a-request-on-the-ring", F{}.read(0).claim(0).close_port().settle().bytes(), "4"},
        {"port-made-anew-unpublished", F{}.new_port().read(0).go().reconnect().bytes(), "4"},

        // The store: nodes missing, garbled, changed at the wrong time.
        {"node-ring-ref-garbled",
         F{}.state("6")
             .settle()
             .state("1")
             .settle()
             .new_ring()
             .name_ring()
             .write_node(kRingRef, "99999999999999999999")
             .state("3")
             .settle()
             .bytes(),
         "56"},
        {"node-event-channel-missing",
         F{}.state("6").settle().state("1").settle().name_ring().remove_node(kEventChannel).state("3").settle().bytes(),
         "56"},
        {"node-protocol-unknown",
         F{}.state("6")
             .settle()
             .state("1")
             .settle()
             .new_ring()
             .name_ring()
             .write_node(kProtocol, "sparc-abi")
             .state("3")
             .settle()
             .bytes(),
         "56"},
        {"node-page-order-too-large",
         F{}.state("6")
             .settle()
             .state("1")
             .settle()
             .new_ring()
             .name_ring()
             .write_node(kPageOrder, "31")
             .state("3")
             .settle()
             .bytes(),
         "56"},
        {"node-pages-no-power-of-two",
         F{}.state("6")
             .settle()
             .state("1")
             .settle()
             .new_ring()
             .name_ring()
             .write_node(kNumPages, "3")
             .state("3")
             .settle()
             .bytes(),
         "56"},
        {"node-queues-zero",
         F{}.state("6")
             .settle()
             .state("1")
             .settle()
             .new_ring()
             .name_ring()
             .write_node(kNumQueues, "0")
             .state("3")
             .settle()
             .bytes(),
         "56"},
        {"node-backend-moved-while-connected", F{}.write_node(kBackendNode, "/local/domain/0").read(0).go().bytes(),
         ""},

        // States in any order (BZ-109, BZ-117, XSA-350).
        {"state-toggles-connected-and-initialised",
         F{}.state("3").settle().state("4").settle().twice().twice().read(0).go().bytes(), "4"},
        {"state-reconnects-over-and-over", F{}.reconnect().read(0).go().twice().twice().then_destroyed().bytes(), "4"},
        {"state-closes-with-requests-in-flight", F{}.many(32, 1, 0, {whole}).state("6").then_destroyed().bytes(), "6"},
        {"state-closes-twice-and-comes-back",
         F{}.state("5").settle().state("6").settle().state("1").settle().state("3").settle().bytes(), ""},
        {"state-garbled", F{}.state("x").settle().state("17").settle().state("-1").settle().bytes(), ""},
        {"geometry-changes-at-every-handshake",
         F{}.handshake(0x84)
             .read(0)
             .go()
             .handshake(0x41)
             .read(0)
             .go()
             .handshake(0x0f)
             .read(0)
             .go()
             .then_destroyed()
             .bytes(),
         ""},
        {"detached-with-requests-in-flight",
         F{}.many(32, 0, 0, {whole}).detach().settle().state("5").settle().state("6").then_destroyed().bytes(), ""},
        {"destroyed-with-requests-in-flight", F{}.device(1).many(40, 1, 0, {whole}).detach().then_destroyed().bytes(),
         ""},

        // What a toolstack does meanwhile: media, sizes, nodes.
        {"usual-from-a-drive", F{}.device(4).read(3).write(3).flush().go().bytes(), "4"},
        {"usual-with-large-sectors",
         F{}.device(5).request(0, 1, {{0, 0, 0}}).request(1, 1, {{1, 0, 0}}).discard(2, 1).go().bytes(), "4"},
        {"large-sectors-wrap-around",
         F{}.device(5)
             .request(0, kLast, {{0, 0, 0}})
             .request(1, 0x2000000000000000, {{0, 0, 0}})
             .discard(1, kLast)
             .go()
             .bytes(),
         "4"},
        {"usual-with-nothing-offered",
         F{}.device(6).read(3).flush().discard(0, 8).request(2, 0, {whole}).indirect(0, 0, 1, {3}).go().bytes(), "4"},
        {"geometry-beyond-what-is-offered",
         F{}.device(6).handshake(0x84).settle().read(0).go().handshake(5).settle().read(0).go().bytes(), ""},
        {"large-sectors-cut-in-pieces",
         F{}.device(5)
             .read(3)
             .request(1, 8, {{0, 0, 2}})
             .discard(3, 1)
             .request(0, 8, {{0, 1, 3}, {1, 0, 4}})
             .go()
             .bytes(),
         "4"},
        {"large-sectors-not-announced",
         F{}.device(5).remove_node(kLargeSectors).reconnect().settle().read(0).go().bytes(), ""},
        {"medium-taken-out-with-requests-in-flight",
         F{}.device(4).many(32, 0, 0, {whole}).medium(0).read(3).go().medium(3).read(3).go().bytes(), "4"},
        {"medium-that-is-not-there", F{}.device(4).medium(2).read(3).go().medium(1).read(3).go().bytes(), "4"},
        {"medium-gone-while-closed",
         F{}.device(4).state("6").settle().medium(0).reconnect().settle().read(0).go().medium(1).read(0).go().bytes(),
         "4"},
        {"medium-said-to-be-absent",
         F{}.device(4)
             .toolstack_node(kMediaPresent, "0")
             .settle()
             .read(0)
             .go()
             .toolstack_node(kMediaPresent, "x")
             .settle()
             .read(0)
             .go()
             .bytes(),
         "4"},
        {"disk-shrinks-with-requests-in-flight",
         F{}.many(20, 1, 40, {whole}).resize(8).read(40).read(0).go().resize(200).read(100).go().bytes(), "4"},
        {"disk-shrinks-to-nothing", F{}.resize(0).read(0).write(0).flush().discard(0, 1).go().bytes(), "4"},
        {"disk-renamed-while-closed",
         F{}.state("6").settle().toolstack_node(kParams, "/local/domain/0").reconnect().settle().read(0).go().bytes(),
         "4"},
        {"discard-forbidden-while-closed",
         F{}.state("6").settle().toolstack_node(kDiscardEnable, "0").reconnect().settle().discard(0, 8).go().bytes(),
         "4"},
        {"drive-no-longer-removable",
         F{}.device(4).state("6").settle().toolstack_removes(kRemovable).reconnect().settle().read(0).go().bytes(),
         "4"},
        {"offline-and-closed",
         F{}.toolstack_node(kOnline, "0").settle().state("6").settle().state("1").settle().bytes(), ""},

        // Hypercalls that fail, each at some place.
        {"hypercall-fails-mapping-a-page", F{}.fail_hypercall(0).read(0).write(8).go().read(0).go().bytes(), ""},
        {"hypercall-fails-mapping-a-page-to-keep",
         F{}.device(1).fail_hypercall(1).request(0, 0, {{0}, {1}, {2}}).go().read(0).go().then_destroyed().bytes(), ""},
        {"hypercall-fails-sending-the-event", F{}.fail_hypercall(1).read(0).go().read(8).go().bytes(), ""},
        {"hypercall-fails-mapping-the-ring", F{}.fail_hypercall(0).reconnect().settle().then_destroyed().bytes(), "56"},
        {"hypercall-fails-binding-the-port", F{}.fail_hypercall(1).reconnect().settle().then_destroyed().bytes(), "56"},
        {"hypercall-fails-at-the-second-queue",
         F{}.device(3).fail_hypercall(2).reconnect().settle().then_destroyed().bytes(), "56"},
        {"disk-fails-now-and-then",
         F{}.choices({1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1})
             .read(0)
             .write(8)
             .flush()
             .request(2, 16, {whole})
             .go()
             .bytes(),
         "4"},
        {"maps-what-is-not-its-own", F{}.map(8).map(20).map(7).read(0).go().bytes(), "4"},
        {"preempted-while-it-publishes",
         F{}.choices({2, 9, 3, 7, 5, 11, 1, 2, 3, 1, 1, 2, 1, 3})
             .read(0)
             .claim_and_event()
             .late_slot(0, 0, 1, 1)
             .write(0)
             .claim_and_event()
             .bytes(),
         "4"},
    };
}

}  // namespace xenrig::fuzz
