// xenbus.h's clauses, played on a block device.
#include "sim/conformance/checks.h"
#include "sim/conformance/clause.h"
#include "sim/conformance/moves.h"

namespace xenrig::conformance {

namespace {

using blk::RawBackend;
using blk::RawFrontend;
using Word = blk::RawRing::Word;

bool in(const std::string& state, const char* states) { return std::string(states).find(state) != std::string::npos; }

std::string its_state(const std::string& state) { return "its state is " + state; }

bool ever(const Stage& s, Nodes StoreMoment::* whose, const char* states) {
    return s.history().first(whose, states) != nullptr;
}

void states_are_numbers(Stage& s) {
    auto own = &StoreMoment::frontend;
    if (s.subject() == Role::backend) {
        own = &StoreMoment::backend;
        if (!s.connect_frontend()) return;
        s.as_toolstack([&](Store& store) {
            const std::string path = "backend/vbd/" + std::to_string(s.guest().value) + "/51712/";
            (void)store.write(StoreTx::none, path + "online", "0");
            (void)store.write(StoreTx::none, path + "state", "5");
        });
        s.frontend().state(5);
        s.settle();
        s.frontend().state(6);
    } else {
        if (!s.connect_backend()) return;
        s.backend().state(5);
        s.settle();
        s.backend().state(6);
    }
    s.settle();
    const auto values = s.history().values(own, "state");
    bool good = values.size() > 2, closing = false;
    for (const std::string& v : values) {
        good = good && v.size() == 1 && v[0] >= '1' && v[0] <= '6';
        good = good && (!closing || v == "6");
        closing = closing || v == "5" || v == "6";
    }
    s.expect(good, "states are the numbers 1 to 6, and after Closing comes Closed",
             [&] { return "its states were " + joined(values); });
}

void backend_waits_without_peer_state(Stage& s) {
    RawFrontend& f = s.frontend();
    f.remove("state");
    f.make_ring();
    f.publish();
    s.start_subject();
    s.settle();
    s.expect(!ever(s, &StoreMoment::backend, "4"), "a backend does not connect with a frontend that has no state");
    s.expect(s.maps() == 0 && s.ports() == 0, "a backend maps and binds nothing of a frontend that has no state");
}

/// The backend's usual way from where it stands, and a read.
void goes_on(Stage& s) {
    RawBackend& b = s.backend();
    b.state(2);
    s.settle();
    const auto joined_it = b.join();
    if (!s.expect(joined_it.has_value(), "the frontend publishes its ring when the backend goes on",
                  [&] { return joined_it.error().to_string() + ", " + its_state(b.frontend_state()); }))
        return;
    b.write_properties();
    b.state(4);
    s.settle();
    s.expect(b.frontend_state() == "4", "the frontend connects when the backend goes on",
             [&] { return its_state(b.frontend_state()); });
    s.expect(user_read_works(s), "a read works");
}

void frontend_waits_without_peer_state(Stage& s) {
    s.backend().remove("state");
    s.start_subject();
    s.settle();
    if (!s.expect(in(s.backend().frontend_state(), "1 3"), "a frontend waits for a backend that has no state",
                  [&] { return its_state(s.backend().frontend_state()); }))
        return;
    s.backend().state(1);
    s.settle();
    goes_on(s);
}

void frontend_waits_for_initialising_backend(Stage& s) {
    s.start_subject();
    s.settle();
    if (s.expect(in(s.backend().frontend_state(), "1 3"), "a frontend waits for a backend in Initialising",
                 [&] { return its_state(s.backend().frontend_state()); }))
        goes_on(s);
}

void backend_waits_in_initwait(Stage& s) {
    s.start_subject();
    s.settle();
    s.expect(s.frontend().backend_state() == "2", "a backend that is prepared waits in InitWait",
             [&] { return its_state(s.frontend().backend_state()); });
    s.expect(s.maps() == 0 && s.ports() == 0, "a backend maps and binds nothing before its frontend is there");
}

void frontend_waits_in_initialised(Stage& s) {
    s.start_subject();
    s.settle();
    const auto read = s.read(7, 1);
    s.backend().state(2);
    s.settle();
    s.expect(s.backend().frontend_state() == "3", "a frontend waits in Initialised for its backend",
             [&] { return its_state(s.backend().frontend_state()); });
    if (!s.expect(s.backend().join().has_value(), "in Initialised a frontend has published its ring")) return;
    s.expect(s.backend().ring().load(Word::req_prod) == 0, "no request comes before both are connected");
}

void backend_is_ready(Stage& s) {
    RawFrontend& f = s.frontend();
    s.start_subject();
    s.settle();
    f.make_ring();
    f.publish();
    f.state(3);
    for (int patience = 0; patience < 100 && f.backend_state() != "4"; ++patience) s.step_aside();
    if (!s.expect(f.backend_state() == "4", "the backend connects", [&] { return its_state(f.backend_state()); }))
        return;
    s.expect(read_works(s), "a request that comes when the state says Connected is answered");
}

void frontend_is_ready(Stage& s) {
    RawBackend& b = s.backend();
    s.start_subject();
    s.settle();
    const auto read = s.read(7, 1);
    b.state(2);
    s.settle();
    if (!s.expect(b.join().has_value(), "the frontend publishes its ring")) return;
    b.write_properties();
    b.state(4);
    for (int patience = 0; patience < 100 && b.frontend_state() != "4"; ++patience) s.step_aside();
    if (!s.expect(b.frontend_state() == "4", "the frontend connects", [&] { return its_state(b.frontend_state()); }))
        return;
    serve(s, read);
    s.expect(read->well(), "a user's read goes on when the state says Connected");
}

void connected_means_ready(Stage& s) { s.subject() == Role::backend ? backend_is_ready(s) : frontend_is_ready(s); }

void frontend_closes_on_unplug(Stage& s) {
    if (!s.connect_backend()) return;
    const auto first = s.read(1, 1), second = s.read(2, 1);
    s.settle();
    s.backend().take_all();
    s.backend().state(5);
    s.settle();
    if (!s.expect(in(s.backend().frontend_state(), "5 6"), "a frontend follows its backend to Closing",
                  [&] { return its_state(s.backend().frontend_state()); }))
        return;
    s.backend().state(6);
    s.settle();
    s.expect(s.backend().frontend_state() == "6", "a frontend whose backend is Closed ends in Closed",
             [&] { return its_state(s.backend().frontend_state()); });
    s.expect(first->failed() && second->failed(), "what has no answer when the device closes completes with an error");
}

void backend_closes_on_unplug(Stage& s) {
    if (!s.connect_frontend()) return;
    s.as_toolstack([&](Store& store) {
        const std::string path = "backend/vbd/" + std::to_string(s.guest().value) + "/51712/";
        (void)store.write(StoreTx::none, path + "online", "0");
        (void)store.write(StoreTx::none, path + "state", "5");
    });
    s.frontend().state(5);
    s.settle();
    s.frontend().state(6);
    s.settle();
    s.expect(s.frontend().backend_state() == "6", "a backend that is unplugged ends in Closed",
             [&] { return its_state(s.frontend().backend_state()); });
}

void backend_follows_closing_frontend(Stage& s) {
    if (!s.connect_frontend()) return;
    RawFrontend& f = s.frontend();
    const auto t = f.read(3, 1);
    for (int i = 0; i < 4; ++i) f.put(t.request);
    f.push_and_notify();
    f.state(5);
    s.settle();
    if (!s.expect(in(f.backend_state(), "5 6"), "a backend follows its frontend to Closing",
                  [&] { return its_state(f.backend_state()); }))
        return;
    f.state(6);
    s.settle();
    s.expect(f.backend_state() == "6", "a backend whose frontend is Closed ends in Closed",
             [&] { return its_state(f.backend_state()); });
    const std::uint32_t rsp_prod = f.ring().load(Word::rsp_prod);
    f.put(t.request);
    f.push();
    f.notify();
    s.settle();
    s.expect(f.ring().load(Word::rsp_prod) == rsp_prod, "a backend writes no response after Closed");
}

void frontend_closes_on_error(Stage& s) {
    auto properties = usual_properties();
    properties["sectors"] = "many";
    if (!s.offer_backend({}, properties)) return;
    s.expect(!ever(s, &StoreMoment::frontend, "4"), "a frontend does not connect with properties that make no sense");
    s.expect(in(s.backend().frontend_state(), "5 6"), "a frontend that can't go on closes",
             [&] { return its_state(s.backend().frontend_state()); });
}

void backend_refuses(Stage& s, const char* node, const char* value) {
    RawFrontend& f = s.frontend();
    s.start_subject();
    s.settle();
    f.make_ring();
    f.publish();
    f.write(node, value);
    f.state(3);
    s.settle();
    s.expect(!ever(s, &StoreMoment::backend, "4"), "a backend does not connect with parameters that make no sense",
             [&] { return std::string(node) + " was " + value; });
    s.expect(in(f.backend_state(), "5 6"), "a backend that can't go on closes",
             [&] { return its_state(f.backend_state()); });
    s.expect(s.maps() == 0 && s.ports() == 0, "a backend that can't go on lets go");
}

void ring_ref_grants_nothing(Stage& s) { backend_refuses(s, "ring-ref", "480"); }
void event_channel_is_no_port(Stage& s) { backend_refuses(s, "event-channel", "999"); }

void closed_frontend_lets_go(Stage& s) {
    if (!s.connect_backend()) return;
    RawBackend& b = s.backend();
    if (!s.expect(user_read_works(s), "a read works")) return;
    const auto ref = b.frontend_node("ring-ref");
    // A grant that is still mapped could not end.
    b.leave();
    b.state(5);
    s.settle();
    b.state(6);
    s.settle();
    if (!s.expect(b.frontend_state() == "6", "the frontend closes", [&] { return its_state(b.frontend_state()); }))
        return;
    s.expect(s.ports() == 0, "a Closed frontend's port is closed",
             [&] { return number("the number of ports", static_cast<std::int64_t>(s.ports())); });
    if (!s.expect(ref.has_value(), "a frontend publishes its ring")) return;
    const GrantRef ring{static_cast<std::uint32_t>(std::stoul(*ref))};
    s.expect(!b.platform().grants().map(s.guest(), std::span(&ring, 1), Access::read_only).has_value(),
             "a Closed frontend's ring is granted no more");
    b.state(4);
    s.settle();
    s.expect(b.frontend_state() == "6", "a Closed frontend takes no notice of a backend's Connected",
             [&] { return its_state(b.frontend_state()); });
}

void closed_backend_lets_go(Stage& s) {
    if (!s.connect_frontend()) return;
    RawFrontend& f = s.frontend();
    if (!s.expect(read_works(s), "a read works")) return;
    f.state(5);
    s.settle();
    f.state(6);
    s.settle();
    if (!s.expect(f.backend_state() == "6", "the backend closes", [&] { return its_state(f.backend_state()); })) return;
    s.expect(s.maps() == 0, "a Closed backend maps nothing of its frontend's",
             [&] { return number("the number of mappings", static_cast<std::int64_t>(s.maps())); });
    s.expect(s.ports() == 0, "a Closed backend's port is closed");
}

void backend_begins_anew(Stage& s) {
    if (!s.connect_frontend()) return;
    RawFrontend& f = s.frontend();
    if (!s.expect(read_works(s), "a read works")) return;
    f.state(5);
    s.settle();
    f.state(6);
    s.settle();
    if (!s.expect(f.backend_state() == "6", "the backend closes", [&] { return its_state(f.backend_state()); })) return;
    f.state(1);
    s.settle();
    f.make_ring();
    f.publish();
    f.state(3);
    s.settle();
    if (!s.expect(f.backend_state() == "4", "a backend that is online begins anew with its frontend",
                  [&] { return its_state(f.backend_state()); }))
        return;
    f.state(4);
    s.expect(read_works(s, 9), "the new ring is served");
}

void frontend_ignores_reconfiguring(Stage& s) {
    if (!s.connect_backend()) return;
    for (const unsigned state : {7u, 8u, 4u}) {
        s.backend().state(state);
        s.settle();
        if (!s.expect(s.backend().frontend_state() == "4", "a state that the protocol has no use for is left alone",
                      [&] { return its_state(s.backend().frontend_state()); }))
            return;
    }
    s.expect(user_read_works(s), "the device goes on");
}

const std::vector<Clause>& clauses() {
    using enum Role;
    static const std::vector<Clause> all = {
        {"xenbus.states-are-numbers", 19, both, "States are the numbers 0 to 8, in decimal.", {states_are_numbers}},
        {"xenbus.backend-waits-without-peer-state",
         20,
         backend,
         "Unknown: what is read where there is no state.",
         {backend_waits_without_peer_state}},
        {"xenbus.frontend-waits-without-peer-state",
         20,
         frontend,
         "Unknown: what is read where there is no state.",
         {frontend_waits_without_peer_state}},
        {"xenbus.frontend-waits-for-initialising-backend",
         22,
         frontend,
         "Initialising: where a device begins.",
         {frontend_waits_for_initialising_backend}},
        {"xenbus.backend-waits-in-initwait",
         24,
         backend,
         "InitWait: its own preparation is done, and it waits.",
         {backend_waits_in_initwait}},
        {"xenbus.frontend-waits-in-initialised",
         30,
         frontend,
         "Initialised: it waits for the peer to connect.",
         {frontend_waits_in_initialised}},
        {"xenbus.connected-means-ready",
         35,
         both,
         "Connected: this end is ready to transport.",
         {connected_means_ready},
         {.seeds = 6}},
        {"xenbus.frontend-closes-on-unplug",
         37,
         frontend,
         "Closing: the device is being closed, because it is unplugged.",
         {frontend_closes_on_unplug}},
        {"xenbus.backend-closes-on-unplug",
         37,
         backend,
         "Closing: the device is being closed, because it is unplugged.",
         {backend_closes_on_unplug}},
        {"xenbus.backend-follows-closing-frontend",
         37,
         backend,
         "Closing: the device is being closed, because it is unplugged.",
         {backend_follows_closing_frontend},
         {.seeds = 4}},
        {"xenbus.frontend-closes-on-error",
         37,
         frontend,
         "Closing: the device is being closed, because of an error.",
         {frontend_closes_on_error}},
        {"xenbus.backend-closes-on-error",
         37,
         backend,
         "Closing: the device is being closed, because of an error.",
         {ring_ref_grants_nothing, event_channel_is_no_port}},
        {"xenbus.closed-frontend-lets-go",
         42,
         frontend,
         "Closed: this end has let go of the device.",
         {closed_frontend_lets_go}},
        {"xenbus.closed-backend-lets-go",
         42,
         backend,
         "Closed: this end has let go of the device.",
         {closed_backend_lets_go}},
        {"xenbus.backend-begins-anew-after-closed",
         22,
         backend,
         "Initialising: where a device begins.",
         {backend_begins_anew}},
        {"xenbus.frontend-ignores-reconfiguring",
         49,
         frontend,
         "A state that this protocol has no use for is left alone.",
         {frontend_ignores_reconfiguring}},
    };
    return all;
}

}  // namespace

std::vector<Check> xenbus_checks(const Subjects& subjects, Effort effort) {
    return checks_of("xen/io/xenbus.h", clauses(), subjects, effort);
}

}  // namespace xenrig::conformance
