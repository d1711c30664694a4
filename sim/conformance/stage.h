// Where a check plays: a world with one host, the subject, and a scripted peer of it.
//
// The script is a task of the peer's domain, so it may do all that a driver may, and it says when the world is to
// settle: settle() returns when nothing can run any more. What the engine finds wrong meanwhile (a double fetch, a dead
// window) is a failure of the check.
//
//     void reads(Stage& s) {
//         s.connect_frontend();                              // the usual way, to Connected
//         auto t = s.frontend().read(7, 1);
//         s.frontend().put(t.request);
//         s.frontend().push_and_notify();
//         s.settle();
//         s.expect(s.frontend().data(t) == sector_pattern(7), "a read brings the sector's data");
//     }
//
// Member functions are the script's, unless they say otherwise.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/conformance/check.h"
#include "sim/conformance/store_history.h"
#include "sim/conformance/subject.h"
#include "sim/conformance/witness.h"
#include "sim/engine/engine.h"
#include "sim/engine/sources.h"
#include "sim/protocols/blk/raw_backend.h"
#include "sim/protocols/blk/raw_frontend.h"
#include "sim/toolstack/toolstack.h"
#include "sim/world/ledger.h"
#include "xenrig/drivers/blk/sim_disk.h"

namespace xenrig::conformance {

/// What the disk behind a backend says of itself; what it does is always the same.
struct DiskShape {
    bool read_only = false;
    bool empty = false;
    std::uint32_t sector_bytes = 512, physical_sector_bytes = 512;
    /// 0: can't discard.
    std::uint32_t discard_granularity = 512;
    bool secure_discard = true;
};

/// Whence the world's choices come, and how its disk is.
struct Conditions {
    /// None: every choice is the mildest.
    std::optional<std::uint64_t> seed;
    engine::Model model = engine::Model::sc;
    /// The subject's: engine::Engine::stores_late().
    bool stores_late = false;
    /// The guest has a second disk, kNeighbour, on the same backend.
    bool neighbour = false;
    DiskShape disk = {};
};

/// What a user asked of the subject's frontend, and what came of it.
struct UserCall {
    bool over = false;
    Result<> result;
    std::vector<std::byte> data;
    DiskSeen disk;

    bool well() const { return over && result.has_value(); }
    bool failed() const { return over && !result.has_value(); }
};
using UserCallPtr = std::shared_ptr<UserCall>;

/// What a backend of a disk with sectors of 512 bytes writes before Connected.
Nodes usual_properties(std::uint64_t sectors = 2048, unsigned info = 0);

class Stage {
public:
    static constexpr unsigned kDevice = 51712, kNeighbour = 51728;
    static constexpr std::uint64_t kSectors = 2048;

    /// Both ends' directories exist, in Initialising; the subject has not looked yet. Not in a script.
    Stage(Verdict& verdict, const Subjects& subjects, Role subject, const Conditions& conditions);
    ~Stage();
    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;

    /// Runs the script to its end. Not in a script.
    void play(const std::function<void(Stage&)>& script);

    bool expect(bool holds, std::string_view clause, const std::function<std::string()>& seen = {});
    void skip(std::string why) { verdict_.skip(std::move(why)); }
    bool failed() const { return verdict_.failed(); }
    /// Until nothing can run any more but the script.
    void settle();
    /// Lets all others run for a moment.
    void step_aside() { scheduler->yield(); }
    Role subject() const { return role_; }
    bool stores_late() const { return conditions_.stores_late; }

    /// The subject looks at its devices. Returns at once; does nothing the second time.
    void start_subject();
    /// What a toolstack in the control domain does; then settles.
    void as_toolstack(std::function<void(Store&)> job);

    blk::RawFrontend& frontend() { return *frontend_; }
    blk::RawBackend& backend() { return *backend_; }

    /// Starts the subject and takes the scripted end the usual way to Connected; false, and a failure, if the subject
    /// does not come along.
    bool connect_frontend();
    /// The backend writes `features` before InitWait and `properties` before Connected.
    bool connect_backend(const Nodes& features = {{"feature-flush-cache", "1"}},
                         const Nodes& properties = usual_properties());
    /// As connect_backend(), up to the frontend's answer to Connected, whatever that is; false when it has no ring.
    bool offer_backend(const Nodes& features, const Nodes& properties);

