// Each node of the store missing, garbled, or changed when nobody looks: the device closes and says which node it was,
// or does without it; its domain lives on, nothing leaks, and with right nodes the next device works.
#include "neighbour.h"

namespace xenrig::blk {
namespace {

using namespace test;
using conformance::Nodes;
using conformance::read_works;
using conformance::user_read_works;
using conformance::usual_properties;

/// No number that a node may hold; the first is "not there".
const std::vector<std::optional<std::string>> kGarbled = {
    std::nullopt, "",   "many", "-1",  "18446744073709551616", "4294967296",
    " 8",         "8 ", "0x8",  "1e3", std::string(2000, '9'), "8\n"};

std::string shown(const std::optional<std::string>& value) {
    return value ? "'" + value->substr(0, 40) + "'" : "missing";
}

void set(RawFrontend& f, const std::string& name, const std::optional<std::string>& value) {
    value ? f.write(name, *value) : f.remove(name);
}

TEST(BlkbackNodes, ATransportNodeThatIsNoNumberClosesTheDeviceAndIsNamed) {
    for (const char* node :
         {"ring-ref", "event-channel", "ring-page-order", "num-ring-pages", "multi-queue-num-queues"})
        for (const auto& value : kGarbled) {
            const bool optional = std::string(node) != "ring-ref" && std::string(node) != "event-channel";
            if (optional && !value) continue;
            play(Role::backend, [&](Stage& s) {
                s.start_subject();
                s.settle();
                s.frontend().make_ring();
                s.frontend().publish();
                set(s.frontend(), node, value);
                s.frontend().state(3);
                s.settle();
                const auto why = [&] { return std::string(node) + " is " + shown(value); };
                s.expect(s.frontend().backend_state() == "5", "the backend closes", why);
                const std::string error = error_of(s);
                s.expect(error.find(std::string("/") + node) != std::string::npos, "and names the node",
                         [&] { return why() + ", the error is '" + error + "'"; });
                s.expect(s.maps() == 0 && s.ports() == 0, "and keeps nothing", why);
            });
        }
}

TEST(BlkbackNodes, AForeignReferenceOrPortClosesTheDevice) {
    // References 0 and 1 are the console's and the store's, which dom0 may map.
    for (const char* node : {"ring-ref", "event-channel"})
        for (const char* value : {"7", "77", "4095", "4294967295"})
            play(Role::backend, [&](Stage& s) {
                s.start_subject();
                s.settle();
                s.frontend().make_ring();
                s.frontend().publish();
                s.frontend().write(node, value);
                s.frontend().state(3);
                s.settle();
                s.expect(s.frontend().backend_state() == "5", "the backend closes",
                         [&] { return std::string(node) + " is " + value; });
                s.expect(s.maps() == 0 && s.ports() == 0, "and keeps nothing");
            });
}

TEST(BlkbackNodes, AFeatureThatIsNoNumberIsAFeatureThatIsNotThere) {
    for (const auto& value : kGarbled)
        play(Role::backend, [&](Stage& s) {
            s.start_subject();
            s.settle();
            s.frontend().make_ring();
            s.frontend().publish();
            set(s.frontend(), "feature-persistent", value);
            s.frontend().state(3);
            s.settle();
            s.frontend().state(4);
            s.settle();
            s.expect(s.frontend().backend_state() == "4" && read_works(s), "the device works without it",
                     [&] { return shown(value); });
            s.expect(s.maps() == 1, "and no page stays mapped", [&] { return shown(value); });
        });
}

TEST(BlkbackNodes, AreReadOnceForAConnection) {
    play_often(Role::backend, [](Stage& s) {
        if (!s.connect_frontend()) return;
        for (const char* node : {"ring-ref", "event-channel", "protocol", "feature-persistent", "device-type"}) {
            s.frontend().write(node, "garbled");
            s.settle();
            s.expect(read_works(s), "what is changed later changes nothing", [&] { return node; });
            s.frontend().remove(node);
            s.settle();
            s.expect(read_works(s), "nor what goes", [&] { return node; });
        }
        s.frontend().state(4);
        s.settle();
        s.expect(read_works(s), "nor the state once more");
    });
}

TEST(BlkfrontNodes, APropertyThatIsNoNumberClosesTheDeviceAndIsNamed) {
    for (const char* node : {"sectors", "sector-size", "info"})
        for (const auto& value : kGarbled) {
            // A disk of as many sectors is large, but may be.
            if (std::string(node) == "sectors" && value == "4294967296") continue;
            play(Role::frontend, [&](Stage& s) {
                Nodes properties = usual_properties();
                properties.erase(node);
                if (value) properties[node] = *value;
                if (!s.offer_backend({}, properties)) return;
                const auto why = [&] { return std::string(node) + " is " + shown(value); };
                s.expect(s.backend().frontend_state() == "5" || s.backend().frontend_state() == "6",
                         "the frontend closes", [&] { return why() + ", state " + s.backend().frontend_state(); });
                const std::string error = error_of(s);
                s.expect(error.find(std::string("/") + node) != std::string::npos, "and names the node",
                         [&] { return why() + ", the error is '" + error + "'"; });
                s.backend().leave();
                s.settle();
                s.expect(s.ports() == 0, "and keeps nothing", why);
                const auto call = s.read(0, 1);
                s.settle();
                s.expect(call->failed(), "its users are told", why);
            });
        }
}

TEST(BlkfrontNodes, ASectorSizeThatIsNoneClosesTheDevice) {
    for (const char* value : {"0", "1", "511", "513", "1000", "8192", "1048576"})
        play(Role::frontend, [&](Stage& s) {
            Nodes properties = usual_properties();
            properties["sector-size"] = value;
            if (!s.offer_backend({}, properties)) return;
            s.expect(s.backend().frontend_state() == "5" || s.backend().frontend_state() == "6", "the frontend closes",
                     [&] { return value; });
        });
}

TEST(BlkfrontNodes, AFeatureThatIsNoNumberIsAFeatureThatIsNotThere) {
    for (const auto& value : kGarbled)
        play(Role::frontend, [&](Stage& s) {
            Nodes features;
            if (value)
                for (const char* node : {"feature-flush-cache", "feature-barrier", "feature-discard",
                                         "discard-granularity", "feature-persistent", "feature-max-indirect-segments",
                                         "max-ring-page-order", "multi-queue-max-queues"})
                    features[node] = *value;
            if (!s.offer_backend(features, usual_properties())) return;
            s.expect(s.backend().frontend_state() == "4" && user_read_works(s), "the disk works without it",
                     [&] { return shown(value); });
        });
}

TEST(BlkfrontNodes, AreReadOnceForAConnection) {
    play_often(Role::frontend, [](Stage& s) {
        if (!s.connect_backend()) return;
        for (const char* node : {"sectors", "sector-size", "info", "feature-flush-cache"}) {
            s.backend().write(node, "garbled");
            s.settle();
            s.expect(user_read_works(s), "what is changed without a word changes nothing", [&] { return node; });
        }
        s.expect(s.backend().frontend_state() == "4", "and the device stays connected");
    });
}

TEST(BlkfrontNodes, WhatABackendCallsUnsupportedFailsAndTheDiskGoesOn) {
    for (const int status : {BLKIF_RSP_EOPNOTSUPP, BLKIF_RSP_ERROR, 1, -100})
        play(Role::frontend, [&](Stage& s) {
            if (!s.connect_backend()) return;
            const auto flush = s.flush();
            s.settle();
            for (const auto& r : s.backend().take_all()) s.backend().answer(r, static_cast<std::int16_t>(status));
            s.backend().push_and_notify();
            s.backend().ask_for_event();
            s.settle();
            s.expect(flush->failed(), "the user is told", [&] { return std::to_string(status); });
            s.expect(!flush->failed() ||
                         flush->result.error().code == (status == BLKIF_RSP_EOPNOTSUPP ? Errno::opnotsupp : Errno::io),
                     "and in which way", [&] { return flush->result.error().to_string(); });
            s.expect(user_read_works(s), "the disk goes on", [&] { return std::to_string(status); });
        });
}

}  // namespace
}  // namespace xenrig::blk
