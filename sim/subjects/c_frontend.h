// A frontend in C as a subject: finds its device, hands it to the library, and takes it back when it goes.
//
// What the library sees is a device's life as a kernel's bus has it: create and start when the directory is there, stop
// and destroy when it is gone or was made anew for another backend.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "xenrig/c/binding.h"
#include "xenrig/c/blk.h"
#include "xenrig/platform/platform.h"
#include "xenrig/world/subject.h"
#include "xenrig/xenbus/endpoint.h"
#include "xenrig/xenbus/service.h"

namespace xenrig::subjects {

class CFrontend final : public world::FrontendSubject {
public:
    /// `library` keeps the code of `calls` loaded.
    CFrontend(Platform& platform, unsigned device, const xenrig_blkfront& calls, std::shared_ptr<void> library);
    ~CFrontend() override;

    Result<> start() override;
    Result<world::DiskSeen> wait_connected() override;
    Result<> transfer(const world::UserTransfer& t) override;
    Result<> flush() override;
    Result<> discard(std::uint64_t sector, std::uint64_t sectors, bool secure) override;
    void suspend() override;
    void resume(bool cancelled) override;

private:
    class Use;

    void look();
    void appear(const xenbus::Peer& peer);
    void vanish();
    static Error is_gone();

    const std::shared_ptr<void> library_;
    const xenrig_blkfront& calls_;
    Platform& platform_;
    const std::string path_;
    c::Binding binding_;

    Lock lock_{"subject's device"};
    WaitQueue found_{"the subject's device"};
    WaitQueue unused_{"users of a device that is gone"};
    // Under lock_.
    void* device_ = nullptr;
    unsigned users_ = 0;
    /// There was a device, and its directory is gone.
    bool gone_ = false;

    // The service's own, or while it is paused.
    std::optional<xenbus::Peer> peer_;
    Watch watch_;
    xenbus::Service service_;
};

}  // namespace xenrig::subjects