    // Users of the subject's frontend. They return at once; what they hold changes as the world settles.
    UserCallPtr wait_connected();
    UserCallPtr read(std::uint64_t sector, unsigned sectors, unsigned first = 0);
    UserCallPtr write(std::uint64_t sector, std::vector<std::byte> data, unsigned first = 0);
    UserCallPtr flush();
    UserCallPtr discard(std::uint64_t sector, std::uint64_t sectors, bool secure = false);
    /// Whatever else a task of the guest's may ask.
    UserCallPtr as_user(std::function<Result<>()> asks);

    /// The subject's disk, if it is a backend.
    blk::SimDisk& disk() { return *disk_; }
    std::vector<std::byte> on_disk(std::uint64_t sector, std::uint64_t sectors = 1) const;
    /// Every sector but these holds its pattern.
    bool disk_untouched(std::uint64_t but = 0, std::uint64_t sectors = 0) const;

    /// Pages of the scripted frontend that the subject maps.
    std::size_t maps() const { return ledger_->mappings(DomId{0}, guest_).size() - maps_before_; }
    /// Event channels of the subject's domain since the script began.
    std::size_t ports() const;
    /// Grants that the guest has given, whoever is the subject.
    std::size_t grants() const;
    DomId guest() const { return guest_; }
    /// The two directories of the device kDevice, and where each end says what went wrong.
    std::string frontend_path() const;
    std::string backend_path() const;
    std::string frontend_error_path() const;
    std::string backend_error_path() const;
    const DiskShape& disk_shape() const { return conditions_.disk; }
    /// Discards that the subject asked its disk to make unrecoverable.
    unsigned secure_discards() const { return *secure_discards_; }
    /// Mappings that were ever made.
    std::uint64_t maps_made() const { return ledger_->counts().maps; }
    /// Nodes of the subject's directory and of its peer's, at each change since the stage was set.
    const StoreHistory& history() const { return *history_; }
    /// Paths that the subject has read.
    const std::vector<std::string>& paths_read() const { return subject_platform_->store().read_paths(); }
    /// While it lives, each of the subject's reads of these bytes is followed by a change of them.
    std::unique_ptr<SlotRewriter> rewrite_after_read(const blk::RawRing& ring, std::uint32_t index,
                                                     std::vector<std::byte> bytes);
    std::unique_ptr<SlotRewriter> rewrite_after_read(const shared::Window& page, std::size_t offset,
                                                     std::vector<std::byte> bytes);
    /// Cuts the power of the subject's disk.
    void power_cut();

private:
    void host_up();
    void guest_up();
    void fill_disk();
    bool run();
    UserCallPtr call(const char* what, std::function<void(FrontendSubject&, UserCall&)> body);
    bool is_subject_running() const;
    std::string conditions() const;

    Verdict& verdict_;
    const Role role_;
    const Conditions conditions_;
    std::unique_ptr<engine::Source> source_;
    engine::Engine engine_;
    std::unique_ptr<toolstack::Host> host_;
    std::unique_ptr<world::Ledger> ledger_;
    std::unique_ptr<toolstack::Toolstack> tools_;
    std::vector<Cpu*> guest_cpus_;
    std::unique_ptr<guest::Kernel> kernel_;
    std::unique_ptr<WitnessPlatform> subject_platform_;
    DomId guest_{};
    std::shared_ptr<blk::SimDisk> disk_;
    std::shared_ptr<unsigned> secure_discards_ = std::make_shared<unsigned>(0);
    std::unique_ptr<StoreHistory> history_;
    std::unique_ptr<FrontendSubject> frontend_subject_;
    std::unique_ptr<BackendSubject> backend_subject_;
    std::unique_ptr<blk::RawFrontend> frontend_;
    std::unique_ptr<blk::RawBackend> backend_;
    std::size_t maps_before_ = 0, ports_before_ = 0;

    WaitQueue settled_{"the world to settle"};
    IrqLock settling_lock_{"stage"};
    bool settling_ = false;
    bool started_ = false;
    bool script_over_ = false;
};

}  // namespace xenrig::conformance
