#include "neighbour.h"

namespace xenrig::blk::test {

void play_beside(const std::function<void(Stage&, OtherFrontend&)>& script) {
    play(Role::backend,
         [&](Stage& s) {
             OtherFrontend other(s);
             if (s.expect(other.connect(), "the neighbour connects")) script(s, other);
         },
         {.neighbour = true});
}

void play_beside(const std::function<void(Stage&, OtherBackend&)>& script) {
    BothFrontends::Disks disks;
    auto subjects = conformance::own_drivers();
    subjects.frontend = [&](Platform& platform, unsigned) { return std::make_unique<BothFrontends>(platform, disks); };
    conformance::Verdict verdict;
    {
        Stage stage(verdict, subjects, Role::frontend, {.neighbour = true});
        stage.play([&](Stage& s) {
            OtherBackend other(s, disks);
            if (s.expect(other.connect(), "the neighbour connects")) script(s, other);
        });
        disks.clear();
    }
    EXPECT_EQ(verdict.outcome(), conformance::Outcome::success) << verdict.text();
}

std::string error_of(Stage& s) {
    const std::string path = s.subject() == Role::backend ? s.backend_error_path() : s.frontend_error_path();
    std::string error;
    s.as_toolstack([&](Store& store) { error = store.read(StoreTx::none, path).value_or(""); });
    return error;
}

}  // namespace xenrig::blk::test
