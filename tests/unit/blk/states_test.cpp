// Closing and Closed in every order: each state of one end meets each state of the other, and then the device ends, or
// begins again, without a hang, a leak, or a step that io/xenbus.h does not know.
#include <map>

#include "stage.h"
#include "xenrig/drivers/blk/blkfront.h"
#include "xenrig/xenbus/bus.h"

namespace xenrig::blk {
namespace {

using namespace test;
using conformance::read_works;
using conformance::send;
using conformance::StoreMoment;
using conformance::user_read_works;

/// What a state may be followed by, toolstacks' writes among them.
bool legal(const std::vector<std::string>& states, const std::map<std::string, std::string>& next) {
    for (std::size_t i = 1; i < states.size(); ++i) {
        const auto from = next.find(states[i - 1]);
        if (from == next.end() || from->second.find(states[i]) == std::string::npos) return false;
    }
    return true;
}

const std::map<std::string, std::string> kBackendSteps = {
    {"1", "256"}, {"2", "456"}, {"4", "256"}, {"5", "6"}, {"6", "25"}};
const std::map<std::string, std::string> kFrontendSteps = {
    {"1", "35"}, {"3", "45"}, {"4", "5"}, {"5", "6"}, {"6", "1"}};

void set_backend_state(Stage& s, const char* state) {
    s.as_toolstack([path = s.backend_path(), state](Store& store) {
        EXPECT_TRUE(store.write(StoreTx::none, path + "/state", state));
    });
}

/// A state node's value; "0" is none at all.
template <class End>
void show(End& end, unsigned state) {
    state == 0 ? end.remove("state") : end.state(state);
}

class BackendMeets : public testing::TestWithParam<std::tuple<char, unsigned>> {};

TEST_P(BackendMeets, AFrontendInAnyStateAndEndsInOrder) {
    const char own = std::get<0>(GetParam());
    const unsigned state = std::get<1>(GetParam());
    play(Role::backend, [own, state](Stage& s) {
        if (own == '2') {
            s.start_subject();
            s.settle();
        } else {
            if (!s.connect_frontend()) return;
            if (own == '5') set_backend_state(s, "5");
            if (own == '6') {
                s.frontend().state(5);
                s.settle();
                s.frontend().state(6);
                s.settle();
            }
        }
        s.expect(s.frontend().backend_state()[0] == own, "the backend is where the test wants it",
                 [&] { return s.frontend().backend_state(); });
        show(s.frontend(), state);
        s.settle();
        // The toolstack takes the device away, and the frontend follows.
        s.as_toolstack([path = s.backend_path()](Store& store) {
            (void)store.write(StoreTx::none, path + "/online", "0");
            if (store.read(StoreTx::none, path + "/state").value_or("") != "6")
                (void)store.write(StoreTx::none, path + "/state", "5");
        });
        for (const unsigned last : {5u, 6u}) {
            s.frontend().state(last);
            s.settle();
        }
        s.expect(s.frontend().backend_state() == "6", "it is Closed at the end",
                 [&] { return s.frontend().backend_state(); });
        s.expect(s.maps() == 0, "nothing stays mapped");
        s.expect(s.ports() == 0, "no port is left");
        const auto states = s.history().values(&StoreMoment::backend, "state");
        s.expect(legal(states, kBackendSteps), "its states follow each other as they may",
                 [&] { return conformance::joined(states); });
    });
}

INSTANTIATE_TEST_SUITE_P(States, BackendMeets,
                         testing::Combine(testing::Values('2', '4', '5', '6'), testing::Range(0u, 9u)));

class FrontendMeets : public testing::TestWithParam<std::tuple<char, unsigned>> {};

TEST_P(FrontendMeets, ABackendInAnyStateAndEndsInOrder) {
    const char own = std::get<0>(GetParam());
    const unsigned state = std::get<1>(GetParam());
    play(Role::frontend, [own, state](Stage& s) {
        conformance::UserCallPtr call;
        if (own == '1' || own == '3') {
            s.start_subject();
            s.settle();
            if (own == '3') s.backend().state(2);
        } else {
            if (!s.connect_backend()) return;
            if (own == '5') call = s.read(7, 1);
            s.settle();
            if (own != '4') s.backend().state(5);
        }
        s.settle();
        s.expect(s.backend().frontend_state()[0] == own, "the frontend is where the test wants it",
                 [&] { return s.backend().frontend_state(); });
        show(s.backend(), state);
        s.settle();
        for (const unsigned last : {5u, 6u}) {
            s.backend().state(last);
            s.settle();
        }
        // A frontend that had not begun waits for a backend that comes to life again, as Linux's does.
        const bool waits = own == '1' && s.backend().frontend_state() == "1";
        s.expect(waits || s.backend().frontend_state() == "6", "it is Closed at the end",
                 [&] { return s.backend().frontend_state(); });
        s.expect(!call || call->over, "nobody waits for an answer");
        s.backend().leave();
        s.settle();
        s.expect(s.ports() == 0, "no port is left");
        const auto states = s.history().values(&StoreMoment::frontend, "state");
        s.expect(legal(states, kFrontendSteps), "its states follow each other as they may",
                 [&] { return conformance::joined(states); });
    });
}

INSTANTIATE_TEST_SUITE_P(States, FrontendMeets,
                         testing::Combine(testing::Values('1', '3', '4', '5', '6'), testing::Range(0u, 9u)));

void connect_again(Stage& s) {
    s.frontend().state(1);
    s.settle();
    s.expect(s.frontend().backend_state() == "2", "the backend offers itself again",
             [&] { return s.frontend().backend_state(); });
    s.frontend().make_ring();
    s.frontend().publish();
    s.frontend().state(3);
    s.settle();
    s.frontend().state(4);
    s.settle();
    s.expect(s.frontend().backend_state() == "4" && read_works(s), "and serves the new kernel");
    s.expect(s.maps() == 1 && s.ports() == 1, "nothing is left of the old one");
}

TEST(BlkbackStates, AKernelThatIsReplacedConnectsAgainAfterItsPredecessorClosed) {
    play_often(Role::backend, [](Stage& s) {
        if (!s.connect_frontend()) return;
        for (const unsigned state : {5u, 6u}) {
            s.frontend().state(state);
            s.settle();
        }
        s.frontend().drop_ring();
        connect_again(s);
    });
}

TEST(BlkbackStates, AKernelThatIsReplacedConnectsAgainThoughItsPredecessorNeverClosed) {
    play_often(Role::backend, [](Stage& s) {
        if (!s.connect_frontend()) return;
        const auto asked = s.frontend().read(0, 8);
        s.frontend().put(asked.request);
        s.frontend().push_and_notify();
        connect_again(s);
    });
}

/// Our own frontend, with its driver in sight.
class SeenFrontend final : public conformance::FrontendSubject {
public:
    SeenFrontend(Platform& platform, std::shared_ptr<Blkfront>& disk)
        : bus_(platform, {{"vbd", blkfront_factory(platform, [&disk](auto d) { disk = std::move(d); })}}) {}
    Result<> start() override { return bus_.start(); }
    Result<conformance::DiskSeen> wait_connected() override { return fail(Errno::nosys); }
    Result<> transfer(const conformance::UserTransfer&) override { return fail(Errno::nosys); }
    Result<> flush() override { return fail(Errno::nosys); }

private:
    xenbus::Bus bus_;
};

void play_seen(const std::function<void(Stage&, std::shared_ptr<Blkfront>&)>& script) {
    std::shared_ptr<Blkfront> disk;
    {
        auto subjects = conformance::own_drivers();
        subjects.frontend = [&](Platform& platform, unsigned) {
            return std::make_unique<SeenFrontend>(platform, disk);
        };
        conformance::Verdict verdict;
        Stage stage(verdict, subjects, Role::frontend, {});
        stage.play([&](Stage& s) { script(s, disk); });
        EXPECT_EQ(verdict.outcome(), conformance::Outcome::success) << verdict.text();
        disk.reset();
    }
}

TEST(BlkfrontStates, ADiskInUseRefusesToCloseUntilItsUsersLetGo) {
    play_seen([](Stage& s, std::shared_ptr<Blkfront>& disk) {
        if (!s.connect_backend()) return;
        std::optional<Blkfront::Use> first(disk->use()), second(disk->use());
        s.backend().state(5);
        s.settle();
        s.expect(s.backend().frontend_state() == "5", "it says that it will close");
        const auto said = s.backend().platform().store().read(StoreTx::none, s.frontend_error_path());
        s.expect(said && *said == "16 Device in use; refusing to close", "and not now");
        first.reset();
        s.settle();
        s.expect(s.backend().frontend_state() == "5", "one user is left");
        second.reset();
        s.settle();
        s.expect(s.backend().frontend_state() == "6", "then it closes");
    });
}

TEST(BlkfrontStates, ADiskInUseIsTakenByABackendThatHasClosed) {
    play_seen([](Stage& s, std::shared_ptr<Blkfront>& disk) {
        if (!s.connect_backend()) return;
        const Blkfront::Use use = disk->use();
        s.backend().state(6);
        s.settle();
        s.expect(s.backend().frontend_state() == "6", "there is nobody to refuse");
    });
}

}  // namespace
}  // namespace xenrig::blk
