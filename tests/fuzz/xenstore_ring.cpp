// A hostile guest on its xenstore ring: any bytes, any indices at any time, reconnection, features, death.
//
// Guest 1 writes to its page as it likes, also while the daemon is at work on it: what has been put aside is written at
// the daemon's next event. Dom0 introduces, releases and writes; guest 2 and another client of dom0 behave, and
// must not notice anything.
#include <array>
#include <cstring>
#include <deque>

#include "sim/xenstore/store.h"
#include "tests/fuzz/target.h"
#include "tests/fuzz/xenstore_audit.h"
#include "tests/fuzz/xenstore_peers.h"
#include "xenrig/abi/check.h"

namespace xenrig::fuzz {
namespace {

using namespace std::string_literals;
using xenstore::Daemon;
using xenstore::DomainState;
using xenstore::test::Host;
using xenstore::test::RingPage;

constexpr std::uint16_t kHostile = 1, kFriendly = 2;

class Play {
public:
    explicit Play(std::span<const std::byte> bytes)
        : stage_(bytes), dom0_(daemon_), witness_(daemon_), page_(host_.exist(kHostile)) {
        introduce_guest(host_, dom0_, kHostile);
        introduce_guest(host_, dom0_, kFriendly);
        friendly_.expect_service();
        host_.on_notify = [this] { write_late(); };
    }

    std::uint64_t run() {
        while (!input_.empty()) {
            const std::uint8_t what = input_.byte();
            step(what & 15U);
            if ((what & 16U) == 0) serve();
        }
        serve();
        late_.clear();
        audit(daemon_, stage_.personality, host_.unmapped != 0 || checked_);
        witness_.expect_service();
        friendly_.expect_service();
        audit(daemon_, stage_.personality, host_.unmapped != 0 || checked_);
        hash_.add(page_.bytes);
        return hash_.value();
    }

private:
    struct Late {
        std::size_t at;
        std::uint32_t value;
    };

    void step(unsigned what) {
        auto& ring = page_.ring();
        switch (what) {
            case 0:
            case 1:
            case 2:
                return put(request_from(input_));
            case 3: {
                const std::size_t size = input_.byte();
                return put(input_.take(size));
            }
            case 4: {  // the bytes of the ring, without a word
                const std::size_t at = input_.number();
                return poke(at, input_.text(XENSTORE_RING_SIZE));
            }
            case 5: {
                const unsigned index = input_.byte();
                return set_index(index, input_.number());
            }
            case 6: {  // an index moves, by little or far, forward or back
                const unsigned index = input_.byte();
                return move_index(index, static_cast<std::int8_t>(input_.byte()));
            }
            case 7:
                ring.rsp_cons = ring.rsp_prod;
                return;
            case 8: {
                const std::size_t at = place_of(input_.byte());
                late_.push_back({at, input_.number()});
                return;
            }
            case 9:
                ring.connection = input_.byte() & 3U;
                return;
            case 10:
                ring.server_features = input_.number();
                ring.error = input_.byte();
                return;
            case 11:
                return dom0_step();
            case 12:
                return change_the_world();
            case 13:  // many small requests at once
                for (unsigned n = input_.byte() & 63U; n != 0; --n) put(message(XS_READ, n, 0, "x\0"s));
                return;
            default:
                (void)dom0_.try_to_ask(XS_WRITE, "/local/domain/1/data\0"s + input_.text(64));
        }
    }

    void dom0_step() {
        switch (input_.byte() & 7U) {
            case 0:
                (void)dom0_.try_to_ask(XS_RELEASE, "1\0"s);
                return;
            case 1:
                (void)dom0_.try_to_ask(XS_INTRODUCE, "1\0001000\0008\0"s);
                return;
            case 2:
                (void)dom0_.try_to_ask(XS_RM, "/local/domain/1\0"s);
                return;
            case 3:
                return introduce_guest(host_, dom0_, kHostile);
            case 4:
                (void)dom0_.try_to_ask(XS_SET_TARGET, "1\0003\0"s);
                return;
            case 5:
                (void)dom0_.try_to_ask(xenstore::kSetFeature, "1\0"s + std::to_string(input_.byte() & 15U) + '\0');
                return;
            case 6:
                (void)dom0_.try_to_ask(XS_RESUME, "1\0"s);
                return;
            default:
                (void)dom0_.try_to_ask(XS_MKDIR, "/local/domain/1/data/"s + std::to_string(input_.byte()) + '\0');
        }
    }

