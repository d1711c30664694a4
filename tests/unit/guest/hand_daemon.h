// The other end of a guest's xenstore ring, played by the test: a few nodes, and whatever answer a test wants.
#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "guest_world.h"
#include "xenrig/ring/byte_ring.h"

extern "C" {
#include <xen/io/xs_wire.h>
}

namespace xenrig::guest::test {

using Strings = std::vector<std::string>;

struct Message {
    std::uint32_t type = 0, req_id = 0, tx_id = 0;
    std::string body;

    /// The n-th of its strings.
    std::string string(std::size_t n) const {
        std::size_t at = 0;
        for (; n != 0; --n) at = body.find('\0', at) + 1;
        return body.substr(at, body.find('\0', at) - at);
    }
};

class HandDaemon {
public:
    /// Gives the guest a store ring; before it boots. Indices start at `first`.
    explicit HandDaemon(GuestWorld& world, ring::Index first = 0) : world_(world) {
        world.domain->params[HVM_PARAM_STORE_PFN] = kStoreGfn.value;
        world.domain->params[HVM_PARAM_STORE_EVTCHN] = kStorePort;
        world.domain->populate(kStoreGfn, 1);
        world.domain->on_send = [this](std::uint32_t port) {
            if (port == kStorePort) ring_bell();
        };
        auto lease = std::make_shared<shared::Lease>();
        lease->name = "store page";
        page_ = shared::Window(world.domain->page(kStoreGfn), lease);
        interface().req_prod = interface().req_cons = interface().rsp_prod = interface().rsp_cons = first;
        const std::size_t req = offsetof(xenstore_domain_interface, req),
                          rsp = offsetof(xenstore_domain_interface, rsp);
        requests_ = ring::ByteConsumer({page_, offsetof(xenstore_domain_interface, req_prod),
                                        offsetof(xenstore_domain_interface, req_cons), page_, req, XENSTORE_RING_SIZE},
                                       first);
        replies_ = ring::ByteProducer({page_, offsetof(xenstore_domain_interface, rsp_prod),
                                       offsetof(xenstore_domain_interface, rsp_cons), page_, rsp, XENSTORE_RING_SIZE},
                                      first);
        cpu_ = &world.engine.add_cpu("xenstored");
        cpu_->spawn("xenstored", TaskRole::service, [this] { serve(); });
    }

    ~HandDaemon() { cpu_->kill(); }
    HandDaemon(const HandDaemon&) = delete;
    HandDaemon& operator=(const HandDaemon&) = delete;

    /// Answers a message; false leaves it to the nodes.
    std::function<bool(const Message&)> answer;
    std::map<std::string, std::string> nodes;
    std::map<std::string, std::string> watches;  ///< token to path
    std::vector<Message> seen;
    /// Writes nothing any more.
    bool silent = false;

    xenstore_domain_interface& interface() {
        return *reinterpret_cast<xenstore_domain_interface*>(world_.domain->page(kStoreGfn));
    }
    void send(std::uint32_t type, std::uint32_t req_id, std::uint32_t tx_id, const std::string& body) {
        const xsd_sockmsg header{type, req_id, tx_id, static_cast<std::uint32_t>(body.size())};
        const auto* bytes = reinterpret_cast<const std::byte*>(&header);
        out_.insert(out_.end(), bytes, bytes + sizeof header);
        const auto* text = reinterpret_cast<const std::byte*>(body.data());
        out_.insert(out_.end(), text, text + body.size());
    }
    void reply(const Message& to, const std::string& body) { send(to.type, to.req_id, to.tx_id, body); }
    void error(const Message& to, const std::string& name) { send(XS_ERROR, to.req_id, to.tx_id, name + '\0'); }
    void event(const std::string& path, const std::string& token) {
        send(XS_WATCH_EVENT, 0, 0, path + '\0' + token + '\0');
    }
    /// Something changed: from any task of the world.
    void change(const std::string& path, const std::string& value) {
        nodes[path] = value;
        fire(path);
        ring_bell();
    }
    void ring_bell() {
        const std::lock_guard held(lock_);
        ++bells_;
        bell_.wake_all();
    }
    std::size_t count(std::uint32_t type) const {
        return static_cast<std::size_t>(
            std::count_if(seen.begin(), seen.end(), [&](const Message& m) { return m.type == type; }));
    }

private:
    void fire(const std::string& path) {
        for (const auto& [token, watched] : watches)
            if (path == watched || path.starts_with(watched + "/")) event(path, token);
    }

    void serve() {
        for (std::uint64_t done = 0;;) {
            {
                const std::lock_guard held(lock_);
                bell_.wait(lock_, [&] { return bells_ != done; });
                done = bells_;
            }
            while (step()) {
            }
        }
    }

    bool step() {
        bool moved = false;
        std::byte chunk[XENSTORE_RING_SIZE];
        if (const auto n = requests_.read(chunk); n && *n != 0) {
            in_.insert(in_.end(), chunk, chunk + *n);
            moved = true;
        }
        while (in_.size() >= sizeof(xsd_sockmsg)) {
            xsd_sockmsg header;
            std::memcpy(&header, in_.data(), sizeof header);
            if (in_.size() < sizeof header + header.len) break;
            const auto* text = reinterpret_cast<const char*>(in_.data() + sizeof header);
            const Message message{header.type, header.req_id, header.tx_id, std::string(text, header.len)};
            in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(sizeof header + header.len));
            seen.push_back(message);
            if (!answer || !answer(message)) answer_from_nodes(message);
        }
        if (!out_.empty() && !silent) {
            // Another task may add to out_ while these are written.
            const std::vector<std::byte> waiting = out_;
            if (const auto n = replies_.write(waiting); n && *n != 0) {
                out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(*n));
                moved = true;
            }
        }
        if (moved) world_.domain->raise(kStorePort);
        return moved;
    }

    void answer_from_nodes(const Message& m) {
        const std::string path = m.string(0);
        switch (m.type) {
            case XS_READ:
                return nodes.contains(path) ? reply(m, nodes[path]) : error(m, "ENOENT");
            case XS_WRITE:
                nodes[path] = m.body.substr(path.size() + 1);
                reply(m, std::string("OK\0", 3));
                return fire(path);
            case XS_WATCH:
                watches[m.string(1)] = path;
                reply(m, std::string("OK\0", 3));
                return event(path, m.string(1));
            case XS_UNWATCH:
                watches.erase(m.string(1));
                return reply(m, std::string("OK\0", 3));
            case XS_TRANSACTION_START:
                return reply(m, std::to_string(++transactions_) + '\0');
            case XS_TRANSACTION_END:
                return reply(m, std::string("OK\0", 3));
            default:
                return error(m, "ENOSYS");
        }
    }

    GuestWorld& world_;
    Cpu* cpu_ = nullptr;
    shared::Window page_;
    ring::ByteConsumer requests_;
    ring::ByteProducer replies_;
    std::vector<std::byte> in_, out_;
    IrqLock lock_{"bell"};
    WaitQueue bell_{"requests"};
    std::uint64_t bells_ = 0;
    unsigned transactions_ = 0;
};

}  // namespace xenrig::guest::test
