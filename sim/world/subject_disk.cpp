#include "subject_disk.h"

#include <vector>

#include "xenrig/drivers/blk/wire.h"

namespace xenrig::world {

void SubjectDisk::submit(blk::BlkOp& op) {
    guest_.spawn("subject's user", TaskRole::service, [this, &op] {
        op.result = run(op);
        const auto done = std::move(op.done);
        done(op);
    });
}

Result<> SubjectDisk::run(blk::BlkOp& op) {
    switch (op.kind) {
        case blk::BlkOp::Kind::read:
            return transfer(op, false);
        case blk::BlkOp::Kind::write:
            return transfer(op, true);
        case blk::BlkOp::Kind::flush:
            return subject_->flush();
        case blk::BlkOp::Kind::discard:
            return subject_->discard(op.sector, op.units, op.secure);
        case blk::BlkOp::Kind::barrier:
            break;
    }
    return fail(Errno::opnotsupp, "a subject's users have no barriers");
}

Result<> SubjectDisk::transfer(blk::BlkOp& op, bool write) {
    std::vector<std::byte> data;
    for (const blk::BlkSegment& s : op.segments) {
        const std::size_t at = data.size(), length = (s.last - s.first + 1u) * blk::kUnit;
        data.resize(at + length);
        if (write) guest_.memory().read(s.gfn, s.first * blk::kUnit, std::span(data).subspan(at, length));
    }
    if (auto done = subject_->transfer({.write = write, .sector = op.sector, .data = data}); !done || write)
        return done;
    std::size_t at = 0;
    for (const blk::BlkSegment& s : op.segments) {
        const std::size_t length = (s.last - s.first + 1u) * blk::kUnit;
        guest_.memory().write(s.gfn, s.first * blk::kUnit, std::span(data).subspan(at, length));
        at += length;
    }
    return {};
}

Result<blk::DiskInfo> SubjectDisk::wait_connected() {
    const auto seen = subject_->wait_connected();
    if (!seen) return std::unexpected(seen.error());
    blk::DiskInfo info;
    info.sectors = seen->bytes / blk::kUnit;
    info.sector_bytes = seen->sector_bytes;
    info.physical_sector_bytes = seen->physical_sector_bytes;
    info.read_only = seen->read_only;
    return info;
}

Result<> SubjectDisk::read(std::uint64_t sector, std::span<std::byte> data) {
    return subject_->transfer({.write = false, .sector = sector, .data = data});
}

Result<> SubjectDisk::write(std::uint64_t sector, std::span<const std::byte> data) {
    std::vector<std::byte> bytes(data.begin(), data.end());
    return subject_->transfer({.write = true, .sector = sector, .data = bytes});
}

Result<> SubjectDisk::suspend() {
    subject_->suspend();
    return {};
}

void SubjectDisk::resume(bool cancelled) { subject_->resume(cancelled); }

}  // namespace xenrig::world
