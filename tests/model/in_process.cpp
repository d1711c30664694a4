// The store in process as a player: dom0's clients are streams, guests are ring pages in plain memory.
#include <deque>
#include <optional>

#include "sim/xenstore/connection.h"
#include "sim/xenstore/state_image.h"
#include "tests/model/player.h"
#include "tests/unit/xenstore/host.h"
#include "xenrig/abi/check.h"

namespace xenrig::model {
namespace {

using namespace xenstore;
using xenstore::test::GuestEnd;
using xenstore::test::Seen;

struct Client {
    std::unique_ptr<StreamDoor> stream;
    std::unique_ptr<GuestEnd> guest;
    std::string received;
    struct Asked {
        std::uint32_t req_id, tx_id;
        std::string save;
    };
    std::deque<Asked> asked;
};

class InProcess final : public Player {
public:
    InProcess(Personality personality, bool live_updates)
        : personality_(personality),
          live_updates_(live_updates),
          daemon_(std::make_unique<xenstore::Daemon>(host_, DaemonConfig{personality})) {}

    Heard run(const Step& step) override {
        switch (step.kind) {
            case Step::Kind::open:
                (void)client(step.connection);
                break;
            case Step::Kind::close:
                clients_.erase(step.connection);
                break;
            case Step::Kind::exist:
                host_.exist(step.domain);
                break;
            case Step::Kind::dying:
            case Step::Kind::shutdown:
                host_.states[step.domain] = step.kind == Step::Kind::dying ? DomainState::dying : DomainState::shutdown;
                daemon_->check_domains();
                break;
            case Step::Kind::requests:
                send(step);
        }
        return listen();
    }

private:
    Client& client(const std::string& name) {
        Client& c = clients_[name];
        if (!c.stream && !c.guest) {
            if (is_ring(name))
                c.guest = std::make_unique<GuestEnd>(*host_.pages.at(domain_of(name)));
            else
                c.stream = std::make_unique<StreamDoor>(*daemon_);
        }
        return c;
    }

    void send(const Step& step) {
        Client& c = client(step.connection);
        std::string bytes;
        for (const Request& r : step.requests) {
            std::uint32_t tx = 0;
            if (!r.transaction.empty()) tx = saved_.contains(r.transaction) ? saved_[r.transaction] : kNoTransaction;
            bytes += test::message(r.type, ++asked_, tx, r.payload);
            c.asked.push_back({asked_, tx, r.save});
        }
        if (c.guest)
            c.guest->send(bytes);
        else
            c.stream->feed(std::as_bytes(std::span(bytes)));
    }

    Heard listen() {
        Heard heard;
        for (bool moved = true; moved;) {
            moved = daemon_->service();
            if (live_updates_ && ++turns_ % 3 == 0) update();
            for (auto& [name, c] : clients_) {
                if (c.guest) {
                    moved |= c.guest->move();
                } else {
                    const auto out = c.stream->output();
                    c.received.append(reinterpret_cast<const char*>(out.data()), out.size());
                    c.stream->discard_output(out.size());
                }
            }
        }
        for (auto& [name, c] : clients_)
            for (const Seen& m : c.guest ? c.guest->messages() : test::take_messages(c.received))
                heard[name].push_back(message_of(c, m));
        return heard;
    }

    void update() {
        const auto image = xenstore::decode(xenstore::encode(daemon_->image()));
        check(image.has_value(), "a state that was just written can be read");
        // Asked at the start, Xen would tell of a domain that is dying.
        for (const auto& [id, state] : host_.states)
            if (state != DomainState::alive) return;
        std::map<std::uint32_t, StreamDoor*> doors;
        for (auto& [name, c] : clients_)
            if (c.stream && !c.stream->closed())
                doors[static_cast<std::uint32_t>(c.stream->connection()->id())] = c.stream.get();
        daemon_ = std::make_unique<xenstore::Daemon>(host_, DaemonConfig{personality_});
        const auto adopted =
            daemon_->adopt(*image, [&](std::uint32_t number) { return &doors.at(number)->hand_to(*daemon_); });
        check(adopted.has_value(), "a state of the whole can be adopted");
    }

    Message message_of(Client& c, const Seen& seen) {
        Message m{seen.type, seen.payload, false};
        if (seen.type == XS_WATCH_EVENT) {
            m.late = seen.req_id != 0 || seen.tx_id != 0;
            return m;
        }
        m.late = c.asked.empty() || c.asked.front().req_id != seen.req_id || c.asked.front().tx_id != seen.tx_id;
        if (c.asked.empty()) return m;
        if (seen.type == XS_TRANSACTION_START) {
            saved_[c.asked.front().save] = static_cast<std::uint32_t>(std::stoul(seen.payload));
            m.payload = "(id)";
        }
        c.asked.pop_front();
        return m;
    }

    const Personality personality_;
    const bool live_updates_;
    unsigned turns_ = 0;
    test::Host host_;
    std::unique_ptr<xenstore::Daemon> daemon_;
    std::map<std::string, Client> clients_;
    std::map<std::string, std::uint32_t> saved_;
    std::uint32_t asked_ = 0;
};

}  // namespace

std::unique_ptr<Player> store_in_process(Daemon daemon, bool live_updates) {
    return std::make_unique<InProcess>(daemon == Daemon::c ? Personality::c : Personality::o, live_updates);
}

}  // namespace xenrig::model
