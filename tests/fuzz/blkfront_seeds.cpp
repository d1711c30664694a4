// A hostile backend's attacks on blkfront. Offsets are those of struct blkif_response (io/blkif.h): id 0, operation 8,
// status 10.
#include "tests/fuzz/blk_script.h"
#include "tests/fuzz/blk_seeds.h"

namespace xenrig::fuzz {

namespace {

using B = BackendScript;

constexpr int kReqProd = 0, kReqEvent = 1, kRspProd = 2, kRspEvent = 3;
// Places in the backend's table of nodes.
constexpr int kSectorsNode = 1, kSectorSize = 2, kInfo = 4, kBarrier = 5, kGranularity = 8, kIndirect = 12,
              kMaxOrder = 13, kMaxQueues = 15, kFrontendId = 18;
constexpr std::uint64_t kLast = ~0ull;
/// An id is a slot below 2^16 and a count above it.
constexpr std::uint64_t kNextCount = 0x10000;

/// A new device of the same name, offered and not connected.
B offered(int how) { return B{}.replug().handshake(how).settle(); }

}  // namespace

std::vector<BlkSeed> blkfront_seeds() {
    return {
        {"usual-read-write", B{}.user_read(0).user_write(8, 4).serve().settle().serve().settle().bytes(), "4"},
        {"usual-every-operation",
         B{}.device(1)
             .user_write(0)
             .settle()
             .serve()
             .user_flush()
             .user_discard(8, 8)
             .user_barrier(16)
             .settle()
             .serve()
             .settle()
             .serve()
             .settle()
             .bytes(),
         "4"},
        {"usual-indirect-and-split",
         B{}.device(1)
             .user_read(0, 8)
             .user_write(0, 40)
             .settle()
             .serve()
             .settle()
             .serve()
             .settle()
             .then_destroyed()
             .bytes(),
         "4"},
        {"usual-on-two-queues",
         B{}.device(2).user_read(0).user_read(8).settle().serve().select_queue(1).serve().settle().bytes(), "4"},

        {"usual-from-a-drive", B{}.device(3).user_read(0).user_ejects().settle().serve().settle().bytes(), "4"},
        {"usual-with-large-sectors",
         B{}.device(4).user_read(8, 4).user_write(8).user_discard(8, 8).settle().serve().settle().bytes(), "4"},
        {"users-ask-nonsense",
         B{}.user_read(kLast)
             .user_write(kSectors)
             .user_read(kSectors - 1, 2)
             .user_flush()
             .user_barrier(0)
             .user_discard(0, 8)
             .user_discard_securely(0, 8)
             .user_ejects()
             .settle()
             .serve()
             .settle()
             .bytes(),
         "4"},
        {"users-ask-nonsense-of-every-feature",
         B{}.device(1)
             .user_discard(kSectors - 1, 8)
             .user_discard_securely(0, 8)
             .user_discard(3, 0)
             .user_write(0, 40)
             .user_barrier(kLast)
             .settle()
             .serve()
             .settle()
             .bytes(),
         "4"},
        {"users-write-what-is-read-only",
         B{}.device(3).user_write(0).user_flush().user_discard(0, 8).user_barrier(0).settle().serve().settle().bytes(),
         "4"},
        {"users-ask-for-pieces-of-large-sectors",
         B{}.device(4)
             .user_read(3)
             .user_write(8, 160)
             .user_discard(3, 1)
             .user_discard(8, 3)
             .user_barrier(1)
             .settle()
             .serve()
             .settle()
             .bytes(),
         "4"},
        {"users-ask-for-more-than-the-ring-holds",
         B{}.user_read(0)
             .user_write(8)
             .twice()
             .twice()
             .twice()
             .twice()
             .twice()
             .settle()
             .serve()
             .settle()
             .serve()
             .settle()
             .then_destroyed()
             .bytes(),
         "4"},
        {"users-take-all-memory",
         B{}.device(1)
             .user_read(0, 40)
             .twice()
             .twice()
             .twice()
             .twice()
             .settle()
             .serve()
             .settle()
             .serve()
             .settle()
             .bytes(),
         ""},
        {"users-hold-a-disk-that-closes",
         B{}.user_holds()
             .settle()
             .state("5")
             .settle()
             .user_read(0)
             .settle()
             .serve()
             .user_holds()
             .settle()
             .state("6")
             .settle()
             .bytes(),
         "6"},
        {"users-hold-a-disk-that-is-gone",
         B{}.user_holds().user_read(0).settle().replug().connect().user_holds().settle().then_destroyed().bytes(), "4"},

        // Responses (BZ-057).
        {"response-to-nothing", B{}.answer_any(0, 0, 0).go().bytes(), "56"},
        {"response-id-out-of-range", B{}.user_read(0).settle().fetch().answer_with_id(0, 0xffff).go().bytes(), "56"},
        {"response-id-of-another-slot", B{}.user_read(0).settle().fetch().answer_with_id(0, 1).go().bytes(), "56"},
        {"response-id-of-an-earlier-request",
         B{}.user_read(0)
             .settle()
             .serve()
             .settle()
             .user_read(8)
             .settle()
             .fetch()
             .answer_with_id(0, kLast - kNextCount + 1)
             .go()
             .bytes(),
         "56"},
        {"response-id-all-ones", B{}.user_read(0).settle().answer_any(kLast, 0, 0).go().bytes(), "56"},
        {"response-twice",
         B{}.user_read(0).user_read(8).settle().fetch().answer_and_keep(0).go().answer_and_keep(0).go().bytes(), "56"},
        {"response-twice-in-one-push",
         B{}.user_read(0).user_read(8).settle().fetch().answer_and_keep(0).answer_and_keep(0).go().bytes(), "56"},
        {"response-of-another-operation", B{}.user_read(0).settle().fetch().answer_with_operation(0, 1).go().bytes(),
         "56"},
        {"response-indirect-to-a-direct-one",
         B{}.device(1).user_read(0).settle().fetch().answer_with_operation(0, 6).go().bytes(), "56"},
        {"response-status-unknown",
         B{}.user_read(0)
             .user_write(8)
             .settle()
             .fetch()
             .answer_with_status(0, 0x7fff)
             .answer_with_status(0, 0x8000)
             .go()
             .bytes(),
         "4"},
        {"response-unsupported-flush",
         B{}.device(1).user_flush().settle().fetch().answer_with_status(0, 0xfffffffffffffffe).go().bytes(), "4"},
        {"response-unsupported-barrier-and-discard",
         B{}.device(1)
             .user_barrier(0)
             .user_discard(0, 8)
             .user_discard_securely(8, 8)
             .settle()
             .fetch()
             .answer_with_status(0, 0xfffffffffffffffe)
             .go()
             .fetch()
             .answer_with_status(0, 0xfffffffffffffffe)
             .answer_with_status(0, 0xfffffffffffffffe)
             .go()
             .user_flush()
             .user_discard(0, 8)
             .user_barrier(8)
             .settle()
             .serve()
             .settle()
             .bytes(),
         "4"},
        {"response-unsupported-flush-then-barrier",
         B{}.device(1)
             .user_flush()
             .settle()
             .fetch()
             .answer_with_status(0, 0xfffffffffffffffe)
             .go()
             .fetch()
             .answer_with_status(0, 0xfffffffffffffffe)
             .go()
             .user_flush()
             .settle()
             .bytes(),
         "4"},
        {"response-unsupported-indirect",
         B{}.device(1)
             .user_write(0, 20)
             .user_read(0)
             .settle()
             .fetch()
             .answer_with_status(0, 0xfffffffffffffffe)
             .go()
             .serve()
             .settle()
             .serve()
             .settle()
             .bytes(),
         "4"},
        {"response-error-to-part-of-a-split-one",
         B{}.user_write(0, 30)
             .settle()
             .fetch()
             .answer_with_status(1, 0xffffffffffffffff)
             .answer(0)
             .answer(0)
             .go()
             .bytes(),
         ""},
        {"response-in-another-order",
         B{}.user_read(0).user_read(8).user_read(16).settle().fetch().answer(2).answer(1).answer(0).go().bytes(), "4"},
        {"response-never", B{}.user_read(0, 40).user_write(0, 40).settle().fetch().then_destroyed().bytes(), "4"},
        {"response-changes-after-a-read",
         B{}.user_read(0).settle().fetch().answer(0).late_slot(0, 0, 8, kLast).late_slot(0, 8, 1, 6).go().bytes(), "4"},

        // Indices.
        {"index-far-ahead", B{}.user_read(0).settle().set_index(kRspProd, 0xffffffff).event().settle().bytes(), "56"},
        {"index-ahead-of-what-was-asked", B{}.user_read(0).settle().fetch().answer(0).claim(1).event().settle().bytes(),
         "56"},
        {"index-goes-back",
         B{}.user_read(0).settle().serve().settle().move_index(kRspProd, -1).event().settle().bytes(), "56"},
        {"index-half-way-round", B{}.set_index(kRspProd, 0x80000000).event().settle().bytes(), "56"},
        {"index-of-requests-overwritten",
         B{}.user_read(0).settle().set_index(kReqProd, 0x7fffffff).user_write(8).settle().serve().settle().bytes(), ""},
        {"index-event-never-asked-for",
         B{}.set_index(kReqEvent, 0x80000000).user_read(0).settle().serve().settle().bytes(), "4"},
        {"index-response-event-overwritten",
         B{}.set_index(kRspEvent, 0x80000000).user_read(0).settle().serve().settle().bytes(), "4"},

        // Shared pages (BZ-060): the request is changed once it is on the ring.
        {"request-overwritten-on-the-ring",
         B{}.user_write(0)
             .settle()
             .poke_slot(1, 0, 8, kLast)
             .poke_slot(1, 8, 8, kLast)
             .fetch()
             .answer(0)
             .go()
             .serve()
             .settle()
             .bytes(),
         ""},
        {"page-kept-after-the-answer",
         B{}.user_read(0, 2)
             .settle()
             .fetch()
             .keep_page(0, 0)
             .keep_page(0, 1)
             .answer(0)
             .go()
             .poke_kept(0, 0, kLast)
             .user_read(8, 4)
             .settle()
             .serve()
             .settle()
             .let_go()
             .then_destroyed()
             .bytes(),
         "4"},
        {"page-kept-when-the-device-goes",
         B{}.device(1)
             .user_write(0, 4)
             .settle()
             .fetch()
             .keep_page(0, 0)
             .keep_page(0, 3)
             .state("6")
             .settle()
             .then_destroyed()
             .bytes(),
         "6"},
        {"page-of-segments-kept-and-changed",
         B{}.device(1)
             .user_write(0, 20)
             .settle()
             .fetch()
             .keep_page(0, 0)
             .poke_kept(0, 0, kLast)
             .answer(0)
             .go()
             .user_write(0, 20)
             .settle()
             .fetch()
             .answer(0)
             .go()
             .then_destroyed()
             .bytes(),
         "4"},

        // Events (XSA-391), ports, grants.
        {"events-stormed", B{}.storm(63).user_read(0).storm(63).serve().settle().storm(63).bytes(), "4"},
        {"port-closed-with-requests-on-the-ring",
         B{}.user_read(0).settle().close_port().user_read(8).settle().then_destroyed().bytes(), "4"},
        {"ring-left-and-joined-again",
         B{}.user_read(0).settle().leave().user_read(8).settle().join().serve().settle().bytes(), ""},

        // The store.
        {"node-sectors-missing", B(offered(0)).remove_node(kSectorsNode).state("4").settle().bytes(), "56"},
        {"node-sectors-garbled",
         B(offered(0))
             .write_node(kSectorsNode, "18446744073709551615")
             .write_node(kSectorSize, "x")
             .state("4")
             .settle()
             .bytes(),
         "56"},
        {"node-sector-size-zero", B(offered(0)).write_node(kSectorSize, "0").state("4").settle().bytes(), "56"},
        {"node-sector-size-three", B(offered(0)).write_node(kSectorSize, "3").state("4").settle().bytes(), "56"},
        {"node-disk-larger-than-any",
         B(offered(0))
             .write_node(kSectorsNode, "18446744073709551615")
             .state("4")
             .settle()
             .user_read(kLast)
             .user_read(kLast - 1)
             .user_write(0x7fffffffffffffff)
             .settle()
             .bytes(),
         ""},
        {"node-info-all-flags",
         B(offered(0))
             .write_node(kInfo, "4294967295")
             .state("4")
             .settle()
             .user_write(0)
             .user_discard(0, 8)
             .settle()
             .bytes(),
         ""},
        {"node-features-garbled",
         B(offered(0x40))
             .write_node(kBarrier, "-1")
             .write_node(kGranularity, "x")
             .write_node(kIndirect, "4294967296")
             .state("4")
             .settle()
             .user_write(0, 20)
             .settle()
             .serve()
             .settle()
             .bytes(),
         ""},
        {"node-indirect-segments-huge",
         B(offered(0x40))
             .write_node(kIndirect, "4294967295")
             .join()
             .state("4")
             .settle()
             .user_write(0, 40)
             .settle()
             .serve()
             .settle()
             .bytes(),
         ""},
        {"node-geometry-too-large",
         B{}.replug()
             .write_node(kMaxOrder, "31")
             .write_node(kMaxQueues, "4294967295")
             .state("2")
             .settle()
             .state("4")
             .settle()
             .user_read(0)
             .settle()
             .bytes(),
         ""},
        {"node-frontend-id-changes", B{}.write_node(kFrontendId, "0").user_read(0).settle().serve().settle().bytes(),
         "4"},

        {"node-sectors-change-while-connected",
         B{}.write_node(kSectorsNode, "32")
             .state("4")
             .settle()
             .user_read(40)
             .settle()
             .write_node(kSectorsNode, "x")
             .state("4")
             .settle()
             .bytes(),
         ""},
        {"node-sectors-vanish-while-connected",
         B{}.remove_node(kSectorsNode).state("4").settle().user_read(0).settle().serve().settle().bytes(), "4"},

        // Hypercalls that fail, each at some place.
        {"hypercall-fails-making-the-port", B{}.replug().fail_hypercall(0).connect().settle().then_destroyed().bytes(),
         ""},
        {"hypercall-fails-at-the-second-queue",
         B{}.device(2).replug().fail_hypercall(1).connect().settle().then_destroyed().bytes(), ""},
        {"hypercall-fails-sending-the-event",
         B{}.fail_hypercall(0).user_read(0).user_write(8).settle().serve().settle().then_destroyed().bytes(), ""},

        // States in any order (BZ-126).
        {"state-straight-to-connected", B{}.replug().settle().state("4").settle().user_read(0).settle().bytes(), ""},
        {"state-closes-with-requests-in-flight",
         B{}.user_read(0).user_write(8, 8).settle().state("5").settle().state("6").settle().bytes(), "6"},
        {"state-closes-and-answers-late",
         B{}.user_read(0).settle().fetch().state("5").settle().answer(0).go().state("6").settle().bytes(), "6"},
        {"state-back-to-init-wait-while-connected",
         B{}.state("2").settle().user_read(0).settle().state("4").settle().serve().settle().bytes(), "4"},
        {"state-closed-opened-closed",
         B{}.state("6").settle().state("4").settle().state("5").settle().state("2").settle().bytes(), "6"},
        {"state-garbled", B{}.state("x").settle().state("31").settle().user_read(0).settle().serve().settle().bytes(),
         "4"},
        {"replugged-with-requests-in-flight",
         B{}.user_read(0)
             .user_write(8)
             .settle()
             .replug()
             .connect()
             .user_read(0)
             .settle()
             .serve()
             .settle()
             .then_destroyed()
             .bytes(),
         "4"},
        {"detached-with-requests-in-flight",
         B{}.user_read(0)
             .user_write(8, 30)
             .settle()
             .detach()
             .settle()
             .serve()
             .settle()
             .state("6")
             .settle()
             .then_destroyed()
             .bytes(),
         ""},
        {"preempted-while-it-answers",
         B{}.choices({3, 5, 2, 8, 1, 4, 6, 2, 2, 1, 3, 1, 2})
             .user_read(0)
             .user_read(8)
             .settle()
             .fetch()
             .answer(0)
             .claim_and_event()
             .answer(0)
             .claim_and_event()
             .settle()
             .bytes(),
         "4"},
    };
}

}  // namespace xenrig::fuzz
