#include "xenrig/guest/control.h"

#include <algorithm>

#include "xenrig/abi/check.h"
#include "xenrig/guest/kernel.h"

extern "C" {
#include <xen/sched.h>
}

namespace xenrig::guest {

namespace {

constexpr const char* kNode = "control/shutdown";

struct Command {
    const char* name;
    /// SHUTDOWN_*; a halt is a poweroff to Xen, and the toolstack knows the difference.
    unsigned reason;
    /// Advertised as control/feature-<name>.
    bool advertised;
};
constexpr Command kCommands[] = {
    {"poweroff", SHUTDOWN_poweroff, true},
    {"halt", SHUTDOWN_poweroff, false},
    {"reboot", SHUTDOWN_reboot, true},
    {"suspend", SHUTDOWN_suspend, true},
};

const Command* find_command(const std::string& name) {
    const auto* found =
        std::find_if(std::begin(kCommands), std::end(kCommands), [&](const Command& c) { return c.name == name; });
    return found == std::end(kCommands) ? nullptr : found;
}

}  // namespace

Result<> Control::start() {
    auto watch = kernel_.store().watch(kNode, [this](const std::string&) { on_watch(); });
    if (!watch) return std::unexpected(watch.error());
    watch_ = std::move(*watch);
    for (const Command& command : kCommands) {
        // A toolstack that doesn't care has not made the node, and its parent is not ours to write in.
        if (command.advertised)
            (void)kernel_.store().write(StoreTx::none, std::string("control/feature-") + command.name, "1");
    }
    return {};
}

void Control::add(Suspendable& device) { devices_.push_back(&device); }

void Control::remove(Suspendable& device) { std::erase(devices_, &device); }

Result<std::string> Control::take_command() {
    Store& store = kernel_.store();
    std::string command;
    const Result<> taken = store.transaction([&](StoreTx tx) -> Result<> {
        auto value = store.read(tx, kNode);
        if (!value) return std::unexpected(value.error());
        command = std::move(*value);
        // A command that we don't know stays, so that the toolstack sees that nobody took it.
        if (!find_command(command)) return {};
        return store.write(tx, kNode, "");
    });
    if (!taken) return std::unexpected(taken.error());
    return command;
}

void Control::on_watch() {
    // ENOENT at the first firing and after a migration: the toolstack has asked for nothing yet.
    const auto name = take_command();
    if (!name) return;
    const Command* command = find_command(*name);
    if (!command) return;
    if (command->reason == SHUTDOWN_suspend)
        (void)suspend();
    else
        shut_down(command->reason);
}

void Control::shut_down(unsigned reason) { (void)kernel_.shut_down(reason); }

Result<Control::Outcome> Control::suspend() {
    ++suspends_;
    const std::vector<Suspendable*> devices = devices_;
    auto suspended = devices.begin();
    const auto resume_devices = [&](bool cancelled) {
        while (suspended != devices.begin()) (*--suspended)->resume(cancelled);
    };
    for (; suspended != devices.end(); ++suspended) {
        const Result<> done = (*suspended)->suspend();
        if (done) continue;
        const std::string name((*suspended)->name());
        resume_devices(true);
        return fail(done.error().code, name + " can't be suspended: " + done.error().message);
    }

    if (kernel_.has_store_) kernel_.store_.suspend();
    const std::uint64_t epoch = kernel_.epoch();
    const Result<> back = kernel_.enter_suspend();
    const bool new_domain = kernel_.epoch() != epoch;
    if (new_domain && !back) {
        // Without shared_info or a grant table there is nothing left that a kernel could do.
        shut_down(SHUTDOWN_crash);
        return std::unexpected(back.error());
    }
    const Result<> store_back = kernel_.has_store_ ? resume_store(new_domain) : Result<>{};
    resume_devices(!new_domain);
    if (!back) return std::unexpected(back.error());
    if (!store_back) return std::unexpected(store_back.error());
    return new_domain ? Outcome::resumed : Outcome::cancelled;
}

Result<> Control::resume_store(bool new_domain) {
    if (!new_domain) return kernel_.store_.resume(nullptr);
    const Result<RingPage> ring = kernel_.discovery_->store();
    // A ring at gfn 0 can't be adopted: the store stays broken, and says so to all who ask.
    const RingPage none{};
    const Result<> resumed = kernel_.store_.resume(ring ? &*ring : &none);
    return ring ? resumed : std::unexpected(ring.error());
}

}  // namespace xenrig::guest
