#include "xenrig/drivers/blk/storage.h"

namespace xenrig::blk {

void complete(StorageOpPtr op, Result<> result) {
    op->result = std::move(result);
    const auto done = std::move(op->done);
    done(std::move(op));
}

}  // namespace xenrig::blk
