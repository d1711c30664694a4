// A backend in C as a subject: finds the block devices that its domain is to serve, and hands each to the library.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "c_storage.h"
#include "xenrig/c/binding.h"
#include "xenrig/c/blk.h"
#include "xenrig/platform/platform.h"
#include "xenrig/world/subject.h"
#include "xenrig/xenbus/service.h"

namespace xenrig::subjects {

class CBackend final : public world::BackendSubject {
public:
    /// `library` keeps the code of `calls` loaded.
    CBackend(Platform& platform, blk::StorageFactory storage, const xenrig_blkback& calls,
             std::shared_ptr<void> library);
    ~CBackend() override;

    Result<> start() override;

private:
    struct Device;

    void look();

    const std::shared_ptr<void> library_;
    const xenrig_blkback& calls_;
    Platform& platform_;
    CDisks disks_;
    c::Binding binding_;
    /// The service's own.
    std::map<std::string, std::unique_ptr<Device>> devices_;
    Watch watch_;
    xenbus::Service service_;
};

}  // namespace xenrig::subjects
