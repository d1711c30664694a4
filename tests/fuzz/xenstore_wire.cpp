// Hostile clients of the xenstore socket: any bytes, in any pieces, from several connections, to both personalities.
//
// The first byte chooses the personality; then each byte is a client (its low two bits) and what it does. Clients are
// dom0's, so they may ask for anything, domain life included; the fourth is guest 1's ring, with requests that are
// whole. A client that has been made deaf reads nothing any more.
#include <array>
#include <optional>

#include "tests/fuzz/target.h"
#include "tests/fuzz/xenstore_audit.h"
#include "tests/fuzz/xenstore_peers.h"
#include "xenrig/abi/check.h"

namespace xenrig::fuzz {
namespace {

using xenstore::Daemon;
using xenstore::DomainState;
using xenstore::StreamDoor;
using xenstore::test::GuestEnd;
using xenstore::test::Host;

constexpr std::size_t kSockets = 3;
constexpr std::uint16_t kGuest = 1;

struct Client {
    std::optional<StreamDoor> door;
    std::string unsent;
    std::size_t piece = 0;  ///< bytes that go out at a time; 0 for all
    bool deaf = false;
};

class Play {
public:
    explicit Play(std::span<const std::byte> bytes) : stage_(bytes), witness_(daemon_) {
        host_.exist(2);
        introduce_guest(host_, witness_, kGuest);
        for (Client& client : clients_) client.door.emplace(daemon_);
    }

    std::uint64_t run() {
        while (!input_.empty()) {
            const std::uint8_t what = input_.byte();
            step(what & 3U, (what >> 2) & 7U);
        }
        audit(daemon_, stage_.personality, ended());
        // oxenstored would not listen to the witness while others do not read what it causes.
        for (Client& client : clients_) client.deaf = false;
        do listen();
        while (daemon_.service());
        witness_.expect_service();
        audit(daemon_, stage_.personality, ended());
        return hash_.value();
    }

private:
    /// Whether a domain has gone: it takes a RELEASE, or news from Xen.
    bool ended() const { return host_.unmapped != 0 || checked_; }

    void step(unsigned who, unsigned what) {
        if (what == 7) return change_the_world();
        if (who == kSockets) return guest_step(what);
        Client& client = clients_[who];
        switch (what) {
            case 4: {
                const std::size_t size = input_.byte();
                client.unsent += input_.take(size);
                break;
            }
            case 5:
                client.piece = input_.byte();
                break;
            case 6:
                if ((input_.byte() & 1) == 0) {
                    client.deaf = !client.deaf;
                } else {
                    client.door.emplace(daemon_);
                    client.unsent.clear();
                    client.deaf = false;
                }
                break;
            default:
                client.unsent += request_from(input_);
                // A request of its own is sent at once; others wait for it, and go out together.
                if (what == 3) return;
        }
        flush(client);
    }

    void guest_step(unsigned what) {
        if (what > 3) return;
        guest_.send(request_from(input_));
        do guest_.move();
        while (daemon_.service());
        listen();
    }

    void flush(Client& client) {
        while (!client.unsent.empty()) {
            const std::size_t n = client.piece == 0 ? client.unsent.size() : client.piece;
            const std::size_t taken = client.door->feed(bytes_of(std::string_view(client.unsent).substr(0, n)));
            client.unsent.erase(0, taken);
            daemon_.service();
            listen();
            if (taken == 0) break;
        }
        // Nobody listens at the other end, or it has no room: what is left is lost.
        client.unsent.clear();
    }

    void change_the_world() {
        constexpr std::array kStates{DomainState::alive, DomainState::shutdown, DomainState::dying,
                                     DomainState::missing};
        const std::uint8_t how = input_.byte();
        host_.states[1 + (how & 1U)] = kStates[(how >> 1) & 3U];
        if ((how & 8U) != 0) host_.time = host_.time + Nanoseconds{std::uint64_t{how} * 1'000'000'000};
        if ((how & 16U) != 0) {
            daemon_.check_domains();
            checked_ = true;
        }
        daemon_.service();
        listen();
    }

    void listen() {
        for (Client& client : clients_) {
            if (client.deaf) continue;
            hash_.add(client.door->output());
            client.door->discard_output(client.door->output().size());
            if (client.door->closed()) {
                hash_.add(0xC105ED);
                client.door.emplace(daemon_);
            }
        }
        guest_.move();
        for (const auto& m : guest_.messages()) hash_.add(bytes_of(m.payload));
    }

    Stage stage_;
    Input& input_ = stage_.input;
    Host& host_ = stage_.host;
    Daemon& daemon_ = stage_.daemon;
    Dom0Witness witness_;
    std::array<Client, kSockets> clients_;
    GuestEnd guest_{host_.exist(kGuest)};
    bool checked_ = false;  ///< Xen was asked which domains there are
    Hash hash_;
};

}  // namespace

std::uint64_t xenstore_wire(std::span<const std::byte> input) { return Play(input).run(); }

}  // namespace xenrig::fuzz
