// What stands behind a drive with nothing in it: no bytes at all, and every operation fails.
#pragma once

#include "xenrig/drivers/blk/storage.h"

namespace xenrig::blk {

class NoMedium final : public Storage {
public:
    StorageInfo info() const override { return {.bytes = 0, .read_only = true}; }
    void submit(StorageOpPtr op) override { complete(std::move(op), fail(Errno::io, "no medium in the drive")); }
};

}  // namespace xenrig::blk