    void change_the_world() {
        constexpr std::array kStates{DomainState::alive, DomainState::shutdown, DomainState::dying,
                                     DomainState::missing};
        const std::uint8_t how = input_.byte();
        host_.states[kHostile] = kStates[how & 3U];
        if ((how & 4U) != 0) host_.time = host_.time + Nanoseconds{std::uint64_t{how} * 1'000'000'000};
        if ((how & 8U) != 0) {
            daemon_.check_domains();
            checked_ = true;
        }
    }

    /// Bytes at the producer, and the index moved past them, whether or not there is room.
    void put(std::string_view bytes) {
        auto& ring = page_.ring();
        std::uint32_t prod = ring.req_prod;
        for (const char c : bytes) ring.req[MASK_XENSTORE_IDX(prod++)] = c;
        ring.req_prod = prod;
    }
    void poke(std::size_t at, std::string_view bytes) {
        at %= page_.bytes.size();
        std::memcpy(page_.bytes.data() + at, bytes.data(), std::min(bytes.size(), page_.bytes.size() - at));
    }
    static std::size_t place_of(unsigned index) {
        constexpr std::array kPlaces{
            offsetof(xenstore_domain_interface, req_cons), offsetof(xenstore_domain_interface, req_prod),
            offsetof(xenstore_domain_interface, rsp_cons), offsetof(xenstore_domain_interface, rsp_prod),
            offsetof(xenstore_domain_interface, connection)};
        return kPlaces[index % kPlaces.size()];
    }
    void set_index(unsigned index, std::uint32_t value) {
        std::memcpy(page_.bytes.data() + place_of(index), &value, sizeof value);
    }
    void move_index(unsigned index, std::int32_t by) {
        std::uint32_t value = 0;
        std::memcpy(&value, page_.bytes.data() + place_of(index), sizeof value);
        set_index(index, value + static_cast<std::uint32_t>(by));
    }

    /// In the middle of the daemon's work.
    void write_late() {
        if (late_.empty()) return;
        std::memcpy(page_.bytes.data() + late_.front().at, &late_.front().value, sizeof(std::uint32_t));
        late_.pop_front();
    }

    void serve() {
        daemon_.service();
        auto& ring = page_.ring();
        hash_.add(ring.rsp_prod);
        hash_.add(ring.error);
        const xenstore::Domain* domain = daemon_.store().domains().find(kHostile);
        if (domain != nullptr && domain->connection != nullptr)
            check(domain->connection->waiting() <= waiting_max(),
                  "what waits for a guest that does not read is bounded");
    }

    /// C xenstored's bound is on bytes (the audit), of which an answer takes 19. oxenstored stops listening to whoever
    /// makes it more than 1024; what a request has begun, a transaction's end with many changes, it finishes.
    std::size_t waiting_max() const { return stage_.personality == Personality::o ? 1024 + 4096 : 140'000; }

    Stage stage_;
    Input& input_ = stage_.input;
    Host& host_ = stage_.host;
    Daemon& daemon_ = stage_.daemon;
    Dom0Witness dom0_;     ///< acts
    Dom0Witness witness_;  ///< looks on
    GuestWitness friendly_{daemon_, host_, kFriendly};
    RingPage& page_;
    std::deque<Late> late_;
    bool checked_ = false;  ///< Xen was asked which domains there are
    Hash hash_;
};

}  // namespace

std::uint64_t xenstore_ring(std::span<const std::byte> input) { return Play(input).run(); }

}  // namespace xenrig::fuzz
