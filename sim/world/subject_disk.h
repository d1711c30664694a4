// A subject's frontend as a disk of a guest: each operation is a task of its own that waits for the subject.
#pragma once

#include <memory>

#include "xenrig/drivers/blk/disk.h"
#include "xenrig/platform/suspendable.h"
#include "xenrig/world/subject.h"

namespace xenrig::world {

class SubjectDisk final : public blk::Disk, public Suspendable {
public:
    SubjectDisk(Platform& guest, std::unique_ptr<FrontendSubject> subject)
        : guest_(guest), subject_(std::move(subject)) {}

    Result<> start() { return subject_->start(); }

    void submit(blk::BlkOp& op) override;
    Result<blk::DiskInfo> wait_connected() override;
    /// Scenarios whose disks close are not for subjects (suits.cpp).
    bool closed() const override { return false; }
    Result<> read(std::uint64_t sector, std::span<std::byte> data) override;
    Result<> write(std::uint64_t sector, std::span<const std::byte> data) override;

    std::string_view name() const override { return "subject"; }
    Result<> suspend() override;
    void resume(bool cancelled) override;

private:
    Result<> run(blk::BlkOp& op);
    Result<> transfer(blk::BlkOp& op, bool write);

    Platform& guest_;
    std::unique_ptr<FrontendSubject> subject_;
};

}  // namespace xenrig::world
